"""How large a pixel is, by what programs write into TIFF files."""

import time

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.data.proposing.pixel_size import PixelSize, read_pixel_size
from delineate.imaging import read_image

PICTURE = np.zeros((4, 6), np.uint8)
FINE = {"resolution": (40_000, 20_000), "resolutionunit": "CENTIMETER"}


def ome(**said):
    sizes = " ".join(f'PhysicalSize{name}="{value}"' for name, value in said.items())
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" SizeX="6" SizeY="4" {sizes}>'
        "<TiffData/></Pixels></Image></OME>"
    )


def size_of(folder, *, name="a.tif", **options):
    tifffile.imwrite(folder / name, PICTURE, metadata=None, **options)
    return read_pixel_size(folder / name)


def test_a_resolution_in_centimetres_is_that_of_the_pixels(tmp_path):
    assert size_of(tmp_path, **FINE) == PixelSize(0.5, 0.25)


@pytest.mark.parametrize(("dpi", "fine"), [(72, False), (300, False), (1200, False), (2400, True)])
def test_a_resolution_of_print_is_none_whatever_its_unit(tmp_path, dpi, fine):
    path = tmp_path / "print.tif"
    Image.fromarray(PICTURE).save(path, dpi=(dpi, dpi))
    assert read_pixel_size(path) is None
    per_centimetre = dpi / 2.54
    options = {"x_resolution": per_centimetre, "y_resolution": per_centimetre}
    Image.fromarray(PICTURE).save(path, resolution_unit=3, **options)
    assert (read_pixel_size(path) is not None) == fine


def test_imagej_names_its_unit_and_its_pixels_may_be_large(tmp_path):
    path = tmp_path / "a.tif"
    options = {"imagej": True, "resolution": (0.02, 0.01)}
    tifffile.imwrite(path, PICTURE, metadata={"unit": "micron"}, **options)
    assert read_pixel_size(path) == PixelSize(100, 50)
    tifffile.imwrite(path, PICTURE, metadata={"unit": "pixel"}, **options)
    assert read_pixel_size(path) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"X": 0.25, "Y": 0.5}, PixelSize(0.5, 0.25)),
        ({"X": 250, "XUnit": "nm", "Y": 0.0005, "YUnit": "mm"}, PixelSize(0.5, 0.25)),
        ({"X": 30, "XUnit": "µm", "Y": 30, "YUnit": "&#181;m"}, PixelSize(30, 30)),
        ({"X": 1, "XUnit": "pixel", "Y": 1, "YUnit": "pixel"}, None),
        ({"X": 0.25}, None),
        ({"X": 0, "Y": 0.5}, None),
        ({"X": "inf", "Y": 0.5}, None),
        ({"X": "wide", "Y": 0.5}, None),
        ({}, None),
    ],
)
def test_the_metadata_of_ome_say_both_sides_and_their_units(tmp_path, said, expected):
    assert size_of(tmp_path, name="a.ome.tif", description=ome(**said).encode()) == expected


def test_the_metadata_of_ome_count_before_the_resolution(tmp_path):
    said = ome(X=2, Y=3).encode()
    assert size_of(tmp_path, description=said, **FINE) == PixelSize(3, 2)
    # Where they say nothing, the resolution does.
    assert size_of(tmp_path, description=ome().encode(), **FINE) == PixelSize(0.5, 0.25)


def test_what_tifffile_writes_as_ome_is_read(tmp_path):
    path = tmp_path / "a.ome.tif"
    said = {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}
    planes = np.zeros((5, *PICTURE.shape), np.uint16)
    tifffile.imwrite(path, planes, metadata={"axes": "CYX", **said})
    assert read_pixel_size(path) == PixelSize(0.5, 0.25)


def test_entities_in_the_metadata_are_not_expanded(tmp_path):
    bomb = '<!DOCTYPE OME [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;">]>'
    said = f"{bomb}{ome(X='&b;', Y=0.5)}".encode()
    assert size_of(tmp_path, description=said) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_height_and_width_are_those_of_the_upright_picture(tmp_path, orientation):
    turned = [(274, "H", 1, orientation, True)]
    expected = PixelSize(0.25, 0.5) if orientation >= 5 else PixelSize(0.5, 0.25)
    assert size_of(tmp_path, extratags=turned, **FINE) == expected


@pytest.mark.parametrize("content", [b"", b"no picture", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_and_other_files_say_nothing(tmp_path, content):
    for name in ("a.tif", "a.png"):
        (tmp_path / name).write_bytes(content)
        assert read_pixel_size(tmp_path / name) is None


@pytest.mark.parametrize(
    ("start", "token", "end"),
    [
        ("", "ImageJ=", ""),
        ("", "ImageJ=", "OME>"),
        ("ImageJ=", "unit=", ""),
        ("ImageJ=", "unit=micron_", ""),
        ("", "<Pixels ", "OME>"),
        ("", "<x:", "Pixels OME>"),
        ("<Pixels ", 'PhysicalSizeX="', "OME>"),
        ("<Pixels ", "PhysicalSizeX ", "OME>"),
        ('<Pixels PhysicalSizeY="1" PhysicalSizeX="', "1", '" OME>'),
        ("<Pixels PhysicalSizeX", " ", "OME>"),
        ("", "<TiffData ", "OME>"),
        ("ImageJ=1\n", "channels=1\n", "x"),
        ("ImageJ=1\nchannels=1", "\n", "x"),
    ],
)
def test_a_long_description_takes_no_long_time(tmp_path, start, token, end):
    said = start + token * (300_000 // len(token)) + end
    begun = time.process_time()
    assert size_of(tmp_path, description=said.encode()) is None
    assert read_image(tmp_path / "a.tif").shape == (4, 6, 1)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("said", "is_imagej"),
    [
        ("ImageJ=1.53\nunit=um\n", True),
        ("ImageJ=unit=um", True),
        ("ImageJ=\nImageJ=\nunit=micron", True),
        ("unit=um\nImageJ=1.53", False),
        ("ImageJ=\nmyunit=um", False),
        ("ImageJ=\nunit=umbra\nunit=um", True),
        ("ImageJ=\nunit=umbra", False),
        ("unit=um", False),
    ],
)
def test_the_unit_of_imagej_stands_behind_its_name(tmp_path, said, is_imagej):
    found = size_of(tmp_path, description=said, resolution=(0.02, 0.01))
    assert found == (PixelSize(100, 50) if is_imagej else None)
