import numpy as np
import pytest
from PIL import Image

from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.looks.fingerprints import fingerprint
from delineate.data.looks.look import look_at
from delineate.data.splitting.kinds import kinds
from delineate.errors import ImageError
from delineate.recipe import Recipe


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
    dataset.records[4].images[0].unlink()
    for _ in range(2):
        found = inspect(dataset)
        assert found.dataset is dataset
        assert [record.name for record in found.readable.records] == ["0", "2", "5"]
        assert [record.name for record, _ in found.failures] == ["1", "3", "4"]
        assert [isinstance(error, ImageError) for _, error in found.failures] == [True, False, True]
        assert [fault.record.name for fault in found.faults_of("unreadable")] == ["1", "4"]
        assert [fault.record.name for fault in found.faults_of("size", "turned")] == ["3"]
        assert len(found.faults) == 3


def test_the_errors_of_broken_records_keep_no_pixels(folder):
    for _, error in inspect(Dataset.open(folder)).failures:
        assert error.__traceback__ is error.__cause__ is error.__context__ is None


def test_what_is_readable_has_classes_although_the_rest_has_none(folder):
    found = inspect(Dataset.open(folder))
    assert found.readable.classes == ("background", "class 1")
    assert len(list(found.readable)) == 4


@pytest.mark.parametrize("cache", [True, False])
def test_there_is_a_look_at_each_readable_record(folder, cache):
    dataset = Dataset.open(folder, cache=cache)
    for _ in range(2):
        found = inspect(dataset)
        names = range(len(found.readable))
        assert list(found.looks) == [look_at(found.readable.decoded(n)) for n in names]


def test_there_is_a_fingerprint_and_a_kind_for_each_readable_record(folder):
    found = inspect(Dataset.open(folder))
    assert list(found.fingerprints) == [fingerprint(sample.image) for sample in found.readable]
    assert found.kinds == kinds(found.fingerprints)


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


def test_the_recipe_is_what_the_caller_named(folder):
    recipe = Recipe()
    assert inspect(Dataset.open(folder)).recipe is None
    assert inspect(Dataset.open(folder), recipe=recipe).recipe is recipe
