import time
from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest

from delineate.data.looks.fingerprints import _signs, fingerprint
from delineate.data.splitting import similarity
from delineate.data.splitting.similarity import near_duplicates
from delineate.imaging import reorient


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


def jpeg(image, quality=30):
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)


def noisy(image):
    noise = np.random.default_rng(7).normal(0, 10, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def cut(image):
    return image[: round(0.97 * image.shape[0]), round(0.03 * image.shape[1]) :]


def shifted(image):
    return image[: -image.shape[0] // 25]


def darker(image):
    return (255 * (image / 255.0) ** 2).astype(np.uint8)


def half(image):
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_LINEAR)


def sixteen_bits(image):
    return image.astype(np.uint16) * 16


def first_channel(image):
    return image[..., :1]


def with_a_fourth_channel(image):
    return np.concatenate([image, np.full_like(image[..., :1], 255)], axis=2)


def prints(images):
    return [fingerprint(image) for image in images]


def as_cells(one):
    return np.frombuffer(one.thumbnail, np.int8).reshape(64, 64).astype(float)


def brute_force_pairs(fingerprints, distance=96, correlation=0.75):
    """Pairs by a plain loop over orientations and shifts, from pixels and strings of bits."""
    found = set()
    in_order = sorted(range(len(fingerprints)), key=lambda i: fingerprints[i].digest)
    for i, j in combinations(in_order, 2):
        a, b = as_cells(fingerprints[i]), as_cells(fingerprints[j])
        spread = min(fingerprints[i].spread, fingerprints[j].spread)
        needed = min(0.97, max(0.85, 0.97 - (spread - 48) * 0.0015))
        for turns in range(4):
            for mirrored in (b, b[:, ::-1]):
                other = np.rot90(mirrored, turns)
                apart = sum(x != y for x, y in zip(bit_string(a), bit_string(other), strict=True))
                if spread >= 128 and apart <= distance:
                    shifts = [other[r : r + 56, c : c + 56] for r in range(9) for c in range(9)]
                    inner = a[4:60, 4:60].ravel()
                    best = max(np.corrcoef(inner, s.ravel())[0, 1] for s in shifts)
                    match = best >= correlation
                else:
                    match = (
                        spread < 128
                        and apart <= 64
                        and np.corrcoef(a.ravel(), other.ravel())[0, 1] >= needed
                    )
                if match:
                    found.add((min(i, j), max(i, j)))
    return found


def bit_string(picture):
    waves = cv2.dct(np.ascontiguousarray(picture, np.float32))
    return [waves[u, v] > 0 for u in range(16) for v in range(16) if u + v >= 3]


def components(pairs):
    groups = []
    for pair in pairs:
        touching = [g for g in groups if g & set(pair)]
        groups = [g for g in groups if g not in touching] + [set(pair).union(*touching)]
    return sorted(sorted(g) for g in groups)


COPIES = [jpeg, noisy, cut, shifted, darker, half, sixteen_bits, first_channel]
TURNS = [(turns, mirror) for turns in range(4) for mirror in (False, True)]


@pytest.mark.parametrize("change", [*COPIES, with_a_fourth_channel], ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_changed_copy_is_found_among_other_pictures_of_the_same_kind(change, seed):
    images = [cells(100 * seed + i) for i in range(12)]
    assert near_duplicates(prints([*images, change(images[5])])) == [[5, 12]]


@pytest.mark.parametrize(("turns", "mirror"), TURNS)
def test_a_turned_or_mirrored_compressed_copy_is_found(turns, mirror):
    images = [cells(i) for i in range(6)]
    copy = np.rot90(images[2][:, ::-1] if mirror else images[2], turns)
    assert near_duplicates(prints([*images, jpeg(np.ascontiguousarray(copy))])) == [[2, 6]]


def test_turned_copies_are_left_alone_on_request():
    images = [cells(0), cells(1), np.rot90(cells(0))]
    assert near_duplicates(prints(images), turned=False) == []


def test_a_copy_of_a_copy_joins_the_group():
    image = cells(3)
    images = [cells(4), image, jpeg(image), noisy(image), cells(5), jpeg(cells(4))]
    assert near_duplicates(prints(images)) == [[0, 5], [1, 2, 3]]


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_nearly_empty_dark_pictures_are_not_duplicates_of_each_other(count):
    images = [cells(i, count=count, noise=1.0) for i in range(40)]
    assert near_duplicates(prints(images)) == []


def test_pictures_of_nearly_nothing_under_the_same_uneven_light_are_not_duplicates():
    rows, columns = np.mgrid[:256, :256] / 255
    light = 40 * (1 - (rows - 0.4) ** 2 - (columns - 0.6) ** 2)
    rng = np.random.default_rng(0)
    images = [
        (light + rng.normal(0, 2, light.shape)).clip(0, 255).astype(np.uint8)[..., np.newaxis]
        for _ in range(20)
    ]
    assert near_duplicates(prints(images)) == []


def test_a_compressed_copy_of_a_nearly_empty_picture_is_found():
    images = [cells(i, count=1, noise=0.5) for i in range(10)]
    assert near_duplicates(prints([*images, jpeg(images[4], 90)])) == [[4, 10]]


def test_blank_pictures_are_never_duplicates_and_identical_ones_always():
    blank = np.zeros((64, 64, 3), np.uint8)
    speck = np.zeros((1024, 1024, 1), np.uint8)
    speck[500, 500] = 30
    images = [blank, speck, blank + 7, blank, speck.copy()]
    assert near_duplicates(prints(images)) == [[1, 4]]


def test_groups_equal_a_brute_force_over_all_pairs():
    base = [cells(i, count=12, radius=(10, 30)) for i in range(9)]
    images = [*base, jpeg(base[0]), np.ascontiguousarray(base[1][::-1]), cut(base[2])]
    images += [cells(50, count=1, noise=0.5), cells(51, count=1, noise=0.5)]
    fingerprints = prints(images)
    for correlation in (0.4, 0.5, 0.6, 0.75):
        expected = components(brute_force_pairs(fingerprints, correlation=correlation))
        assert sorted(near_duplicates(fingerprints, correlation=correlation)) == expected
        assert [0, 9] in expected or correlation < 0.75


def test_groups_do_not_depend_on_the_order_of_the_pictures():
    images = [cells(i, count=12, radius=(10, 30)) for i in range(10)]
    fingerprints = prints([*images, jpeg(images[3]), cut(images[7])])
    order = np.random.default_rng(0).permutation(len(fingerprints))
    groups = near_duplicates([fingerprints[i] for i in order], correlation=0.5)
    back = sorted(sorted(int(order[i]) for i in group) for group in groups)
    assert back == sorted(near_duplicates(fingerprints, correlation=0.5))


def test_blocks_of_the_distance_matrix_join_up(monkeypatch):
    images = [cells(i % 7) if i % 2 else jpeg(cells(i % 7)) for i in range(14)]
    monkeypatch.setattr(similarity, "_BLOCK", 3)
    expected = [[i, i + 7] for i in range(7)]
    assert near_duplicates(prints(images)) == expected


def test_hamming_distances_equal_a_count_of_unequal_bits():
    signs = np.random.default_rng(0).integers(0, 2, (9, 256), np.uint8)
    words = similarity._words(signs)
    expected = (signs[:4, None] != signs[None]).sum(axis=2)
    np.testing.assert_array_equal(similarity._distances(words[:, :4], words), expected)


@pytest.mark.parametrize("orientation", range(8))
def test_signs_turn_like_the_thumbnail(orientation):
    one = fingerprint(cells(8))
    thumbnail = np.frombuffer(one.thumbnail, np.int8).reshape(64, 64)
    turned = reorient(thumbnail.astype(np.float32), orientation).astype(np.int8)
    signs = np.unpackbits(np.frombuffer(one.bits, np.uint8))[np.newaxis]
    expected = _signs(turned).ravel()
    changed = similarity._reorient_signs(signs, orientation)[0]
    assert (changed != expected).sum() <= 1


def test_no_pictures_and_one_picture_have_no_duplicates():
    assert near_duplicates([]) == []
    assert near_duplicates(prints([cells(0)])) == []


def test_ten_thousand_fingerprints_are_compared_in_seconds():
    rng = np.random.default_rng(0)
    thumbnails = rng.integers(-127, 128, (2000, 4096), np.int8)
    base = fingerprint(cells(0))
    many = [
        replace(base, digest=f"{i:05}", thumbnail=t.tobytes(), bits=rng.bytes(32))
        for i, t in enumerate(thumbnails)
    ]
    many[1500] = replace(many[3], digest="copy")
    start = time.perf_counter()
    assert near_duplicates(many) == [[3, 1500]]
    assert time.perf_counter() - start < 5  # 10,000 are 25 times as many pairs


def test_ten_thousand_equal_hashes_are_one_group_without_comparing_every_pair(monkeypatch):
    base = fingerprint(cells(0))
    calls = []
    alike = similarity._alike
    monkeypatch.setattr(similarity, "_alike", lambda *a: calls.append(1) or alike(*a))
    groups = near_duplicates([replace(base, digest=f"{i:04}") for i in range(500)])
    assert groups == [list(range(500))]
    assert len(calls) == 499
