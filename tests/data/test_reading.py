import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from delineate.data.reading import decode, merge_objects
from delineate.data.records import Record, RunLengths, Sample
from delineate.decoding.run_lengths import encode
from delineate.errors import DataError, ImageError


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)
    return path


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype)


@pytest.fixture
def pair(tmp_path):
    """An image and a mask of 12 × 20 pixels."""
    image = write(tmp_path / "image.png", noise(12, 20, 3))
    mask = write(tmp_path / "mask.png", np.arange(240, dtype=np.uint8).reshape(12, 20) % 3)
    return Record("x", (image,), (mask,))


def test_a_pair_is_read_as_stored(pair):
    found = decode(pair)
    np.testing.assert_array_equal(found.image, noise(12, 20, 3))
    np.testing.assert_array_equal(found.labels, np.arange(240).reshape(12, 20) % 3)
    assert found.instances is None
    assert found.facts.as_json() == {
        "size": [12, 20],
        "channels": 3,
        "dtype": "uint8",
        "values": {"0": 80, "1": 80, "2": 80},
        "lowest": 0,
        "highest": int(noise(12, 20, 3).max()),
        "objects": None,
        "overlap": 0,
        "colours": None,
        "palette": None,
    }


def test_sixteen_bits_stay_sixteen_bits(tmp_path):
    image = write(tmp_path / "image.png", noise(6, 5, dtype=np.uint16))
    mask = write(tmp_path / "mask.png", np.full((6, 5), 700, np.uint16))
    found = decode(Record("x", (image,), (mask,)))
    assert found.image.dtype == found.labels.dtype == np.uint16
    assert found.facts.dtype == "uint16"
    assert found.facts.channels == 1
    assert found.facts.values == {700: 30}


@pytest.mark.parametrize("which", ["image", "mask"])
@pytest.mark.parametrize("damage", ["text", "cut", "empty", "missing"])
def test_a_file_that_is_no_whole_image_is_named(pair, which, damage):
    path = pair.images[0] if which == "image" else pair.masks[0]
    content = path.read_bytes()
    path.write_bytes({"text": b"hello", "cut": content[: len(content) * 2 // 3]}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    with pytest.raises(ImageError, match=re.escape(str(path))) as caught:
        decode(pair)
    assert caught.value.hint


def test_a_mask_of_another_size_is_refused_with_both_sizes(pair):
    write(pair.masks[0], np.zeros((12, 19), np.uint8))
    with pytest.raises(DataError, match=r"12×19 pixels .*12×20\.$") as caught:
        decode(pair)
    assert not isinstance(caught.value, ImageError)


def test_a_mask_that_looks_transposed_is_called_so(pair):
    write(pair.masks[0], np.zeros((20, 12), np.uint8))
    with pytest.raises(DataError, match="It looks turned or transposed"):
        decode(pair)


def test_a_record_without_an_image_is_refused():
    with pytest.raises(DataError, match="x has no image"):
        decode(Record("x", (), ()))


def test_arrays_are_taken_as_they_are():
    image, mask = noise(4, 5, 1), np.full((4, 5), 255, np.uint8)
    instances = np.zeros((4, 5), np.int32)
    instances[0, :2] = 7
    instances[1] = 2**31 - 1
    found = decode(Record("x", (), (), arrays=Sample("x", image, mask, instances)))
    assert found.image is image
    assert found.labels is mask
    assert found.facts.objects == 2
    assert found.facts.values == {255: 20}


def objects_of(folder, masks, size=(12, 20)):
    image = write(folder / "image.png", noise(*size, 3))
    paths = [write(folder / f"{n:03}.png", mask) for n, mask in enumerate(masks)]
    return Record("x", (image,), tuple(paths), "objects")


def reference_merge(masks, size):
    merged, overlap = np.zeros(size, np.int32), 0
    for row in range(size[0]):
        for column in range(size[1]):
            there = [n + 1 for n, mask in enumerate(masks) if mask[row, column]]
            merged[row, column] = there[-1] if there else 0
            overlap += max(len(there) - 1, 0)
    return merged, overlap


@pytest.mark.parametrize("seed", range(4))
def test_objects_are_merged_and_their_overlap_is_counted_as_in_a_plain_loop(tmp_path, seed):
    rng = np.random.default_rng(seed)
    masks = [(rng.random((12, 20)) < 0.1).astype(np.uint8) * 255 for _ in range(5)]
    record = objects_of(tmp_path, masks)
    merged, overlap = merge_objects(record, (12, 20))
    expected, shared = reference_merge(masks, (12, 20))
    np.testing.assert_array_equal(merged, expected)
    assert merged.dtype == np.int32
    assert overlap == shared > 0
    found = decode(record)
    np.testing.assert_array_equal(found.instances, expected)
    np.testing.assert_array_equal(found.labels, expected > 0)
    assert found.labels.dtype == np.uint8
    assert found.facts.overlap == shared
    assert found.facts.values == {0: int((expected == 0).sum()), 1: int((expected > 0).sum())}


def test_an_object_that_is_wholly_covered_and_one_without_pixels_do_not_count(tmp_path):
    small, large = np.zeros((2, 12, 20), np.uint8)
    small[3:5, 3:5] = 255
    large[2:6, 2:6] = 1
    found = decode(objects_of(tmp_path, [small, large, np.zeros((12, 20), np.uint8)]))
    assert found.facts.objects == 1
    assert found.facts.overlap == 4
    assert set(np.unique(found.instances)) == {0, 2}


def test_objects_at_the_borders_and_in_sixteen_bits_are_whole(tmp_path):
    masks = np.zeros((3, 12, 20), np.uint16)
    masks[0, 0, :] = 1
    masks[1, :, 19] = 65535
    masks[2, 11, 0] = 256  # zero, if only eight bits were looked at
    merged, overlap = merge_objects(objects_of(tmp_path, masks), (12, 20))
    np.testing.assert_array_equal(merged, reference_merge(masks, (12, 20))[0])
    assert overlap == 1


def test_an_image_without_objects_is_all_background(tmp_path):
    found = decode(objects_of(tmp_path, []))
    assert found.facts.objects == 0
    assert found.facts.values == {0: 240}
    assert not found.instances.any()


def test_an_object_of_another_size_is_named(tmp_path):
    record = objects_of(tmp_path, [np.zeros((12, 20), np.uint8), np.zeros((20, 12), np.uint8)])
    with pytest.raises(DataError, match=r"001\.png is 20×12.*transposed"):
        decode(record)


def test_the_same_files_are_read_by_what_the_record_says(tmp_path):
    mask = np.zeros((12, 20), np.uint8)
    mask[2:5, 2:5] = 255
    record = objects_of(tmp_path, [mask])
    assert decode(record).facts.values == {0: 231, 1: 9}
    assert decode(replace(record, parts="whole")).facts.values == {0: 231, 255: 9}


def test_a_mask_in_colours_gives_indices_and_its_colours(tmp_path):
    image = write(tmp_path / "image.png", noise(2, 3, 3))
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 1] = colours[1, 2] = (255, 0, 0)
    colours[0, 2] = (0, 0, 255)
    found = decode(Record("x", (image,), (write(tmp_path / "mask.png", colours),)))
    assert found.facts.colours == (0x1000000, 0x10000FF, 0x1FF0000)
    assert found.facts.values == {0x1000000: 3, 0x10000FF: 1, 0x1FF0000: 2}
    assert found.labels.tolist() == [[0, 2, 1], [0, 0, 2]]


def test_a_palette_mask_gives_its_indices_and_what_they_look_like(tmp_path):
    image = write(tmp_path / "image.png", noise(2, 3, 3))
    picture = Image.fromarray(np.array([[0, 2, 2], [0, 0, 5]], np.uint8))
    picture.putpalette([value for n in range(6) for value in (n, 10 * n, 0)])
    picture.save(tmp_path / "mask.png")
    found = decode(Record("x", (image,), (tmp_path / "mask.png",)))
    assert found.facts.values == {0: 3, 2: 2, 5: 1}
    assert found.facts.palette == {0: 0, 2: 0x021400, 5: 0x053200}
    assert found.facts.colours is None


def test_files_of_one_class_each_give_class_ids_and_their_overlap(tmp_path):
    masks = np.zeros((2, 12, 20), np.uint8)
    masks[0, :4], masks[1, 2:8] = 255, 1
    record = replace(objects_of(tmp_path, masks), parts="classes", ids=(4, 2))
    found = decode(record)
    assert found.labels[[0, 2, 9], 0].tolist() == [4, 2, 0]
    assert found.instances is None
    assert found.facts.overlap == 2 * 20


def test_a_channel_for_each_class_gives_class_ids(tmp_path):
    image = write(tmp_path / "image.png", noise(2, 3, 3))
    ids = np.array([[0, 2, 1], [1, 1, 0]])
    mask = write(tmp_path / "mask.png", (np.eye(3)[ids] * 255).astype(np.uint8))
    found = decode(Record("x", (image,), (mask,), "one-hot"))
    assert found.labels.tolist() == ids.tolist()


def test_channels_in_files_of_their_own_are_joined_in_their_order(tmp_path):
    planes = [noise(4, 5, seed=seed) for seed in range(3)]
    paths = tuple(write(tmp_path / f"c{n}.png", plane) for n, plane in enumerate(planes))
    mask = write(tmp_path / "mask.png", np.zeros((4, 5), np.uint8))
    found = decode(Record("x", paths, (mask,)))
    np.testing.assert_array_equal(found.image, np.stack(planes, axis=2))


@pytest.mark.parametrize("other", [noise(4, 6), noise(4, 5, dtype=np.uint16), noise(4, 5, 3)])
def test_a_channel_that_does_not_fit_the_others_is_named(tmp_path, other):
    paths = write(tmp_path / "c0.png", noise(4, 5)), write(tmp_path / "c1.png", other)
    mask = write(tmp_path / "mask.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(DataError, match=r"c1\.png is .* cannot be a channel beside .*c0\.png"):
        decode(Record("x", paths, (mask,)))


def test_numbers_of_objects_are_the_instances(tmp_path):
    image = write(tmp_path / "image.png", noise(2, 3, 3))
    numbers = np.array([[0, 700, 700], [3, 3, 0]], np.uint16)
    found = decode(Record("x", (image,), (write(tmp_path / "mask.png", numbers),), "numbers"))
    assert found.instances.tolist() == numbers.tolist()
    assert found.labels.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert found.facts.objects == 2
    assert found.facts.values == {0: 2, 1: 4}


def test_a_colour_picture_holds_no_numbers_of_objects(tmp_path):
    image = write(tmp_path / "image.png", noise(2, 3, 3))
    mask = write(tmp_path / "mask.png", noise(2, 3, 3, seed=1))
    with pytest.raises(DataError, match="is a colour picture, not a number for each object"):
        decode(Record("x", (image,), (mask,), "numbers"))


def rows_of(folder, runs, image_size=(12, 20), said=None):
    image = write(folder / "image.png", noise(*image_size, 3))
    rows = RunLengths(folder / "runs.csv", tuple(range(3, 3 + len(runs))), tuple(runs), said)
    return Record("x", (image,), (), "run-lengths", run_lengths=rows)


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_run_lengths_are_merged_as_files_of_one_object_are(tmp_path, seed):
    rng = np.random.default_rng(seed)
    masks = [(rng.random((12, 20)) < 0.1).astype(np.uint8) for _ in range(5)]
    files = decode(objects_of(tmp_path / "files", masks))
    runs = [text for mask in masks for text in encode(mask)]
    found = decode(rows_of(tmp_path / "rows", runs, said=(12, 20)))
    np.testing.assert_array_equal(found.instances, files.instances)
    np.testing.assert_array_equal(found.labels, files.labels)
    assert found.facts == files.facts
    assert (found.instances.dtype, found.labels.dtype) == (np.int32, np.uint8)
    assert found.facts.overlap > 0


def test_an_image_with_an_empty_row_is_all_background(tmp_path):
    found = decode(rows_of(tmp_path, [""]))
    assert (found.facts.objects, found.facts.values) == (0, {0: 240})


def test_a_damaged_row_is_named_with_its_table_and_line(tmp_path):
    with pytest.raises(ImageError, match=r"runs\.csv, line 4 has 3 values"):
        decode(rows_of(tmp_path, ["1 3", "5 1 7"]))
    with pytest.raises(
        ImageError, match=r"runs\.csv, line 3: the run '239 3' ends outside .*12×20"
    ):
        decode(rows_of(tmp_path, ["239 3"]))


def test_an_image_of_another_size_than_its_table_says_is_named_with_both_sizes(tmp_path):
    with pytest.raises(
        DataError, match=r"line 3: .*12×21 pixels .*image\.png is 12×20\.$"
    ) as caught:
        decode(rows_of(tmp_path, ["1 3"], said=(12, 21)))
    assert not isinstance(caught.value, ImageError)
    with pytest.raises(DataError, match="It looks turned or transposed"):
        decode(rows_of(tmp_path, ["1 3"], said=(20, 12)))


def test_a_record_of_run_lengths_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="x has no run lengths"):
        decode(replace(rows_of(tmp_path, ["1 3"]), run_lengths=None))
