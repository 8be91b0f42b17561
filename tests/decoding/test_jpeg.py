"""JPEG files of many scans."""

import io
import re
import time

import numpy as np
import pytest
from PIL import Image
from tests.campaigns.mutations import seeds_of
from tests.image_files import RGB, refused, saved

from delineate.decoding.jpeg import _MARKER, MAX_SCANS, check
from delineate.imaging import read_image, read_size


def progressive(path):
    """Write a progressive JPEG; return its content, and where its last scan begins."""
    content = saved(path, np.tile(RGB, (9, 9, 1)), progressive=True).read_bytes()
    return content, content.rindex(b"\xff\xda")


def with_scans(path, count):
    """Write a progressive JPEG that repeats its last scan so many times."""
    content, last = progressive(path)
    path.write_bytes(content[:last] + content[last:-2] * count + content[-2:])
    return path


def test_a_progressive_picture_is_read(tmp_path):
    content, _ = progressive(tmp_path / "a.jpg")
    assert 5 < content.count(b"\xff\xda") < 20
    assert read_image(tmp_path / "a.jpg").shape == (81, 126, 3)


def test_too_many_scans_are_refused_before_they_are_decoded(tmp_path):
    path = with_scans(tmp_path / "a.jpg", MAX_SCANS + 1)
    error = refused(path, rf"is stored in 1\d\d scans; the limit is {MAX_SCANS}")
    assert "PNG" in error.hint
    assert read_size(path) == (81, 126)


def test_what_looks_like_scans_behind_the_picture_or_beside_it_is_none(tmp_path):
    content, _ = progressive(tmp_path / "a.jpg")
    film = b"\xff\xda\x00\x08" * 500
    beside = b"\xff\xe5" + (len(film) + 2).to_bytes(2, "big") + film
    (tmp_path / "a.jpg").write_bytes(content[:2] + beside + content[2:] + film)
    with Image.open(io.BytesIO(content)) as picture:
        expected = np.asarray(picture)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("content", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8" + b"\xff\xda" * 300])
def test_what_is_cut_off_is_counted_without_an_error(tmp_path, content):
    file = io.BytesIO(content)
    file.seek(1)
    check(file, tmp_path)
    assert file.tell() == 1


@pytest.mark.parametrize("end", [b"", b"\x00", b"\xd0", b"\xd9"])
def test_a_long_run_of_what_markers_begin_with_takes_no_long_time(tmp_path, end):
    content = saved(tmp_path / "a.jpg", RGB).read_bytes()[:-2]
    beside = b"\xff\xda" * (MAX_SCANS + 1)
    comment = b"\xff\xfe" + (len(beside) + 2).to_bytes(2, "big") + beside
    long = content[:2] + comment + content[2:] + b"\xff" * 300_000 + end
    begun = time.process_time()
    check(io.BytesIO(long), tmp_path)
    assert time.process_time() - begun < 5


def test_a_marker_is_found_behind_any_number_of_what_it_begins_with():
    wanted = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
    runs = [b"\xff" * count + end for count in range(5) for end in (b"", b"\0", b"\xd0", b"\xda\0")]
    for content in (*seeds_of("jpeg"), b"x".join(runs), b"".join(runs)):
        found, expected = (
            [(one.end(), one[1]) for one in pattern.finditer(content)]
            for pattern in (_MARKER, wanted)
        )
        assert found == expected
