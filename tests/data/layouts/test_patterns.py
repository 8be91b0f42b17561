import pytest

from delineate.data.layouts.patterns import make_pattern


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
