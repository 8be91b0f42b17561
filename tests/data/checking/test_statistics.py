from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from skimage.measure import label

from delineate.data.checking.inspection import inspect
from delineate.data.checking.statistics import describe_encoding, statistics
from delineate.data.checking.summary import rows
from delineate.data.dataset import Dataset


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


def images(count, size=(24, 32), seed=0):
    return np.random.default_rng(seed).integers(20, 200, (count, *size, 3), np.uint8)


def blobs(count, size=(24, 32), classes=3, seed=0):
    """Masks of 4 x 4 cells of any class."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, classes, (count, size[0] // 4, size[1] // 4), np.uint8)
    return cells.repeat(4, axis=1).repeat(4, axis=2)


def described(masks, **options):
    return statistics(inspect(Dataset.from_arrays(images(len(masks)), masks, **options)))


def fill(root, masks, said=""):
    for number, (image, mask) in enumerate(zip(images(len(masks)), masks, strict=True)):
        write(root / "images" / f"{number}.png", image)
        write(root / "masks" / f"{number}.png", mask)
    if said:
        (root / "dataset.toml").write_text(said)
    return Dataset.open(root, cache=False)


def test_class_shares_are_those_of_a_plain_count_in_all_and_in_each_split():
    masks = blobs(6)
    masks[0, :4] = 255
    splits = ["train"] * 4 + ["test"] * 2
    found = described(masks, splits=splits)
    for number, item in enumerate(found["classes"]):
        inside = masks == number
        assert item["pixels"] == inside.sum()
        assert item["share"] == pytest.approx(inside.sum() / (masks != 255).sum(), abs=1e-6)
        assert item["images"] == inside.any(axis=(1, 2)).sum()
        train = inside[:4].sum() / (masks[:4] != 255).sum()
        assert item["splits"]["train"] == pytest.approx(train, abs=1e-6)
        assert item["colour"][0] == "#"
    assert found["ignored"] == pytest.approx((masks == 255).mean(), abs=1e-6)


def test_sizes_of_connected_parts_are_those_of_another_labelling():
    masks = blobs(5, classes=2)
    found = described(masks)
    areas = [
        count
        for mask in masks
        for count in np.bincount(label(mask, connectivity=2).ravel())[1:].tolist()
    ]
    expected = np.percentile(areas, (5, 50, 95))
    (sizes,) = found["object_sizes"]
    assert sizes["name"] == "class 1"
    assert [sizes["pixels"][name] for name in ("p5", "median", "p95")] == expected.tolist()
    assert sizes["measured"] == len(areas)
    assert (sizes["area"], sizes["unit"]) == (None, None)
    counts = [label(mask, connectivity=2).max() for mask in masks]
    per_image = found["objects_per_image"]
    assert (per_image["least"], per_image["most"]) == (min(counts), max(counts))
    assert per_image["median"] == np.median(counts)
    assert (found["objects"], found["touching"]) == (None, None)


def test_sizes_are_given_in_physical_units_where_the_pixel_size_is_known(tmp_path):
    said = '[pixels]\nsize = [0.5, 0.2]\nunit = "µm"\n'
    found = statistics(inspect(fill(tmp_path, blobs(3, classes=2), said)))
    (sizes,) = found["object_sizes"]
    assert sizes["unit"] == "µm²"
    assert sizes["area"]["median"] == pytest.approx(sizes["pixels"]["median"] * 0.1)


def test_the_data_s_own_objects_are_counted_and_those_that_touch():
    instances = np.zeros((2, 24, 32), np.int32)
    instances[0, 2:8, 2:8] = 1
    instances[0, 2:8, 8:12] = 2
    instances[0, 20:22, 20:30] = 3
    instances[1, 5:9, 5:9] = 4
    found = described((instances > 0).astype(np.uint8), instances=instances)
    assert found["objects"] == 4
    assert found["touching"] == 0.5
    assert found["objects_per_image"]["most"] == 3


def test_value_ranges_are_given_for_each_depth(tmp_path):
    for number, top in enumerate((100, 200, 4000)):
        kind = np.uint8 if number < 2 else np.uint16
        ramp = np.linspace(number, top, 24 * 32).reshape(24, 32).astype(kind)
        write(tmp_path / "images" / f"{number}.png", ramp)
        write(tmp_path / "masks" / f"{number}.png", blobs(1)[0])
    found = statistics(inspect(Dataset.open(tmp_path, cache=False)))
    eight, sixteen = found["value_ranges"]
    assert (eight["depth"], eight["images"], eight["lowest"], eight["highest"]) == (
        "uint8",
        2,
        0,
        200,
    )
    assert (eight["median_lowest"], eight["median_highest"]) == (0.5, 150)
    assert (sixteen["lowest"], sixteen["highest"]) == (2, 4000)


@pytest.mark.parametrize(
    ("masks", "said", "told"),
    [
        (blobs(3) // 2 * 255, "", "values 0 and 255: background and foreground"),
        (blobs(3), "", "class ids 0 to 2"),
        (np.where(blobs(3) == 2, 255, blobs(3)), "", "class ids 0 to 1; 255 is ignored"),
        (blobs(3) * 40, "[masks.values]\n0 = 0\n40 = 1\n80 = 1\n", "3 values for 2 classes"),
        (
            np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)[blobs(3)],
            "",
            "colour pictures: 3 colours, one for each class",
        ),
    ],
)
def test_how_masks_are_read_is_told_in_words(tmp_path, masks, said, told):
    dataset = fill(tmp_path, masks, said)
    assert describe_encoding(dataset.encoding, dataset.records, dataset.facts) == told
    assert statistics(inspect(dataset))["masks"] == told


def test_objects_of_a_table_of_run_lengths_are_told_as_such(tmp_path):
    for number, image in enumerate(images(3)):
        write(tmp_path / f"{number}.png", image)
    (tmp_path / "runs.csv").write_text("ImageId,EncodedPixels\n0,1 3\n0,30 4\n1,2 2\n2,\n")
    found = statistics(inspect(Dataset.open(tmp_path, cache=False)))
    assert found["masks"] == "run lengths of each object"
    assert (found["objects"], found["mask_formats"]) == (3, {})


def test_stored_values_are_listed_with_their_classes_and_not_more_than_a_page_bears(tmp_path):
    found = statistics(inspect(fill(tmp_path / "a", blobs(3) // 2 * 255)))["mask_values"]
    assert [(item["value"], item["class"]) for item in found] == [
        ("0", "background"),
        ("255", "foreground"),
    ]
    ramp = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)
    many = statistics(inspect(fill(tmp_path / "b", np.stack([ramp] * 2))))
    assert len(many["mask_values"]) == 64
    assert {item["class"] for item in many["mask_values"]} == {None}
    assert many["classes"] is None
    assert many["masks"] is None


def test_each_kind_of_picture_has_an_example_that_is_of_it():
    dark = np.random.default_rng(0).integers(0, 40, (4, 64, 64, 3), np.uint8)
    both = [*dark, *(255 - dark[:2])]
    masks = np.zeros((6, 64, 64), np.uint8)
    inspection = inspect(Dataset.from_arrays(both, masks))
    found = statistics(inspection)["kinds"]
    assert [item["images"] for item in found] == [4, 2]
    assert int(found[0]["example"]) < 4 <= int(found[1]["example"])


def test_groups_and_what_cannot_be_used_are_counted(tmp_path):
    dataset = fill(tmp_path, blobs(6), '[groups]\npattern = "^([0-3])$"\n')
    (tmp_path / "masks" / "5.png").unlink()
    (tmp_path / "images" / "4.png").write_bytes(b"no picture")
    dataset = Dataset.open(tmp_path, cache=False)
    found = statistics(inspect(dataset))
    assert found["groups"] == {"groups": 4, "images": 4, "largest": 1}
    assert (found["images"], found["unreadable"], found["unpaired"]) == (5, 1, 1)


def test_what_the_layout_has_to_say_and_the_size_of_a_pixel_are_told(tmp_path):
    dataset = fill(tmp_path, blobs(4), '[pixels]\nsize = [0.5, 0.25]\nunit = "m"\n')
    found = statistics(inspect(replace(dataset, notes=("a is left out",))))
    assert found["notes"] == ["a is left out"]
    assert found["pixel_size"] == {"height": 0.5, "width": 0.25, "unit": "m"}
    lines = dict(rows(found))
    assert lines["note"] == "a is left out"
    assert lines["pixel"] == "0.5 × 0.25 m"
