"""What each score is called, and what it says, for people."""

# The scores of masks, in the order in which they are shown.
SCORES = {
    "dice_per_image": ("Dice per image", "how far prediction and truth overlap in an image"),
    "iou_per_image": (
        "IoU per image",
        "the same as shared area over joint area, which is stricter",
    ),
    "foreground_dice": ("Foreground Dice", "the overlap over the pixels of all images together"),
    "foreground_iou": ("Foreground IoU", "likewise, as shared area over joint area"),
    "mean_dice": ("Mean Dice", "the same with the background as a further class"),
    "mean_iou": ("Mean IoU", "likewise, as shared area over joint area"),
    "accuracy": ("Accuracy", "share of right pixels; high wherever background prevails"),
    "boundary_iou": ("Boundary IoU", "the overlap of the outlines' surroundings only"),
    "boundary_f1": ("Boundary F1", "share of the outlines that are right to within 2 pixels"),
    "calibration_error": ("Calibration error", "0 is best: where it is 90 % sure, 90 % are right"),
}
HEADLINE = tuple(SCORES)
# The scores of objects.
OBJECTS = {
    "ap50": ("AP at IoU 0.5", "right objects, of all that are right, invented or missed"),
    "dsb_map": ("AP over IoU 0.5 to 0.95", "the same while the outlines must fit ever better"),
    "pq": ("Panoptic quality", "how many objects are right and how well they fit"),
    "aji": ("Aggregated Jaccard", "shared area of the objects; merging and splitting cost"),
    "count_error": ("Count error", "0 is best: by how many objects an image is miscounted"),
}
