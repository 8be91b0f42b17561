import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 8, 10, 3), np.uint8)
MASKS = np.zeros((3, 8, 10), np.uint8)
MASKS[:, 2:5, 3:6] = 1


def test_arrays_are_a_data_set_of_samples():
    dataset = Dataset.from_arrays(IMAGES, MASKS, classes=["ground", "cell"], name="mine")
    assert (dataset.name, dataset.layout, len(dataset)) == ("mine", "arrays", 3)
    assert dataset.classes == ("ground", "cell")
    for number, sample in enumerate(dataset):
        assert sample.name == str(number)
        np.testing.assert_array_equal(sample.image, IMAGES[number])
        np.testing.assert_array_equal(sample.mask, MASKS[number])
        assert sample.instances is None


def test_images_may_differ_in_size_and_grey_ones_have_one_channel():
    images = [np.zeros((4, 5), np.uint8), np.zeros((6, 7, 1), np.uint8)]
    dataset = Dataset.from_arrays(images, [np.zeros((4, 5), bool), np.zeros((6, 7, 1), np.int64)])
    assert [sample.image.shape for sample in dataset] == [(4, 5, 1), (6, 7, 1)]
    assert [sample.mask.shape for sample in dataset] == [(4, 5), (6, 7)]
    assert all(sample.mask.dtype == np.uint8 for sample in dataset)


def test_0_and_255_and_true_and_false_are_background_and_foreground():
    black_and_white = Dataset.from_arrays(IMAGES, MASKS * 255)
    assert black_and_white.classes == ("background", "foreground")
    np.testing.assert_array_equal(black_and_white[0].mask, MASKS[0])
    np.testing.assert_array_equal(Dataset.from_arrays(IMAGES, MASKS > 0)[0].mask, MASKS[0])


def test_masks_of_wider_types_keep_their_values():
    masks = MASKS.astype(np.int64)
    masks[0, 0, 0] = 65535
    mask = Dataset.from_arrays(IMAGES, masks)[0].mask
    assert mask[0, 0] == 255
    np.testing.assert_array_equal(mask.ravel()[1:], MASKS[0].ravel()[1:])


def test_instances_and_splits_belong_to_their_images():
    objects = MASKS.astype(np.uint16) * 300
    splits = ["train", "test", "validation"]
    dataset = Dataset.from_arrays(IMAGES, MASKS, instances=objects, splits=splits)
    assert [record.split for record in dataset.records] == splits
    assert dataset[1].instances.dtype == np.int32
    np.testing.assert_array_equal(dataset[1].instances, objects[1])
    assert dataset.facts[0].objects == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:2]}, "There are 2 images but 3 masks"),
        ({"images": [], "masks": []}, "There are no images"),
        ({"images": IMAGES / 255}, "Image 0 is float64 of shape"),
        ({"images": IMAGES[:, :, 0, 0]}, "Image 0 is uint8 of shape \\(8,\\)"),
        ({"images": IMAGES[:, :0], "masks": MASKS[:, :0]}, "Image 0 is uint8 of shape \\(0, 10"),
        ({"masks": MASKS[:, :7]}, "Mask 0 is uint8 of shape \\(7, 10\\), its image is \\(8, 10\\)"),
        ({"masks": MASKS.astype(float)}, "Mask 0 is float64"),
        ({"masks": MASKS.astype(int) - 1}, "Mask 0 is int64"),
        ({"masks": MASKS.astype(int) * 70_000}, "Mask 0 is int64"),
        ({"masks": np.stack([MASKS] * 3, axis=-1)}, "Mask 0 is uint8 of shape \\(8, 10, 3\\)"),
        ({"instances": MASKS[:2]}, "3 images but 2 instances"),
        ({"instances": MASKS[:, :7]}, "instances of image 0 are uint8 of shape \\(7, 10\\)"),
        ({"instances": MASKS / 2}, "instances of image 0 are float64"),
        ({"instances": MASKS.astype(int) * -1}, "instances of image 0 are int64"),
        ({"instances": MASKS.astype(int) << 32}, "instances of image 0 are int64"),
        ({"splits": ["train"]}, "3 images but 1 splits"),
        ({"splits": ["train", "val", "test"]}, "'val' is no split"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_what_came(changes, message):
    values = {"images": IMAGES, "masks": MASKS, **changes}
    with pytest.raises(DataError, match=message) as caught:
        Dataset.from_arrays(values.pop("images"), values.pop("masks"), **values)
    assert caught.value.hint
