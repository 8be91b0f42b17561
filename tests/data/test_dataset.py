import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from delineate.data import dataset as module
from delineate.data.dataset import Dataset
from delineate.data.looks.look import look_at
from delineate.data.reading import decode
from delineate.data.records import Record
from delineate.errors import DataError, ImageError
from delineate.files import sha256

RNG = np.random.default_rng(0)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)
    return path


def fill(root, count=3, split="", values=(0, 1), channels=(3,)):
    """Write pairs of 8 × 10 pixels whose masks hold these values."""
    for number in range(count):
        image = RNG.integers(0, 255, (8, 10, *channels), np.uint8)
        write(root / split / "images" / f"{number}.png", image)
        mask = np.resize(np.array(values, np.uint8), (8, 10))
        write(root / split / "masks" / f"{number}.png", mask)
    return root


@pytest.fixture
def reads(monkeypatch):
    """The names of the records that were hashed, and of those that were decoded."""
    hashed, decoded = [], []
    content_hash = Record.content_hash

    def counting(one):
        decoded.append(one.name)
        return decode(one)

    monkeypatch.setattr(
        Record,
        "content_hash",
        lambda r, hash_of: (hashed.append(r.name), content_hash(r, hash_of))[1],
    )
    monkeypatch.setattr(module, "decode", counting)
    monkeypatch.setattr("delineate.data.cache.decode", counting)
    return hashed, decoded


def test_opening_reads_no_pixels(tmp_path, reads):
    dataset = Dataset.open(fill(tmp_path / "cells"))
    assert (dataset.name, len(dataset), list(dataset.splits)) == ("cells", 3, [])
    assert reads == ([], [])


def test_the_name_is_that_of_the_folder_however_it_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path / "cells"))
    assert Dataset.open(".").name == "cells"


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="there all names are text")
def test_a_folder_whose_name_is_no_text_is_read_and_cached(tmp_path, reads):
    folder = fill(tmp_path / os.fsdecode(b"caf\xe9"))
    for _ in range(2):
        dataset = Dataset.open(folder)
        assert [sample.image.shape for sample in dataset] == 3 * [(8, 10, 3)]
        dataset.cache.keep_hashes()
    assert [len(each) for each in reads] == [6, 3]


@pytest.mark.parametrize("cache", [True, False])
def test_samples_have_the_pixels_of_the_files(tmp_path, cache):
    dataset = Dataset.open(fill(tmp_path), cache=cache)
    for _ in range(2):
        for sample, record in zip(dataset, dataset.records, strict=True):
            assert sample.name == record.name
            np.testing.assert_array_equal(sample.image, np.asarray(Image.open(record.images[0])))
            np.testing.assert_array_equal(sample.mask, np.asarray(Image.open(record.masks[0])))


def test_a_file_is_hashed_once_and_decoded_once(tmp_path, reads):
    dataset = Dataset.open(fill(tmp_path))
    for _ in range(2):
        assert dataset.classes == ("background", "class 1")
        assert len(list(dataset)) == len(dataset.hashes) == len(dataset.read_all()) == 3
        dataset.look(0)
    part = dataset.subset([2, 0])
    assert part.hashes == (dataset.hashes[2], dataset.hashes[0])
    assert part.facts == (dataset.facts[2], dataset.facts[0])
    moved = dataset.with_splits({"0": "train"})
    assert moved.facts == dataset.facts
    assert len(list(moved.split("train"))) == 1
    assert sorted(reads[0]) == sorted(reads[1]) == ["0", "1", "2"]
    list(Dataset.open(tmp_path))
    assert len(reads[1]) == 3


def test_arrays_are_looked_through_once(reads):
    images, masks = np.zeros((2, 4, 5), np.uint8), np.ones((2, 4, 5), np.uint8)
    objects = np.arange(40, dtype=np.int32).reshape(2, 4, 5)
    dataset = Dataset.from_arrays(images, masks, instances=objects)
    first, again = dataset.decoded(1), dataset.decoded(1)
    assert again.facts == first.facts
    np.testing.assert_array_equal(again.image, first.image, strict=True)
    np.testing.assert_array_equal(again.labels, masks[1], strict=True)
    np.testing.assert_array_equal(again.instances, objects[1], strict=True)
    assert reads[1] == ["1"]


def test_without_a_cache_nothing_is_written_and_nothing_is_hashed(tmp_path, reads, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset = Dataset.open(fill(tmp_path / "data"), cache=False)
    assert len(list(dataset)) == 3
    assert dataset.look(0) == look_at(dataset.decoded(0))
    assert reads[0] == []
    assert not (tmp_path / "cache").exists()


def test_with_a_cache_it_lies_in_the_folder_of_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Dataset.open(fill(tmp_path / "data")).read_all()
    assert (tmp_path / "cache" / "delineate").is_dir()


def test_a_look_is_that_at_the_pixels(tmp_path):
    dataset = Dataset.open(fill(tmp_path))
    for _ in range(2):
        assert dataset.look(1) == look_at(dataset.decoded(1))
        assert dataset.look(1).facts == dataset.facts[1]


def test_progress_is_told_after_each_record(tmp_path):
    told = []
    Dataset.open(fill(tmp_path)).read_all(lambda done, count: told.append((done, count)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_record_that_cannot_be_read_does_not_harm_the_others(tmp_path):
    dataset = Dataset.open(fill(tmp_path))
    dataset.records[1].images[0].unlink()
    dataset.look(0)
    dataset.look(2)
    with pytest.raises(ImageError, match=r"1\.png cannot be read"):
        dataset.look(1)
    with pytest.raises(ImageError, match=r"1\.png cannot be read"):
        dataset.read_all()


def test_splits_are_those_of_the_folders_in_the_usual_order(tmp_path):
    for split in ("test", "val", "train"):
        fill(tmp_path, 2, split)
    dataset = Dataset.open(tmp_path)
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert [record.name for record in dataset.split("test").records] == ["test/0", "test/1"]


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(DataError, match="no split 'test'") as caught:
        Dataset.open(fill(tmp_path / "a", split="train")).split("test")
    assert caught.value.hint == "It has: train."
    with pytest.raises(DataError) as caught:
        Dataset.open(fill(tmp_path / "b")).split("test")
    assert "train makes them from a seed" in caught.value.hint


@pytest.mark.parametrize("first", ["whole", "part"])
def test_a_part_has_the_classes_of_the_whole_whichever_is_asked_first(tmp_path, first):
    fill(tmp_path, 1, "train", values=(0, 1, 2))
    fill(tmp_path, 1, "test", values=(0, 255))
    dataset = Dataset.open(tmp_path)
    if first == "whole":
        assert len(dataset.classes) == 3
    part = dataset.split("test").subset([0])
    assert part.classes == ("background", "class 1", "class 2")
    assert set(np.unique(part[0].mask)) == {0, 255}  # alone, it would be foreground
    assert dataset.classes == part.classes


def test_each_class_has_a_colour_of_its_own(tmp_path):
    dataset = Dataset.open(fill(tmp_path, values=range(5)))
    assert len(set(dataset.colours)) == len(dataset.classes) == 5


def test_grey_beside_colour_is_allowed_and_other_channels_are_not():
    def of(*channels):
        images = [np.zeros((4, 4, count), np.uint8) for count in channels]
        return Dataset.from_arrays(images, np.zeros((len(images), 4, 4), np.uint8))

    assert of(1, 1).channels == 1
    assert of(1, 3).channels == 3
    with pytest.raises(DataError, match=r"have \[3, 4\] channels"):
        _ = of(3, 4).channels


def test_images_of_one_depth_have_it_and_mixed_ones_are_refused():
    def of(*types):
        images = [np.zeros((4, 4, 1), kind) for kind in types]
        return Dataset.from_arrays(images, np.zeros((len(images), 4, 4), np.uint8))

    assert of("uint8", "uint8").dtype == np.uint8
    assert of("uint16").dtype == np.uint16
    with pytest.raises(DataError, match="partly 8-bit and partly 16-bit"):
        _ = of("uint8", "uint16").dtype


def test_a_data_set_can_be_sent_to_another_process(tmp_path):
    dataset = Dataset.open(fill(tmp_path, split="train"))
    part = pickle.loads(pickle.dumps(dataset.split("train")))  # noqa: S301
    assert part == dataset.split("train")
    np.testing.assert_array_equal(part[0].image, dataset[0].image)


def test_many_threads_read_the_same_pixels(tmp_path):
    dataset = Dataset.open(fill(tmp_path))
    expected = [sample.image.copy() for sample in dataset]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: (n % 3, dataset[n % 3].image), range(60)))
    for number, image in found:
        np.testing.assert_array_equal(image, expected[number])


def test_what_is_known_of_a_part_belongs_to_its_records():
    sizes = [(4, 5), (6, 7), (8, 9)]
    images = [np.zeros((*size, 1), np.uint8) for size in sizes]
    dataset = Dataset.from_arrays(images, [np.zeros(size, np.uint8) for size in sizes])
    assert len(dataset.facts) == len(dataset.hashes) == 3
    part = dataset.subset([2, 0])
    assert [facts.size for facts in part.facts] == [(8, 9), (4, 5)]
    assert part.hashes == tuple(record.content_hash(sha256) for record in part.records)


def say(root, text):
    (root / "dataset.toml").write_text(text, encoding="utf-8")
    return root


def test_what_the_file_beside_the_data_says_is_honoured_everywhere(tmp_path):
    root = fill(tmp_path, values=(0, 1, 2, 7, 9))
    dataset = Dataset.open(
        say(
            root,
            """
            [classes]
            names = ["ground", "car"]
            colours = ["#101010", "#ff0000"]
            [masks]
            values = { 1 = "car", 2 = 1, 7 = "ground" }
            ignore = [9]
            [groups]
            pattern = "([0-9])"
            [pixels]
            size = [0.5, 0.25]
            """,
        )
    )
    assert dataset.classes == ("ground", "car")
    assert dataset.colours == ((16, 16, 16), (255, 0, 0))
    assert np.unique(dataset[0].mask).tolist() == [0, 1, 255]
    assert dataset[0].mask[0, :5].tolist() == [0, 1, 1, 0, 255]
    assert [record.group for record in dataset.records] == ["0", "1", "2"]
    assert (dataset.description.pixel_size, dataset.description.unit) == ((0.5, 0.25), "µm")
    assert dataset.subset([1]).classes == dataset.classes


def test_channels_in_files_of_their_own_are_one_image(tmp_path):
    rng = np.random.default_rng(1)
    planes = {end: rng.integers(0, 255, (8, 10), np.uint8) for end in ("_a", "_b")}
    for end, plane in planes.items():
        write(tmp_path / "images" / f"x{end}.png", plane)
    write(tmp_path / "masks" / "x.png", np.zeros((8, 10), np.uint8))
    dataset = Dataset.open(say(tmp_path, '[pairing]\nchannels = ["_b", "_a"]'))
    expected = np.dstack([planes["_b"], planes["_a"]])
    np.testing.assert_array_equal(dataset[0].image, expected)
    assert dataset.channels == 2


def test_one_hot_masks_are_read_as_it_is_said(tmp_path):
    labels = np.resize(np.array([0, 1, 2], np.uint8), (8, 10))
    fill(tmp_path, 1)
    write(tmp_path / "masks" / "0.png", 255 * np.eye(3, dtype=np.uint8)[labels])
    dataset = Dataset.open(say(tmp_path, '[masks]\nencoding = "one-hot"'))
    np.testing.assert_array_equal(dataset[0].mask, labels)


def test_a_wrong_file_beside_the_data_is_refused_when_it_is_opened(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.toml: unknown key 'clases'"):
        Dataset.open(say(fill(tmp_path), "clases = 3"))


def test_a_part_has_no_notes_of_the_whole(tmp_path):
    fill(tmp_path, 2, "train")
    write(tmp_path / "test" / "images" / "x.png", np.zeros((8, 10), np.uint8))
    dataset = Dataset.open(tmp_path)
    assert len(dataset.notes) == 1
    assert dataset.split("train").notes == ()
