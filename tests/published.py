"""Small folders as the public data sets are published, with empty pictures."""

# In another order than the publisher's, so that no number can be right by chance.
CODES = [
    *("Wall", "Sky", "Void", "Road", "Tree", "Car", "Train", "Child", "Fence", "Tunnel", "Animal"),
    *("Bridge", "Archway", "Building", "Bicyclist", "Sidewalk", "Misc_Text", "SignSymbol"),
    *("Truck_Bus", "OtherMoving", "Pedestrian", "Column_Pole", "TrafficCone", "ParkingBlock"),
    *("LaneMkgsDriv", "RoadShoulder", "TrafficLight", "SUVPickupTruck", "VegetationMisc"),
    *("CartLuggagePram", "LaneMkgsNonDriv", "MotorcycleScooter"),
]
PUBLISHED = {
    "dsb2018": {
        "id1/images/id1.png": b"",
        "id1/masks/a.png": b"",
        "id2/images/id2.png": b"",
        "id2/masks/b.png": b"",
    },
    "oxford-pet": {
        "images/Bengal_1.jpg": b"",
        "images/beagle_2.jpg": b"",
        "images/Bengal_1.mat": b"",
        "images/._x.jpg": b"",
        "annotations/trimaps/Bengal_1.png": b"",
        "annotations/trimaps/beagle_2.png": b"",
        "annotations/trimaps/._Bengal_1.png": b"",
        "annotations/list.txt": b"",
    },
    "voc2012": {
        "JPEGImages/2007_000032.jpg": b"",
        "JPEGImages/2007_000033.jpg": b"",
        "JPEGImages/unmarked.jpg": b"",
        "SegmentationClass/2007_000032.png": b"",
        "SegmentationClass/2007_000033.png": b"",
        "ImageSets/Segmentation/train.txt": b"2007_000032\n",
        "ImageSets/Segmentation/val.txt": b"2007_000033\n\n",
    },
    "camvid": {
        "images/0001TP_006690.png": b"",
        "images/0016E5_07959.png": b"",
        "labels/0001TP_006690_P.png": b"",
        "labels/0016E5_07959_P.png": b"",
        "codes.txt": "\n".join(CODES).encode(),
        "valid.txt": b"0016E5_07959.png\n",
    },
    "kvasir-seg": {
        "images/cju0.jpg": b"",
        "masks/cju0.jpg": b"",
        "kavsir_bboxes.json": b"{}",
    },
}
