import hashlib
import json
import tomllib

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.run_lengths import write_run_lengths

from delineate.data.checking.check import examine
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.repairing import repair as module
from delineate.data.repairing.repair import repair, require_free
from delineate.errors import DataError
from delineate.imaging import PALETTE, read_image, read_labels, write_png

SIZE = (48, 64)
RED, GREEN, BLACK = (200, 20, 20), (20, 180, 40), (0, 0, 0)


def ids_of(number, classes=2, size=SIZE):
    """A mask with a box of each class, elsewhere in each image."""
    rng = np.random.default_rng(number)
    ids = np.zeros(size, np.uint8)
    width = size[1] // classes
    for label in range(1, classes):
        row, column = rng.integers(2, size[0] // 2), width * label + rng.integers(0, width // 2)
        ids[row : row + size[0] // 3, column : column + width // 2] = label
    return ids


def image_of(number, classes=2, size=SIZE):
    """Noise, brighter where the mask has objects."""
    ids = ids_of(number, classes, size)
    noise = np.random.default_rng(number + 100).integers(0, 60, (*size, 3))
    return (noise + 60 * ids[..., None]).astype(np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = array if isinstance(array, Image.Image) else Image.fromarray(np.asarray(array))
    picture.save(path, **options)


def fill(root, classes=2, count=6, factor=1):
    for number in range(count):
        save(root / "images" / f"{number}.png", image_of(number, classes))
        save(root / "masks" / f"{number}.png", ids_of(number, classes) * factor)
    return root


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def in_colours(ids):
    return np.array([BLACK, RED, GREEN], np.uint8)[ids]


def blurred(array):
    """The array as smoothing leaves it: each pixel the mean of a cross of pixels."""
    padded = np.pad(array.astype(float), ((1, 1), (1, 1)) + ((0, 0),) * (array.ndim - 2), "edge")
    middle = padded[1:-1, 1:-1]
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return ((middle * 2 + around) / 6).round().astype(np.uint8)


def mended(root, folder):
    """Repair a data set; return what was done and the copy."""
    done = repair(inspect(Dataset.open(root, cache=False)), folder)
    return done, Dataset.open(folder, cache=False)


def errors_in(dataset):
    report = examine(inspect(dataset), pictures=False)
    return [finding for finding in report.findings if finding.level == "error"]


def agreement(dataset, classes=2):
    """The least share of pixels that are right in any mask."""
    return min(
        (sample.mask == ids_of(int(sample.name.rpartition("/")[2]), classes)).mean()
        for sample in dataset
    )


def snapshot(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# --- one damage each ----------------------------------------------------------------------------


def blend_two(root):
    fill(root)
    for number in range(6):
        save(root / "masks" / f"{number}.png", blurred(ids_of(number) * 255))


def blend_some(root):
    fill(root, factor=255)
    for number in range(2):
        save(root / "masks" / f"{number}.png", blurred(ids_of(number) * 255))


def compress_two(root):
    fill(root)
    for number in range(6):
        (root / "masks" / f"{number}.png").unlink()
        save(root / "masks" / f"{number}.jpg", ids_of(number) * np.uint8(255), quality=60)


def mix_ways(root):
    fill(root)
    for number in range(3):
        save(root / "masks" / f"{number}.png", ids_of(number) * 255)


def turn_images(root):
    """The camera was held upright, the masks were drawn on what it stored."""
    fill(root)
    for number in range(3):
        (root / "images" / f"{number}.png").unlink()
        path = root / "images" / f"{number}.jpg"
        save(path, np.rot90(image_of(number)), quality=98, exif=turned(6))
        save(root / "masks" / f"{number}.png", np.rot90(ids_of(number)))


def turn_masks(root):
    fill(root)
    for number in range(3):
        save(root / "masks" / f"{number}.png", ids_of(number), exif=turned(8))


@pytest.mark.parametrize(
    ("damage", "least", "told"),
    [
        (blend_two, 0.99, "blended pixels"),
        (blend_some, 0.99, "blended pixels"),
        (compress_two, 0.98, "blended pixels"),
        (mix_ways, 1, "255 was written as 1"),
        (turn_images, 1, "turned as its image is (EXIF orientation 6)"),
        (turn_masks, 1, "turned back (EXIF orientation 8)"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_damaged_is_right_in_the_copy(tmp_path, damage, least, told):
    damage(tmp_path / "data")
    assert errors_in(Dataset.open(tmp_path / "data", cache=False))
    done, copy = mended(tmp_path / "data", tmp_path / "copy")
    assert errors_in(copy) == []
    assert (len(copy), done.left_out) == (6, ())
    assert agreement(copy) >= least
    assert any(told in text for change in done.changed for text in change.changes)


def test_blended_colours_become_the_classes_beside_them(tmp_path):
    root = fill(tmp_path / "data", classes=3)
    for number in range(6):
        save(root / "masks" / f"{number}.png", blurred(in_colours(ids_of(number, 3))))
    done, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    for sample in copy:
        shown = np.array(copy.colours, np.uint8)[sample.mask]
        assert (shown == in_colours(ids_of(int(sample.name), 3))).mean() > 0.99
    assert done.images == 6


def test_a_mask_as_jpeg_of_many_colours_is_repaired_too(tmp_path):
    root = fill(tmp_path / "data", classes=3, count=5)
    rng = np.random.default_rng(0)
    for number in range(5):
        noisy = in_colours(ids_of(number, 3)) + rng.integers(0, 20, (*SIZE, 3))
        save(root / "masks" / f"{number}.png", noisy.astype(np.uint8))
    said = (
        '[classes]\nnames = ["none", "red", "green"]\ncolours = ["#000000", "#c81414", "#14b428"]\n'
    )
    (root / "dataset.toml").write_text(said)
    _, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    assert agreement(copy, 3) == 1
    assert copy.classes == ("none", "red", "green")


def test_masks_of_several_numbers_that_are_blended_are_left_out(tmp_path):
    root = fill(tmp_path / "data", classes=6)
    for number in range(2):
        save(root / "masks" / f"{number}.png", blurred(ids_of(number, 6)))
    done, copy = mended(root, tmp_path / "copy")
    assert sorted(item.name for item in done.left_out) == ["0", "1"]
    assert len(copy) == 4


def test_palettes_are_brought_in_line_by_their_colours(tmp_path):
    root = fill(tmp_path / "data", classes=3)
    for number in range(6):
        write_png(root / "masks" / f"{number}.png", ids_of(number, 3), [BLACK, RED, GREEN])
    swapped = np.array([0, 2, 1], np.uint8)[ids_of(0, 3)]
    write_png(root / "masks" / "0.png", swapped, [BLACK, GREEN, RED])
    done, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    assert agreement(copy, 3) == 1
    assert [change.name for change in done.changed] == ["0"]


# --- images -------------------------------------------------------------------------------------


def test_images_that_are_read_in_several_ways_are_stored_in_one(tmp_path):
    root = fill(tmp_path / "data")
    image = Image.fromarray(image_of(0))
    save(root / "images" / "0.png", image.quantize(16))
    opaque = np.dstack([image_of(1), np.full(SIZE, 255, np.uint8)])
    save(root / "images" / "1.png", opaque)
    save(root / "images" / "2.png", np.rot90(image_of(2), 2), exif=turned(3))
    before = {name: read_image(root / "images" / f"{name}.png") for name in "012"}
    done, copy = mended(root, tmp_path / "copy")
    for name, pixels in before.items():
        path = tmp_path / "copy" / "images" / f"{name}.png"
        np.testing.assert_array_equal(read_image(path), pixels)
        with Image.open(path) as picture:
            assert (picture.mode, picture.getexif().get(0x0112)) == ("RGB", None)
    assert {change.name: change.changes for change in done.changed} == {
        "0": ("its palette was replaced by colours",),
        "1": ("its opaque alpha channel was left out",),
        "2": ("its EXIF orientation 3 was applied",),
    }
    assert errors_in(copy) == []


def test_images_that_are_fine_are_copied_byte_for_byte(tmp_path):
    root = fill(tmp_path / "data")
    save(root / "images" / "5.png", Image.fromarray(image_of(5)), compress_level=1)
    done, _ = mended(root, tmp_path / "copy")
    for number in range(6):
        copied = tmp_path / "copy" / "images" / f"{number}.png"
        assert copied.read_bytes() == (root / "images" / f"{number}.png").read_bytes()
    assert done.changed == ()


def test_floating_point_images_share_one_range(tmp_path):
    root = tmp_path / "data"
    for number, low in enumerate((-1.5, 0.0, 2.0)):
        ramp = np.linspace(low, low + 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
        ramp[0, 0] = np.nan if number == 1 else low
        (root / "images").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(root / "images" / f"{number}.tif", ramp)
        save(root / "masks" / f"{number}.png", ids_of(number) * 255)
    done, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    samples = {sample.name: sample.image[..., 0] for sample in copy}
    assert samples["0"].dtype == np.uint16
    # -1.5 is 0 and 3 is 65535 in all of them.
    assert samples["0"].max() == round(65535 / 4.5)
    assert samples["1"][0, 0] == 0
    assert samples["1"][0, 1] == pytest.approx(65535 * 1.5 / 4.5, abs=20)
    assert samples["2"].max() == 65535
    assert agreement(copy) == 1
    assert "-1.5 as 0, 3 as 65535" in done.changed[0].changes[0]
    assert "1 values that are no numbers" in " ".join(done.changed[1].changes)


# --- objects, classes, channels -------------------------------------------------------------------


def test_objects_keep_a_file_each_and_stay_apart(tmp_path):
    root = tmp_path / "data"
    for name in ("a", "b"):
        save(root / name / "images" / f"{name}.png", image_of(ord(name)))
        for number, column in enumerate((4, 14)):
            mask = np.zeros(SIZE, np.uint8)
            mask[10:30, column : column + 10] = 255
            save(root / name / "masks" / f"{number}.png", mask)
    (root / "b" / "masks" / "0.png").unlink()
    (root / "b" / "masks" / "1.png").unlink()
    _, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    assert copy.layout == "objects"
    assert [look.objects for look in copy.facts] == [2, 0]
    assert copy.classes == ("background", "nucleus")


def test_turned_objects_are_turned_one_by_one(tmp_path):
    folder = tmp_path / "data" / "a"
    exif = turned(6)
    save(folder / "images" / "a.png", np.rot90(image_of(0)), exif=exif)
    mask = np.zeros(SIZE, np.uint8)
    mask[5:15, 40:60] = 255
    save(folder / "masks" / "0.png", np.rot90(mask))
    save(tmp_path / "data" / "b" / "images" / "b.png", image_of(1))
    save(tmp_path / "data" / "b" / "masks" / "0.png", mask)
    _, copy = mended(tmp_path / "data", tmp_path / "copy")
    sample = next(sample for sample in copy if sample.name == "a")
    np.testing.assert_array_equal(sample.instances > 0, mask > 0)
    np.testing.assert_array_equal(sample.image, image_of(0))


def test_arrays_with_instances_can_be_written(tmp_path):
    masks = np.stack([ids_of(number) for number in range(3)])
    images = np.stack([image_of(number) for number in range(3)])
    dataset = Dataset.from_arrays(images, masks, instances=masks.astype(np.int32) * 7)
    done = repair(inspect(dataset), tmp_path / "copy")
    copy = Dataset.open(tmp_path / "copy")
    assert (done.images, copy.layout) == (3, "objects")
    assert [fact.objects for fact in copy.facts] == [1, 1, 1]
    np.testing.assert_array_equal(copy[1].image, images[1])


def test_images_of_many_channels_keep_them(tmp_path):
    images = np.random.default_rng(0).integers(0, 4000, (3, *SIZE, 5), np.uint16)
    dataset = Dataset.from_arrays(images, np.stack([ids_of(number) for number in range(3)]))
    repair(inspect(dataset), tmp_path / "copy")
    np.testing.assert_array_equal(Dataset.open(tmp_path / "copy")[2].image, images[2])


# --- names, splits, what is left out --------------------------------------------------------------


def test_splits_groups_classes_and_pixel_size_are_kept_and_folders_become_names(tmp_path):
    root = tmp_path / "data"
    for number in range(4):
        part = root / ("train" if number < 3 else "val")
        ids = ids_of(number, 3)
        ids[0] = 255
        save(part / "images" / f"p{number}" / "a.png", image_of(number, 3))
        save(part / "masks" / f"p{number}" / "a.png", ids)
    said = '[classes]\nnames = ["none", "one \\"x\\"", "two"]\n[groups]\npattern = "/(p\\\\d)/"\n'
    (root / "dataset.toml").write_text(said + '[pixels]\nsize = [0.5, 0.25]\nunit = "m"\n')
    _, copy = mended(root, tmp_path / "copy")
    names = {record.name: (record.split, record.group) for record in copy.records}
    assert names == {
        "train/p0_a": ("train", "p0"),
        "train/p1_a": ("train", "p1"),
        "train/p2_a": ("train", "p2"),
        "validation/p3_a": ("validation", "p3"),
    }
    assert copy.classes == ("none", 'one "x"', "two")
    assert (copy.description.pixel_size, copy.description.unit) == ((0.5, 0.25), "m")
    assert tomllib.loads((tmp_path / "copy" / "dataset.toml").read_text())["masks"] == {
        "encoding": "ids",
        "ignore": [255],
    }
    assert read_labels(tmp_path / "copy" / "train" / "masks" / "p0_a.png").values[0, 0] == 255


def test_what_cannot_be_repaired_is_left_out_with_its_reason(tmp_path):
    root = fill(tmp_path / "data", count=7)
    (root / "images" / "0.png").write_bytes(b"no picture")
    save(root / "masks" / "1.png", np.zeros((20, 20), np.uint8))
    save(root / "masks" / "2.png", ids_of(2).T)
    (root / "masks" / "3.png").unlink()
    done, copy = mended(root, tmp_path / "copy")
    left = {item.name.rpartition("/")[2]: item.reason for item in done.left_out}
    assert sorted(left) == ["0", "1", "2", "3.png"]
    assert "20" in left["1"]
    assert "no mask" in left["3.png"]
    assert [record.name for record in copy.records] == ["4", "5", "6"]
    assert errors_in(copy) == []
    listed = json.loads((tmp_path / "copy" / "repairs.json").read_text())
    assert listed == done.as_json()


def test_data_of_which_nothing_can_be_repaired_gives_no_copy(tmp_path):
    root = fill(tmp_path / "data", count=2)
    for number in range(2):
        (root / "images" / f"{number}.png").write_bytes(b"no picture")
    done = repair(inspect(Dataset.open(root)), tmp_path / "copy")
    assert (done.folder, len(done.left_out)) == (None, 2)
    assert not (tmp_path / "copy").exists()
    assert "Nothing could be repaired" in done.describe()


def test_the_source_is_not_touched_and_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    mix_ways(tmp_path / "data")
    before = snapshot(tmp_path / "data")
    mended(tmp_path / "data", tmp_path / "copy")
    assert snapshot(tmp_path / "data") == before

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_record", full)
    with pytest.raises(OSError, match="No space"):
        mended(tmp_path / "data", tmp_path / "other")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


@pytest.mark.parametrize("name", ["full", "data/inside", "."])
def test_a_folder_that_is_not_free_is_refused(tmp_path, name):
    root = fill(tmp_path / "data", count=1)
    fill(tmp_path / "full", count=1)
    with pytest.raises(DataError) as caught:
        require_free(root, tmp_path / name)
    assert str(tmp_path) in caught.value.message
    assert caught.value.hint


def test_an_empty_folder_is_taken_and_what_was_done_is_told_in_words(tmp_path):
    mix_ways(tmp_path / "data")
    (tmp_path / "data" / "images" / "5.png").unlink()
    (tmp_path / "copy").mkdir()
    told = []
    dataset = Dataset.open(tmp_path / "data")
    done = repair(
        inspect(dataset), tmp_path / "copy", progress=lambda at, count: told.append((at, count))
    )
    lines = done.describe().splitlines()
    assert lines[0].endswith("copy: 5 images, 3 of them changed, 1 left out.")
    assert lines[1] == "  changed in 3: 255 was written as 1, as in the other masks"
    assert lines[2].startswith("  left out ")
    assert told[-1] == (5, 5)


def test_masks_of_the_copy_have_the_colours_of_the_classes(tmp_path):
    mended(fill(tmp_path / "data", classes=3), tmp_path / "copy")
    with Image.open(tmp_path / "copy" / "masks" / "0.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:9] == [value for colour in PALETTE[:3] for value in colour]


def test_ways_of_damage_do_not_hinder_each_other(tmp_path):
    """Blended masks hold 1 and 255 as well, and those that are turned cannot be read."""
    turn_images(tmp_path / "data")
    save(tmp_path / "data" / "masks" / "3.png", ids_of(3) * 255)
    save(tmp_path / "data" / "masks" / "4.png", blurred(ids_of(4) * 255))
    done, copy = mended(tmp_path / "data", tmp_path / "copy")
    assert errors_in(copy) == []
    assert (len(copy), done.left_out) == (6, ())
    assert agreement(copy) > 0.99


def test_whole_numbers_that_masks_store_as_floating_point_are_kept(tmp_path):
    root = fill(tmp_path / "data", classes=3)
    for number in range(6):
        (root / "masks" / f"{number}.png").unlink()
        tifffile.imwrite(root / "masks" / f"{number}.tif", ids_of(number, 3).astype(np.float32))
    tifffile.imwrite(root / "masks" / "5.tif", ids_of(5, 3) * np.float32(0.5))
    done, copy = mended(root, tmp_path / "copy")
    assert errors_in(copy) == []
    assert agreement(copy, 3) == 1
    assert [item.name for item in done.left_out] == ["5"]


def test_the_colours_of_palettes_are_kept(tmp_path):
    root = fill(tmp_path / "data", classes=3)
    for number in range(6):
        write_png(root / "masks" / f"{number}.png", ids_of(number, 3), [BLACK, RED, GREEN])
    _, copy = mended(root, tmp_path / "copy")
    assert copy.colours == (BLACK, RED, GREEN)


def test_objects_whose_files_have_one_name_stay_several(tmp_path):
    root, rows = tmp_path / "data", ["image,mask"]
    for number in range(3):
        save(root / "images" / f"{number}.png", image_of(number))
        for label in (1, 2):
            mask = (ids_of(number, 3) == label).astype(np.uint8) * 255
            save(root / f"object{label}" / f"{number}.png", mask)
            rows.append(f"images/{number}.png,object{label}/{number}.png")
    (root / "pairs.csv").write_text("\n".join(rows))
    _, copy = mended(root, tmp_path / "copy")
    assert [facts.objects for facts in copy.facts] == [2, 2, 2]
    for before, after in zip(Dataset.open(root, cache=False), copy, strict=True):
        np.testing.assert_array_equal(after.instances, before.instances)


def test_classes_that_are_shown_in_one_colour_are_copied_without_colours(tmp_path):
    root = tmp_path / "data"
    for number in range(4):
        picture = Image.fromarray(ids_of(number, 3))
        picture.putpalette([*BLACK, *RED, *RED])
        save(root / "images" / f"{number}.png", image_of(number, 3))
        save(root / "masks" / f"{number}.png", picture)
    _, copy = mended(root, tmp_path / "copy")
    assert len(copy.classes) == 3
    np.testing.assert_array_equal(copy[0].mask, ids_of(0, 3))


@pytest.mark.parametrize(
    "said",
    [
        'values = { "1" = "ignore" }',
        'values = { "0" = 1, "1" = 0 }',
        'ignore = [0]\nvalues = { "#000000" = 0 }',
    ],
)
def test_objects_that_are_said_to_be_something_else_are_copied_as_class_ids(tmp_path, said):
    root = tmp_path / "data"
    for number in range(4):
        save(root / "images" / f"{number}.png", image_of(number))
        save(root / "masks" / str(number) / "a.png", ids_of(number) * 255)
    (root / "dataset.toml").write_text(f"[masks]\n{said}\n")
    _, copy = mended(root, tmp_path / "copy")
    for before, after in zip(Dataset.open(root, cache=False), copy, strict=True):
        np.testing.assert_array_equal(after.mask, before.mask)


def test_objects_of_a_table_of_run_lengths_get_a_file_each(tmp_path):
    root = tmp_path / "data"
    truth = {str(number): 2 * ids_of(number, 3).astype(np.int32) for number in range(4)}
    for number in range(4):
        save(root / f"{number}.png", image_of(number, 3))
    write_run_lengths(root / "cells.csv", truth.items())
    (root / "cells.csv").write_text((root / "cells.csv").read_text() + "3,5 0\n")
    done, copy = mended(root, tmp_path / "copy")
    assert [item.name for item in done.left_out] == ["3"]
    assert (copy.layout, len(copy)) == ("objects", 3)
    for sample in copy:
        np.testing.assert_array_equal(sample.instances, truth[sample.name] // 2)
