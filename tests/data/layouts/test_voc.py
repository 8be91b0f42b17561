import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.data.describing.description import NOTHING_SAID, Description, colour_value
from delineate.data.describing.text_file import MOST_LIST_BYTES
from delineate.data.layouts import voc
from delineate.errors import DataError
from tests.data.layouts.examples import complaints_of, lay, splits_of

SETS = "ImageSets/Segmentation"


def challenge(root, *stems, **lists):
    lay(root, [f"JPEGImages/{stem}.jpg" for stem in stems])
    lay(root, [f"SegmentationClass/{stem}.png" for stem in stems])
    return lay(root, [f"{SETS}/{name}.txt={text}" for name, text in lists.items()])


def index(root, description=NOTHING_SAID):
    return voc.index(root, description)


def test_the_lists_say_which_images_count_and_their_splits(tmp_path):
    root = challenge(tmp_path, "a", "b", "c", "d", train="a\n\nb\n", val="c", trainval="a\nb\nc")
    found = index(lay(root, ["JPEGImages/e.jpg"]))
    assert splits_of(found) == {
        "train/a": "train",
        "train/b": "train",
        "validation/c": "validation",
    }
    assert found.records[0].images == (tmp_path / "JPEGImages" / "a.jpg",)
    assert found.records[0].masks == (tmp_path / "SegmentationClass" / "a.png",)
    assert (found.unpaired, found.notes) == ((), ())


def test_what_one_list_holds_out_no_other_list_trains_on(tmp_path):
    found = index(challenge(tmp_path, "a", "b", "c", train="a\nb\nc", val="b\nc", test="c"))
    assert splits_of(found) == {"train/a": "train", "validation/b": "validation", "test/c": "test"}
    assert found.notes[0].startswith("3 images are in several lists")


def test_a_listed_image_without_its_mask_or_without_itself_is_named(tmp_path):
    root = challenge(tmp_path, "a", train="a\nb\nc")
    found = index(lay(root, ["JPEGImages/b.jpg"]))
    assert complaints_of(found) == [
        ("b.jpg", "mask"),
        ("train.txt", f"image {root / 'JPEGImages' / 'c'}.jpg for its c"),
    ]


def test_a_list_of_images_without_masks_is_left_out_and_noted(tmp_path):
    found = index(challenge(tmp_path, "a", train="a", test="x\ny"))
    assert (list(splits_of(found)), found.unpaired) == (["train/a"], ())
    assert found.notes == ("test.txt names 2 images without masks: left out.",)


@pytest.mark.parametrize("lists", [{}, {"trainval": "a\nb"}, {"default": "a\nb"}])
def test_without_lists_of_splits_all_masks_count_in_no_split(tmp_path, lists):
    found = index(lay(challenge(tmp_path, "a", "b", **lists), ["JPEGImages/c.jpg"]))
    assert splits_of(found) == {"a": None, "b": None}
    assert found.unpaired == ()
    assert bool(found.notes) == (not lists)


def test_the_challenges_names_are_given_to_its_own_images_alone(tmp_path):
    own = index(challenge(tmp_path / "own", "2007_000032")).description
    assert own.names is not None
    assert (len(own.names), own.names[0], own.names[15]) == (21, "background", "person")
    # As the development kit lists them.
    assert own.colours is not None
    assert own.colours[1] == (128, 0, 0)
    assert own.colours[15] == (192, 128, 128)
    assert own.colours[20] == (0, 64, 128)
    assert own.ignore == (255, colour_value((224, 224, 192)))
    assert index(challenge(tmp_path / "other", "holiday")).description == NOTHING_SAID


def test_a_table_beside_the_data_names_the_classes(tmp_path):
    text = "labelmap.txt=# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:0,0,255::\n"
    found = index(lay(challenge(tmp_path, "2007_000032"), [text]))
    assert found.description == Description(
        names=("background", "car"), colours=((0, 0, 0), (0, 0, 255))
    )


def test_pictures_beside_arrays_are_the_masks(tmp_path):
    lay(tmp_path, ["JPEGImages/a.jpg", "SegmentationClass/a.npy", "SegmentationClassPNG/a.png"])
    assert index(tmp_path).records[0].masks == (tmp_path / "SegmentationClassPNG" / "a.png",)


def test_of_two_years_one_must_be_named(tmp_path):
    challenge(tmp_path / "VOCdevkit" / "VOC2007", "000032")
    challenge(tmp_path / "VOCdevkit" / "VOC2012", "2007_000032")
    assert voc.refuse(tmp_path) is None
    with pytest.raises(DataError, match=r"2 folders of the layout 'voc': .*VOC2007, .*VOC2012"):
        index(tmp_path)
    assert len(index(tmp_path / "VOCdevkit" / "VOC2007").records) == 1


def test_the_sample_has_four_pairs_of_the_right_classes(real_data):
    dataset = Dataset.open(real_data / "voc2012_sample", cache=False)
    assert {record.name: record.split for record in dataset.records} == {
        "train/2007_000032": "train",
        "train/2007_000039": "train",
        "validation/2007_000033": "validation",
        "validation/2007_000042": "validation",
    }
    assert dataset.notes == (
        "2 images are in several lists: what is held out for one is not trained on.",
    )
    assert len(dataset.classes) == 21
    for record, sample in zip(dataset.records, dataset, strict=True):
        stored = np.asarray(Image.open(record.masks[0]))
        np.testing.assert_array_equal(sample.mask, stored)
        assert 255 in stored
    present = {dataset.classes[label] for label in np.unique(dataset[0].mask) if label != 255}
    assert present == {"background", "aeroplane", "person"}


def test_a_list_that_is_too_long_is_not_read(tmp_path):
    root = challenge(tmp_path, "a", train="a\n")
    with (root / SETS / "train.txt").open("r+b") as file:
        file.truncate(MOST_LIST_BYTES + 1)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"train\.txt has 33554433 bytes"):
        index(root)
