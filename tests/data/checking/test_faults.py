import numpy as np
import pytest
from PIL import Image

from delineate.data.checking.faults import find_fault
from delineate.data.reading import decode
from delineate.data.records import Record
from delineate.errors import BlendedError, DataError, ImageError

SIZE = (12, 16)


def save(path, array, orientation=None):
    how = {}
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        how = {"exif": exif}
    Image.fromarray(np.asarray(array)).save(path, **how)
    return path


def fault(record):
    with pytest.raises(DataError) as raised:
        decode(record)
    return find_fault(record, raised.value)


@pytest.fixture
def record(tmp_path):
    image = save(tmp_path / "image.png", np.arange(192, dtype=np.uint8).reshape(SIZE))
    return Record("one", (image,), (tmp_path / "mask.png",))


@pytest.mark.parametrize(
    ("size", "orientation", "kind"),
    [
        ((12, 15), None, "size"),
        ((6, 8), None, "size"),
        ((16, 12), None, "turned"),
        ((16, 12), 3, "turned"),
        ((12, 16), 6, "exif"),
        ((12, 16), 8, "exif"),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_mask_of_another_size_is_told_from_a_turned_one(record, size, orientation, kind, suffix):
    path = record.masks[0].with_suffix(f".{suffix}")
    array = np.zeros(size, np.uint8)
    if suffix == "webp":
        array = np.repeat(array[..., None], 3, axis=2)
    save(path, array, orientation)
    found = fault(Record("one", record.images, (path,)))
    assert (found.kind, found.mask, found.record.name) == (kind, path, "one")


def test_of_many_masks_the_one_that_does_not_fit_is_named(record, tmp_path):
    good = save(tmp_path / "a.png", np.zeros(SIZE, np.uint8))
    bad = save(tmp_path / "b.png", np.zeros(SIZE[::-1], np.uint8))
    found = fault(Record("one", record.images, (good, bad), "objects"))
    assert (found.kind, found.mask) == ("turned", bad)


@pytest.mark.parametrize("broken", ["image", "mask"])
def test_a_broken_file_is_unreadable(record, broken):
    save(record.masks[0], np.zeros(SIZE, np.uint8))
    path = record.images[0] if broken == "image" else record.masks[0]
    path.write_bytes(b"no picture")
    found = fault(record)
    assert found.kind == "unreadable"
    assert isinstance(found.error, ImageError)


def test_files_that_have_gone_meanwhile_are_no_new_error(record):
    save(record.masks[0], np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError) as raised:
        decode(record)
    record.masks[0].unlink()
    assert find_fault(record, raised.value).kind == "size"


def test_channels_are_looked_at_before_the_mask(record, tmp_path):
    save(record.masks[0], np.zeros(SIZE, np.uint8))
    other = save(tmp_path / "other.png", np.zeros((12, 15), np.uint8))
    assert fault(Record("one", (record.images[0], other), record.masks)).kind == "channels"
    gone = tmp_path / "gone.png"
    assert fault(Record("one", (record.images[0], gone), record.masks)).kind == "channels"
    save(record.masks[0], np.zeros((5, 5), np.uint8))
    twice = (record.images[0], record.images[0])
    assert fault(Record("one", twice, record.masks)).kind == "size"


@pytest.mark.parametrize(("noise", "kind"), [(0, "copied"), (4, "copied"), (90, "blended")])
def test_a_mask_of_too_many_colours_is_blended_unless_it_is_the_image(tmp_path, noise, kind):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 160, (90, 90, 3), np.uint8)
    image = save(tmp_path / "image.png", picture)
    mask = save(
        tmp_path / "mask.png", picture + rng.integers(0, noise + 1, picture.shape, np.uint8)
    )
    record = Record("one", (image,), (mask,))
    found = find_fault(record, BlendedError("too many colours", hint="Save it as PNG."))
    assert found.kind == kind
