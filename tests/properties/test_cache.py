"""What is remembered of files and pixels is what they hold."""

import hashlib
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.cache import Cache
from delineate.data.dataset import Dataset
from delineate.data.file_hashes import FileHashes
from delineate.data.looks.look import Look, look_at
from delineate.data.reading import decode
from tests.properties.strategies import label_images, masks, noise

kinds = st.sampled_from([np.uint8, np.uint16])


def record_of(image, mask, instances):
    objects = None if instances is None else [instances]
    return Dataset.from_arrays([image], [mask], instances=objects).records[0]


def no_file(path):
    raise AssertionError(f"{path} was to be hashed")


@st.composite
def records(draw):
    """An image in memory with its mask and, in half of all cases, its objects."""
    mask = draw(masks(side=20, ignored=True))
    image = draw(noise((*mask.shape, draw(st.sampled_from([1, 3]))), draw(kinds)))
    instances = draw(label_images(size=mask.shape)) if draw(st.booleans()) else None
    return record_of(image, mask, instances)


@st.composite
def tiny_records(draw):
    """One of so few that two are often the same."""
    size = draw(st.sampled_from([(1, 1), (1, 2), (2, 1)]))
    image = draw(noise(size)) % 2
    instances = draw(st.none() | label_images(1, size=size))
    return record_of(image.astype(draw(kinds)), draw(masks(2, size=size)), instances)


def same(one, other):
    """Whether two arrays are equal, types included; or both are None."""
    if one is None or other is None:
        return one is other
    return one.dtype == other.dtype and np.array_equal(one, other)


@given(tiny_records(), tiny_records())
def test_two_records_have_one_key_only_if_they_hold_the_same(one, other):
    pairs = (
        (getattr(one.arrays, name), getattr(other.arrays, name))
        for name in ("image", "mask", "instances")
    )
    equal = all(same(*pair) for pair in pairs)
    assert (one.content_hash(no_file) == other.content_hash(no_file)) == equal


@given(records())
def test_pixels_that_are_kept_are_those_that_were_read(folder, record):
    cache, expected = Cache(folder / "cache"), decode(record)
    for _ in range(2):
        found = cache.get(record, record.content_hash(no_file))
        assert found.facts == expected.facts
        assert same(found.image, expected.image)
        assert same(found.labels, expected.labels)
        assert same(found.instances, expected.instances)


@given(records())
def test_what_is_kept_of_a_look_is_what_was_seen(record):
    seen = look_at(decode(record))
    assert Look.from_json(json.loads(json.dumps(seen.as_json()))) == seen


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_the_hash_of_a_file_follows_its_content_however_often_it_changes(folder, contents):
    hashes = FileHashes()
    for content in contents:
        (folder / "hashed").write_bytes(content)
        for _ in range(2):
            assert hashes.of(folder / "hashed") == hashlib.sha256(content).hexdigest()
