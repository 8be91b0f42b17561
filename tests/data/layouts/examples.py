"""Folders of each layout, as the paths of their files; texts are given, images are empty files."""

MANIFEST = "image,mask,split,group\na.png,b.png,train,one\nc.png,d.png,,\n"
LIST = "2007_000032\n2007_000039\n"
RUNS = "ImageId,EncodedPixels\nx,1 2\nx,5 1\ny,\n"
SOLVED = "ImageId,EncodedPixels,Height,Width,Usage\nx,1 2,24,32,Public\n"

# By layout: the files of some folders of it. Files without a text are images.
EXAMPLES = {
    "beside": [
        ["a.png", "a_mask.png"],
        ["train/a.jpg", "train/a_label.png", "val/b.jpg", "val/b_label.png"],
        ["benign/x (1).png", "benign/x (1)_mask.png", "benign/x (1)_mask_1.png"],
        ["7_sat.jpg", "7_mask.png", "9_sat.jpg", "9_mask.png"],
    ],
    "camvid": [
        ["train/a.png", "trainannot/a.png", "val/b.png", "valannot/b.png", "train.txt=a b"],
        ["train/a.png", "train_labels/a_L.png", "class_dict.csv=name,r,g,b\na,0,0,0\nb,1,1,1\n"],
        ["images/a.png", "labels/a_P.png", "codes.txt=sky\nroad\n", "valid.txt=a.png\n"],
        ["images/a.png", "labels/a_L.png"],
    ],
    "classes": [
        ["images/a.png", "masks/cat/a.png", "masks/dog/a.png"],
        ["train/images/a.png", "train/masks/a_cat.png", "train/masks/a_dog.png"],
    ],
    "csv": [
        ["a.png", "b.png", "c.png", "d.png", f"pairs.csv={MANIFEST}"],
        ["images/a.png", "masks/a.png", "m.csv=image;mask\nimages/a.png;masks/a.png\n"],
        ["a.png", "a_mask.png", "train.csv=Mask\tImage\na_mask.png\ta.png\n"],
        ["x/images/x.png", "x/masks/1.png", "m.csv=image,mask\nx/images/x.png,x/masks/1.png\n"],
    ],
    "dsb2018": [
        ["x/images/x.png", "x/masks/1.png", "x/masks/2.png"],
        [
            "train/x/images/x.png",
            "train/x/masks/1.png",
            "test/y/images/y.tif",
            "test/y/masks/1.tif",
        ],
        ["x/images/x.png", "x/masks/1.png", "rle.csv=ImageId,EncodedPixels\nx,1 2\n"],
        ["test/x/images/x.png", "test/x/masks/1.png", f"test/stage1_solution.csv={SOLVED}"],
    ],
    "folders": [
        ["images/a.png", "masks/a.png"],
        ["train/images/a.png", "train/masks/a.png", "valid/images/b.png", "valid/masks/b.png"],
        ["images/x/a.png", "masks/x/a.png", "images/y/a.png", "masks/y/a.png"],
        ["images/a.png", "masks/a_mask.png"],
        ["images/a.png", "masks/a_1.png", "masks/a_2.png"],
        ["images/a.png", "images/b.png", "masks/cell/a.png", "masks/cell/b.png"],
        ["images/x.png", "masks/x.png", f"runs.csv={RUNS}"],
    ],
    "objects": [
        ["images/a.png", "masks/a/1.png", "masks/a/2.png"],
        ["val/images/a.png", "val/masks/a/a.png", "train/images/b.png", "train/masks/b/1.png"],
    ],
    "run_lengths": [
        ["x.png", "y.tif", f"runs.csv={RUNS}"],
        ["x/images/x.png", f"stage1_solution.csv={SOLVED}"],
        [
            "images/x.png",
            "images/y.png",
            f"train.csv={RUNS}",
            f"test.csv={SOLVED.replace('x', 'z')}",
        ],
        ["train/x.png", "train/y.png", f"train/stage1_train_labels.csv={RUNS}"],
    ],
    "voc": [
        [
            "JPEGImages/2007_000032.jpg",
            "JPEGImages/2007_000039.jpg",
            "SegmentationClass/2007_000032.png",
            "SegmentationClass/2007_000039.png",
            f"ImageSets/Segmentation/train.txt={LIST}",
        ],
        ["VOCdevkit/VOC2012/JPEGImages/a.jpg", "VOCdevkit/VOC2012/SegmentationClass/a.png"],
    ],
}


def lay(root, files):
    """Make the files of an example, and return the folder."""
    for entry in files:
        path, _, text = entry.partition("=")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


def names_of(index):
    """Return the names of the files of each record, images first."""
    return {record.name: tuple(path.name for path in record.files) for record in index.records}


def splits_of(index):
    return {record.name: record.split for record in index.records}


def complaints_of(index):
    return [(item.path.name, item.wanted) for item in index.unpaired]
