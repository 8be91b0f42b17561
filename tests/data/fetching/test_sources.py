"""The table of public data sets: what their folders must hold, and what is said about them."""

import re

import numpy as np
import pytest
from tests.published import CODES, PUBLISHED

from delineate.data.describing.description import parse_description
from delineate.data.fetching.sources import SOURCES, find_source
from delineate.errors import UsageError

WRONG = [
    ("dsb2018", "id1/images/id1.png", r"id1 has no images/id1\.png"),
    ("dsb2018", "id2/masks", "id2 has no masks/"),
    ("oxford-pet", "images", r"there is no images/\*\.jpg"),
    ("oxford-pet", "annotations", r"Bengal_1\.jpg has no annotations/trimaps/Bengal_1\.png"),
    ("oxford-pet", "annotations/trimaps/beagle_2.png", r"images/beagle_2\.jpg has no annotations/"),
    ("voc2012", "ImageSets", r"there is no ImageSets/Segmentation/train\.txt"),
    ("voc2012", "ImageSets/Segmentation/val.txt", r"there is no ImageSets/Segmentation/val\.txt"),
    (
        *("voc2012", "JPEGImages/2007_000033.jpg"),
        r"2007_000033 of val\.txt has no JPEGImages/2007_000033\.jpg",
    ),
    (
        *("voc2012", "SegmentationClass/2007_000032.png"),
        r"2007_000032 of train\.txt has no SegmentationClass/2007_000032\.png",
    ),
    ("camvid", "images", r"there is no images/\*\.png"),
    (
        *("camvid", "labels/0016E5_07959_P.png"),
        r"images/0016E5_07959\.png has no labels/0016E5_07959_P\.png",
    ),
    ("camvid", "codes.txt", r"there is no codes\.txt"),
    ("kvasir-seg", "images", r"there is no images/\*\.jpg"),
    ("kvasir-seg", "masks", r"images/cju0\.jpg has no masks/cju0\.jpg"),
]


@pytest.fixture
def made(tmp_path):
    """Makes a folder as a data set is published."""

    def make(name):
        for path, content in PUBLISHED[name].items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        return tmp_path

    return make


def described(name, folder):
    return parse_description(SOURCES[name].describe(folder))


# Folders


def test_every_data_set_has_a_right_and_a_wrong_folder_here():
    assert SOURCES.keys() == PUBLISHED.keys() == {name for name, *_ in WRONG}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_folder_as_published_has_no_fault_and_bears_its_sign(made, name):
    folder = made(name)
    assert SOURCES[name].fault(folder) is None
    assert any(folder.glob(SOURCES[name].sign))


@pytest.mark.parametrize(("name", "lost", "fault"), WRONG)
def test_a_folder_that_lacks_something_has_a_fault_that_names_it(made, name, lost, fault):
    folder = made(name)
    remove(folder / lost)
    assert re.search(fault, SOURCES[name].fault(folder))


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_empty_folder_has_a_fault(tmp_path, name):
    assert SOURCES[name].fault(tmp_path)


def test_lists_that_name_nothing_are_faults(made):
    folder = made("voc2012")
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    assert SOURCES["voc2012"].fault(folder) == "val.txt names no image"
    folder = made("camvid")
    (folder / "codes.txt").write_text("\n")
    assert SOURCES["camvid"].fault(folder) == "codes.txt names no class"


def test_a_code_that_camvid_does_not_have_is_a_fault(made):
    folder = made("camvid")
    (folder / "codes.txt").write_text("Sky\nDragon\n")
    assert "'Dragon', which is none of CamVid's classes" in SOURCES["camvid"].fault(folder)


def test_the_real_sample_of_voc_has_no_fault(real_data):
    assert SOURCES["voc2012"].fault(real_data / "voc2012_sample") is None


def remove(path):
    if path.is_dir():
        for inside in path.iterdir():
            remove(inside)
        path.rmdir()
    else:
        path.unlink()


# Descriptions


def test_the_trimaps_of_oxford_pet_are_told_apart(tmp_path):
    said = described("oxford-pet", tmp_path)
    assert said.names == ("background", "pet")
    classes = {value: said.class_id(target) for value, target in said.values.items()}
    assert classes == {1: 1, 2: 0}
    assert said.ignore == (3,)
    assert (said.images, said.masks) == ("images/*.jpg", "annotations/trimaps/{stem}.png")


def test_the_masks_of_kvasir_seg_are_cut_at_half(tmp_path):
    said = described("kvasir-seg", tmp_path)
    assert (said.names, said.encoding) == (("background", "polyp"), "binary")


def test_every_code_of_camvid_becomes_a_class_by_its_place_in_the_file(made):
    folder = made("camvid")
    codes = list(np.random.default_rng(0).permutation(CODES))
    (folder / "codes.txt").write_text("\n".join(codes))
    said = described("camvid", folder)
    joined = {codes[value]: target for value, target in said.values.items()}
    assert said.ignore == (codes.index("Void"),)
    assert joined.keys() == set(CODES) - {"Void"}
    assert set(joined.values()) == set(said.names)
    assert len(said.names) == len(said.colours) == 11
    assert [joined[code] for code in ("Truck_Bus", "Child", "Wall", "RoadShoulder")] == [
        *("car", "pedestrian", "building", "pavement")
    ]


def test_the_classes_of_camvid_are_in_the_order_of_its_eleven_class_edition(made):
    # As the README of the development data lists them for ids 0 to 10.
    names = described("camvid", made("camvid")).names
    assert names[:6] == ("sky", "building", "pole", "road", "pavement", "tree")
    assert names[6:] == ("sign symbol", "fence", "car", "pedestrian", "bicyclist")


@pytest.mark.parametrize(
    ("name", "drive"),
    [("0001TP_006690", "0001TP"), ("images/Seq05VD_f00000", "Seq05VD"), ("0006R0_f1", "0006R0")],
)
def test_the_frames_of_one_drive_through_cambridge_are_a_group(made, name, drive):
    assert described("camvid", made("camvid")).group_of(name) == drive


# The table


def test_an_unknown_name_is_a_usage_error_with_the_nearest():
    with pytest.raises(
        UsageError, match=r"no data set 'dsb2081'\. Did you mean 'dsb2018'\?"
    ) as caught:
        find_source("dsb2081")
    assert caught.value.hint == "Choose one of: camvid, dsb2018, kvasir-seg, oxford-pet, voc2012."
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_complete(name):
    source = find_source(name)
    assert source.name == name
    assert re.match("https?://", source.homepage)
    assert all([source.licence, source.layout, source.archives])
    filenames = [archive.filename for archive in source.archives]
    assert len(set(filenames)) == len(filenames)


@pytest.mark.parametrize(
    "archive",
    [archive for source in SOURCES.values() for archive in source.archives],
    ids=lambda archive: archive.filename,
)
def test_every_archive_has_secure_addresses_and_a_known_sum(archive):
    assert archive.urls
    assert all(url.startswith("https://") for url in archive.urls)
    assert all(url.endswith(f"/{archive.filename}") for url in archive.urls)
    assert all(re.fullmatch("sha256:[0-9a-f]{64}", key) for key in archive.checksums)
    assert all(archive.checksums.values())
    assert archive.checksums
