"""Splits, sampling and augmentation, and that their reasons are true."""

import pytest

from delineate.planning.data_choices import data_choices, split_choices
from tests.planning.conftest import fingerprint

LARGE = {"height": 2048, "width": 2048, "smallest": (1024, 1024), "largest": (4096, 4096)}


def test_pictures_that_may_lie_any_way_are_turned():
    chosen = data_choices(fingerprint(upright=0.02), {})
    assert chosen["augment.flip"].value is True
    assert chosen["augment.quarter_turns"].value is True


@pytest.mark.parametrize(
    ("upright", "words"), [(0.6, "they stand upright"), (None, "is not known")]
)
def test_pictures_that_stand_or_may_stand_upright_are_mirrored_only(upright, words):
    chosen = data_choices(fingerprint(upright=upright), {})
    assert chosen["augment.flip"].value == "left_right"
    assert chosen["augment.quarter_turns"].value is False
    assert words in chosen["augment.flip"].reason


def test_windows_of_large_images_are_laid_around_what_they_might_miss():
    chosen = data_choices(fingerprint(**LARGE), {})["data.oversample"]
    assert chosen.value == 0.33
    assert "room for 256 windows" in chosen.reason
    assert "'nucleus', 30.0%" in chosen.reason
    assert "empty" not in chosen.reason, "nobody has looked"


def test_room_is_that_for_windows_of_the_size_that_is_said():
    said = {"data.size": (2048, 2048)}
    assert data_choices(fingerprint(**LARGE), said)["data.oversample"].reason.startswith(
        "the largest image has room for 4 windows"
    )
    assert (
        data_choices(fingerprint(**LARGE), {"data.size": (4096, 4096)})["data.oversample"].value
        == 0
    )


def test_whole_images_are_neither_cropped_nor_sampled():
    chosen = data_choices(fingerprint(**LARGE), {"data.fit": "resize"})
    assert chosen["data.crops_per_image"].value == 1
    assert chosen["data.oversample"].value == 0


def test_splits_that_the_data_brings_are_told():
    made, own = split_choices(50, []), split_choices(50, ["train", "validation", "test"])
    assert made["data.validation"].value == 0.2
    assert "of no effect" not in made["data.validation"].reason + made["data.test"].reason
    assert "of no effect" in own["data.validation"].reason
    assert "of no effect" in own["data.test"].reason
    assert "of no effect" not in split_choices(50, ["train", "test"])["data.validation"].reason


def test_what_stands_upright_keeps_its_colours_and_is_never_turned_from_dark_to_bright():
    kinds = (("dark, grey", 280), ("bright, purple", 20))
    keys = ("augment.grey", "augment.invert")
    lying = data_choices(fingerprint(kinds=kinds), {})
    assert [lying[key].value for key in keys] == [0.2, 0.2]
    unknown = data_choices(fingerprint(kinds=kinds, upright=None), {})
    assert [unknown[key].value for key in keys] == [0.2, 0.2]
    standing = data_choices(fingerprint(kinds=kinds, upright=0.98), {})
    one = data_choices(fingerprint(), {})
    share = "augment.light_probability"
    assert [each[share].value for each in (lying, standing, one)] == [0.5, 1, 1]
    for key in ("brightness", "contrast", "gamma", "hue"):
        light = f"augment.{key}"
        assert standing[light].value == one[light].value < lying[light].value
    assert [standing[key].value for key in keys] == [0.0, 0.0]
    assert "upright" in standing["augment.invert"].reason


def test_pictures_without_colours_may_still_be_turned_from_dark_to_bright():
    kinds = (("dark, grey", 280), ("bright, grey", 20))
    chosen = data_choices(fingerprint(kinds=kinds, channels=1), {})
    assert [chosen[f"augment.{key}"].value for key in ("hue", "grey", "invert")] == [0, 0, 0.2]


@pytest.mark.parametrize(
    ("training", "windows"), [(1, 256), (100, 3), (255, 2), (256, 1), (900, 1)]
)
def test_an_epoch_has_enough_windows_of_few_images(training, windows):
    chosen = data_choices(fingerprint(training=training), {})["data.crops_per_image"]
    assert chosen.value == windows
    assert f"{training} images" in chosen.reason


@pytest.mark.parametrize(
    ("changes", "chosen", "words"),
    [
        ({}, "none", "uses 90% of the range of uint8, and bright images are 1.2 times"),
        ({"dtype": "uint16"}, "percentile", "of the range of uint16"),
        ({"used_range": 0.2}, "percentile", "uses 20% of the range"),
        ({"exposure": 2.1}, "percentile", "2.1 times as bright as dim ones"),
    ],
    ids=str,
)
def test_images_are_stretched_where_light_or_range_differ(changes, chosen, words):
    found = data_choices(fingerprint(**changes), {})["data.normalise"]
    assert found.value == chosen
    assert words in found.reason


@pytest.mark.parametrize(("share", "looked_for"), [(0.002, 0.33), (0.0, 0.0), (0.05, 0.0)])
def test_a_rare_class_is_looked_for_unless_there_is_none_of_it(share, looked_for):
    classes = ("background", "nucleus", "mitosis")
    found = fingerprint(classes=classes, shares=(0.7, 0.3 - share, share))
    chosen = data_choices(found, {})["data.oversample"]
    assert chosen.value == looked_for
    assert ("'mitosis' has 0.20% of the pixels" in chosen.reason) == (share == 0.002)
