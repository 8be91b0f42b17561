import io
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from delineate.data.looks.fingerprints import fingerprint
from delineate.data.splitting import kinds as module
from delineate.data.splitting.kinds import describe_kind, find_strangers, kinds
from delineate.data.splitting.similarity import near_duplicates
from delineate.errors import DataError


def cells(seed, *, count=60, radius=(8, 14), ground=12, peak=180, noise=2.0, side=256):
    """A dark picture with ``count`` bright ellipses."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side), float(ground))
    for _ in range(count):
        centre = tuple(int(v) for v in rng.integers(0, side, 2))
        axes = tuple(int(v) for v in rng.integers(*radius, 2, endpoint=True))
        level = float(rng.uniform(0.5, 1) * peak)
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, level, -1)
    image = cv2.GaussianBlur(image, (0, 0), 1.0) + rng.normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)[..., np.newaxis].repeat(3, axis=2)


def stained(seed, ground, ink, radius=(8, 14)):
    """A picture with ellipses of colour ``ink`` on a background of colour ``ground``."""
    weight = cells(seed, radius=radius, ground=0, peak=255).astype(float) / 255
    return (np.array(ground) * (1 - weight) + np.array(ink) * weight).astype(np.uint8)


def prints(images):
    return [fingerprint(image) for image in images]


STACK = ("20b20ab049372d", "cb4df20a83b2f3")  # two slices of one stack
MICROSCOPE = [
    "bright background, grey",
    "bright background, purple",
    "bright purple background, purple",
    "dark background, grey",
    "dark background, grey",
]

KINDS = {
    "small bright on dark": lambda i: cells(i, radius=(5, 7)),
    "large bright on dark": lambda i: cells(i, count=12, radius=(25, 32)),
    "purple on white": lambda i: stained(i, (240, 235, 240), (110, 30, 150)),
    "green on dark": lambda i: stained(i, (5, 8, 5), (30, 200, 40)),
    "grey on bright": lambda i: 255 - cells(i),
}


def test_no_pictures_and_one_picture_have_at_most_one_kind():
    assert kinds([]) == []
    assert kinds(prints([cells(0)])) == [0]


def test_kinds_are_told_apart_and_the_most_frequent_is_0():
    names, images = [], []
    for number, (name, make) in enumerate(KINDS.items()):
        for i in range(8 - number):
            names.append(name)
            images.append(make(i))
    wanted = [list(KINDS).index(name) for name in names]
    fingerprints = prints(images)
    assert kinds(fingerprints) == wanted
    order = np.random.default_rng(1).permutation(len(images))
    assert kinds([fingerprints[i] for i in order]) == [wanted[i] for i in order]


def test_kinds_beyond_the_clustered_subset_join_their_nearest(monkeypatch):
    monkeypatch.setattr(module, "_SUBSET", 12)
    images = [cells(i) for i in range(20)] + [255 - cells(i) for i in range(10)]
    assert kinds(prints(images)) == [0] * 20 + [1] * 10


def test_brightness_of_the_objects_alone_makes_no_kind():
    images = [cells(i, peak=peak) for i in range(5) for peak in (40, 90, 250)]
    assert set(kinds(prints(images))) == {0}


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("small bright on dark", "dark background, grey objects of about "),
        ("purple on white", "bright background, purple objects of about "),
        ("green on dark", "dark background, green objects of about "),
        ("grey on bright", "bright background, grey objects of about "),
    ],
)
def test_a_kind_is_described_by_background_colour_and_size(name, phrase):
    fingerprints = prints([KINDS[name](i) for i in range(3)])
    assert describe_kind(fingerprints, [0, 1, 2]).startswith(phrase)


def test_a_coloured_background_is_named():
    lilac = prints([stained(0, (215, 195, 245), (90, 20, 190))])
    assert describe_kind(lilac, [0]).startswith("bright purple background, purple objects")


def test_the_described_width_is_near_the_mean_chord_of_discs():
    image = np.zeros((400, 400, 1), np.uint8)
    for row in range(50, 400, 100):
        for column in range(50, 400, 100):
            cv2.circle(image, (column, row), 20, 200, -1)
    pixels = int(describe_kind(prints([image]), [0]).split()[-2])
    assert pixels == pytest.approx(np.pi * 20 / 2, rel=0.15)


def test_a_kind_without_members_is_refused():
    with pytest.raises(DataError, match="without members") as caught:
        describe_kind(prints([cells(0)]), [])
    assert caught.value.hint


def test_microscope_pictures_fall_into_their_five_kinds_and_hold_one_near_duplicate_pair(real_data):
    with zipfile.ZipFile(real_data / "stage1_train.zip") as archive:
        names = sorted(n for n in archive.namelist() if "/images/" in n and n.endswith(".png"))
        chosen = [*names[::8], *(n for n in names if n.startswith(STACK))]
        images = [Image.open(io.BytesIO(archive.read(n))).convert("RGB") for n in chosen]
    fingerprints = prints([np.asarray(image) for image in images])
    assert near_duplicates(fingerprints) == [[len(chosen) - 2, len(chosen) - 1]]
    labels = kinds(fingerprints)
    members = [[i for i, label in enumerate(labels) if label == kind] for kind in range(5)]
    phrases = [describe_kind(fingerprints, those).split(" objects")[0] for those in members]
    assert sorted(phrases) == MICROSCOPE
    # All pictures of this size are large nuclei in fluorescence.
    assert {labels[i] for i, image in enumerate(images) if image.size == (360, 360)} == {1}
    assert max(map(len, members[2:])) < len(members[1]) < len(members[0])


def strange(count, strangers=()):
    """Dark pictures, and pink ones at the places of the strangers."""
    pink = {"ground": (240, 150, 210), "ink": (60, 20, 120)}
    return prints([stained(n, **pink) if n in strangers else cells(n) for n in range(count)])


@pytest.mark.parametrize(
    ("count", "strangers"), [(10, (3,)), (12, (0, 11)), (40, (7, 20)), (10, ())]
)
def test_one_or_two_pictures_unlike_all_others_are_strangers(count, strangers):
    assert sorted(find_strangers(strange(count, strangers))) == list(strangers)


@pytest.mark.parametrize(("count", "strangers"), [(12, (1, 2, 3)), (9, (3,)), (0, ()), (1, ())])
def test_three_pictures_are_a_kind_and_of_nine_none_is_a_stranger(count, strangers):
    assert find_strangers(strange(count, strangers)) == []


def test_of_hundreds_one_in_a_hundred_may_be_strange():
    usual, odd = prints([cells(0)])[0], prints([stained(1, (240, 150, 210), (60, 20, 120))])[0]
    assert sorted(find_strangers([odd] * 3 + [usual] * 297)) == [0, 1, 2]
    assert find_strangers([odd] * 3 + [usual] * 296) == []
