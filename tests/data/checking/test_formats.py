import pytest
from PIL import Image

from delineate.data.checking import formats
from delineate.data.checking.formats import file_formats


@pytest.mark.parametrize(
    ("mode", "suffix", "told"),
    [
        ("RGB", "png", "PNG, RGB"),
        ("RGBA", "png", "PNG, RGB and alpha"),
        ("P", "png", "PNG, palette"),
        ("1", "png", "PNG, one bit"),
        ("L", "jpg", "JPEG, grey"),
        ("CMYK", "jpg", "JPEG, CMYK"),
        ("F", "tif", "TIFF, floating point"),
    ],
)
def test_format_and_channels_are_named(tmp_path, mode, suffix, told):
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (4, 3)).save(path)
    assert file_formats([path]) == {told: 1}


def test_what_pillow_does_not_know_is_named_by_its_suffix_and_nothing_is_raised(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [tmp_path / "broken.png", tmp_path / "missing"]
    assert file_formats(paths) == {"PNG": 1, "no suffix": 1}


def test_of_many_files_evenly_spread_ones_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "MOST", 4)
    Image.new("L", (4, 3)).save(tmp_path / "a.png")
    assert file_formats([tmp_path / "a.png"] * 10) == {"PNG, grey": 4}
