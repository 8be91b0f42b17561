import re
import time

import numpy as np
import pytest

from delineate.data.layouts.patterns import SPANNING, SPLITS, TOKEN, WITHIN, Pattern, make_pattern
from delineate.errors import DataError


@pytest.mark.parametrize(
    ("masks", "images"),
    [
        ("*_mask.png", "{stem}.*"),
        ("masks/{stem}.png", "images/{stem}.*"),
        ("{split}/masks/*.png", "{split}/images/{stem}.*"),
        ("{split}/{stem}_gt.png", "{split}/{stem}.*"),
        ("masks/{class}/{stem}.png", "images/{stem}.*"),
        ("masks/{stem}/*.png", "images/{stem}.*"),
        ("labels/{stem}_L.png", "labels/{stem}.*"),
    ],
)
def test_where_images_are_follows_from_the_masks(masks, images):
    assert make_pattern(masks).of_images().text == images


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("m/*.png", "m/a.b.png", ("a.b", None, None)),
        ("m/*.png", "m/x/a.png", None),
        ("m/*.png", "m/a.PNG", None),
        ("m/{stem}.*", "m/x/a.b.png", ("x/a.b", None, None)),
        ("{split}/*.png", "val/a.png", ("a", "validation", None)),
        ("{split}/*.png", "holdout/a.png", None),
        ("{class}/{stem}.png", "cat/x/a.png", ("x/a", None, "cat")),
        ("{stem}/m/{stem}.png", "a/m/a.png", ("a", None, None)),
        ("{stem}/m/{stem}.png", "a/m/b.png", None),
    ],
)
def test_a_path_is_read_as_the_pattern_says(tmp_path, text, path, expected):
    found = make_pattern(text).match(path, tmp_path / path)
    assert (found and (found.stem, found.split, found.label)) == expected


def test_the_longest_known_stem_is_taken(tmp_path):
    pattern = make_pattern("{stem}_{class}.png")
    path = "a_b_traffic_light.png"
    known = pattern.match(path, tmp_path, {"a", "a_b"})
    unknown = pattern.match(path, tmp_path, {"z"})
    assert known is not None
    assert unknown is not None
    assert (known.stem, known.label) == ("a_b", "traffic_light")
    assert (unknown.stem, unknown.label) == ("a_b_traffic", "light")


@pytest.mark.parametrize(
    ("text", "several"), [("m/*.*", False), ("m/{stem}.*", False), ("m/{stem}/*.png", True)]
)
def test_a_star_beside_the_stem_stands_for_several_files(text, several):
    assert make_pattern(text).has_several == several


def plain(text, stem, channels):
    """Return a pattern as a regular expression that knows no hurry."""
    meanings = {"stem": stem, "split": SPLITS, "class": "[^/]+", "channel": "|".join(channels)}
    found, end = "", 0
    for token in TOKEN.finditer(text):
        name, first = token[1], token[0] not in text[:end]
        written = f"(?P<{name}>{meanings[name]})" if name and first else f"(?P={name})"
        found += re.escape(text[end : token.start()]) + (written if name else "[^/]*")
        end = token.end()
    return re.compile(found + re.escape(text[end:]))


@pytest.mark.parametrize("stem", [SPANNING, WITHIN, ".{2}"])
def test_a_pattern_means_what_trying_all_places_would_find(stem):
    rng = np.random.default_rng(3)
    tokens = ["*", "*", "*", "{stem}", "{class}", "{split}", "{channel}"]
    matches = 0
    for _ in range(1500):
        parts = ["{stem}", *rng.choice([*tokens, "1", "/", "a", "1a"], rng.integers(1, 9))]
        text = "".join(rng.permutation(parts))
        try:
            pattern = Pattern(text, ("1", "11", "a"), stem)
        except DataError:
            continue
        expected = plain(text, stem, pattern.channels)
        for _ in range(10):
            path = "".join(rng.choice(["1", "1", "a", "/", "val"], rng.integers(1, 12)))
            wanted, found = (one.fullmatch(path) for one in (expected, pattern._regex(stem)))
            assert (found and found.groupdict()) == (wanted and wanted.groupdict()), (text, path)
            matches += found is not None
    assert matches > 200


@pytest.mark.parametrize(
    "text",
    [
        "m/{stem}*1*1*1*1*1*1*1*1x.png",
        "m/{stem}" + "*1" * 100 + "x.png",
        "m/{stem}*{stem}*{stem}*{stem}*{stem}*{stem}*x",
        "m/*1*1*1*1{stem}*1*1*1*1x",
        "*/*1*/{stem}*1*1*1*1*1x",
        "m/{stem}*1*{class}1x.png",
    ],
)
@pytest.mark.parametrize("name", ["1" * 200, "1" * 251 + ".png"])
def test_a_pattern_of_many_stars_takes_no_long_time(tmp_path, text, name):
    begun = time.process_time()
    assert make_pattern(text).match(f"m/{name}", tmp_path) is None
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    "text",
    [
        "*{class}*{stem}*1x.png",
        "{stem}*{class}*{channel}x",
        "*{split}*{class}*{stem}.png",
        "{class}*{stem}*{split}x.png",
    ],
)
def test_a_pattern_of_too_many_open_ends_is_refused(text):
    with pytest.raises(DataError, match=r"where [45] of its parts end; the limit is 3") as caught:
        make_pattern(text, ("red", "green"))
    assert "star" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "{split}/*/{class}/*/{stem}/*.png",
        "*_{class}_{stem}_*.png",
        "*_*_*_{stem}_*_*_*.png",
        "{split}/*-{stem}_{channel}_*.tif",
    ],
)
def test_patterns_for_every_day_leave_few_ends_open(text):
    assert make_pattern(text, ("red", "green")).has("stem")
