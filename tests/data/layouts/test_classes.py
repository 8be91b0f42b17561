import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.data.describing.description import Description
from delineate.data.layouts import classes
from delineate.errors import DataError
from tests.data.layouts.examples import complaints_of, lay, splits_of


def index(root, **said):
    return classes.index(root, Description(**said))


@pytest.mark.parametrize("form", ["masks/{label}/{stem}.png", "masks/{stem}_{label}.png"])
def test_classes_are_sorted_after_the_background(tmp_path, form):
    lay(tmp_path, ["images/a.png", "images/a_b.png"])
    for stem in ("a", "a_b"):
        for label in ("dog", "cat"):
            lay(tmp_path, [form.format(label=label, stem=stem)])
    assert classes.refuse(tmp_path) is None
    found = index(tmp_path)
    assert found.description.names == ("background", "cat", "dog")
    assert {record.parts for record in found.records} == {"classes"}
    for record in found.records:
        wanted = [tmp_path / form.format(label=label, stem=record.name) for label in ("cat", "dog")]
        assert (list(record.masks), record.ids) == (wanted, (1, 2))
    assert (found.unpaired, found.notes) == ((), ())


def test_a_background_of_its_own_is_0_and_void_does_not_count(tmp_path):
    lay(tmp_path, ["images/a.png"])
    found = index(lay(tmp_path, [f"masks/{name}/a.png" for name in ("BG", "zebra", "ant", "Void")]))
    assert found.description.names == ("background", "ant", "zebra")
    (record,) = found.records
    labels = [path.parent.name for path in record.masks]
    assert dict(zip(labels, record.ids, strict=True)) == {
        "BG": 0,
        "ant": 1,
        "zebra": 2,
        "Void": 255,
    }


def test_the_names_of_the_description_say_the_ids(tmp_path):
    lay(tmp_path, ["images/a.png", "masks/cat/a.png", "masks/dog/a.png"])
    found = index(tmp_path, names=("ground", "dog", "cat", "cow"))
    assert [path.parent.name for path in found.records[0].masks] == ["dog", "cat"]
    assert found.records[0].ids == (1, 2)
    with pytest.raises(DataError, match=r"masks of the class 'dog', but .* Did you mean 'dogs'"):
        index(tmp_path, names=("ground", "dogs", "cat"))


def test_a_class_that_an_image_lacks_is_noted_and_an_image_without_any_is_named(tmp_path):
    lay(tmp_path, [f"images/{stem}.png" for stem in "abc"])
    found = index(lay(tmp_path, ["masks/cat/a.png", "masks/dog/a.png", "masks/dog/b.png"]))
    assert {record.name: record.ids for record in found.records} == {"a": (1, 2), "b": (2,)}
    assert complaints_of(found) == [("c.png", "mask of any class")]
    assert found.notes == ("1 images have no mask of the class 'cat': it is not in them.",)


def test_a_mask_without_an_image_is_named(tmp_path):
    lay(tmp_path, ["images/a.png", "masks/cat/a.png", "masks/dog/a.png", "masks/dog/ab.png"])
    found = index(tmp_path)
    assert complaints_of(found) == [("ab.png", "image")]


def test_the_classes_of_all_splits_are_one_set(tmp_path):
    lay(tmp_path, ["train/images/a.png", "train/masks/cat/a.png", "train/masks/cow/a.png"])
    found = index(lay(tmp_path, ["val/images/b.png", "val/masks/cow/b.png", "val/masks/dog/b.png"]))
    assert splits_of(found) == {"train/a": "train", "validation/b": "validation"}
    assert found.description.names == ("background", "cat", "cow", "dog")
    assert [record.ids for record in found.records] == [(1, 2), (2, 3)]


def test_the_merged_mask_holds_the_ids(tmp_path):
    lay(tmp_path, ["images/a.png", "masks/cat/a.png", "masks/dog/a.png", "masks/void/a.png"])
    Image.fromarray(np.zeros((1, 4, 3), np.uint8)).save(tmp_path / "images" / "a.png")
    for column, label in enumerate(["cat", "dog", "void"]):
        mask = np.zeros((1, 4), np.uint8)
        mask[0, column] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / label / "a.png")
    dataset = Dataset.open(tmp_path, cache=False)
    assert dataset[0].mask.tolist() == [[1, 2, 255, 0]]
    assert dataset.classes == ("background", "cat", "dog")
