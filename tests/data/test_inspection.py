import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.data.fingerprints import fingerprint
from delineate.data.inspection import inspect
from delineate.errors import ImageError


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Six pairs: 1 is cut short, 3 has a mask of another size, 4 has gone once it was listed."""
    rng = np.random.default_rng(0)
    for number in range(6):
        write(tmp_path / "images" / f"{number}.png", rng.integers(0, 255, (16, 20, 3), np.uint8))
        write(tmp_path / "masks" / f"{number}.png", rng.integers(0, 2, (16, 20), np.uint8))
    path = tmp_path / "images" / "1.png"
    path.write_bytes(path.read_bytes()[:300])
    write(tmp_path / "masks" / "3.png", np.zeros((8, 20), np.uint8))
    return tmp_path


@pytest.mark.parametrize("cache", [True, False])
def test_broken_records_are_set_apart_and_the_others_are_read(folder, cache):
    dataset = Dataset.open(folder, cache=cache)
    dataset.records[4].image.unlink()
    for _ in range(2):
        found = inspect(dataset)
        assert found.dataset is dataset
        assert [record.name for record in found.readable.records] == ["0", "2", "5"]
        assert [record.name for record, _ in found.unreadable] == ["1", "4"]
        assert [record.name for record, _ in found.misfits] == ["3"]
        assert all(isinstance(error, ImageError) for _, error in found.unreadable)
        assert len(found.failures) == 3


def test_what_is_readable_has_classes_although_the_rest_has_none(folder):
    found = inspect(Dataset.open(folder))
    assert found.readable.classes == ("background", "class 1")
    assert len(list(found.readable)) == 4


def test_there_is_a_fingerprint_for_each_readable_record(folder):
    found = inspect(Dataset.open(folder))
    assert list(found.fingerprints) == [fingerprint(sample.image) for sample in found.readable]


def test_nothing_is_read_again_for_what_is_readable(folder, monkeypatch):
    found = inspect(Dataset.open(folder))
    monkeypatch.setattr(Dataset, "decoded", None)
    assert len(found.readable.facts) == 4
    assert found.readable.classes


def test_progress_is_told_after_each_record_broken_or_not(folder):
    told = []
    inspect(Dataset.open(folder), lambda done, count: told.append((done, count)))
    assert told == [(done, 6) for done in range(1, 7)]


def test_near_duplicates_are_indices_of_readable_records(folder):
    for name in ("2", "5"):
        write(
            folder / "images" / f"{name}.png",
            np.random.default_rng(9).integers(0, 255, (16, 20, 3), np.uint8),
        )
    found = inspect(Dataset.open(folder))
    assert [record.name for record in found.readable.records] == ["0", "2", "4", "5"]
    assert found.duplicates == [[1, 3]]
