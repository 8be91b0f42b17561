import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from delineate.data.records import Facts, Record, RunLengths, Sample, Unpaired


def sample(**changes):
    values = {"name": "a", "image": np.zeros((4, 6, 3), np.uint8), "mask": np.eye(4, 6, dtype="B")}
    return Sample(**{**values, **changes})


def test_the_size_of_a_sample_is_height_and_width():
    assert sample().size == (4, 6)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_files_are_the_images_and_then_the_masks():
    record = Record("x", (Path("r"), Path("g")), (Path("m"),))
    assert record.files == (Path("r"), Path("g"), Path("m"))


def test_the_hash_of_files_is_that_of_their_contents_in_order(tmp_path):
    contents = {"red": b"pixels", "green": b"more", "first": b"one", "second": b"two"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    red, green, first, second = (tmp_path / name for name in contents)
    record = Record("x", (red, green), (first, second))
    parts = b"".join(hashlib.sha256(content).digest() for content in contents.values())
    assert record.content_hash(sha256) == hashlib.sha256(parts).hexdigest()


def test_names_and_splits_do_not_change_the_hash_and_each_byte_does(tmp_path):
    image, mask = tmp_path / "image", tmp_path / "mask"
    image.write_bytes(b"ab")
    mask.write_bytes(b"c")
    record = Record("x", (image,), (mask,))
    before = record.content_hash(sha256)
    assert replace(record, name="y", split="test", group="z").content_hash(sha256) == before
    image.write_bytes(b"a")
    mask.write_bytes(b"bc")
    assert record.content_hash(sha256) != before


def test_the_hash_of_run_lengths_follows_the_records_own_rows_and_size_alone(tmp_path):
    image, other = tmp_path / "image", tmp_path / "other"
    image.write_bytes(b"ab")
    other.write_bytes(b"c")

    def hash_of(*runs, table="a.csv", first=2, size=None, path=image):
        lines = tuple(range(first, first + len(runs)))
        rows = RunLengths(Path(table), lines, runs, size)
        return Record("x", (path,), (), "run-lengths", run_lengths=rows).content_hash(sha256)

    assert hash_of("1 2", table="b.csv", first=9) == hash_of("1 2")
    changed = [
        hash_of("1 2", "5 1"),
        hash_of("5 1", "1 2"),
        hash_of("1 2 5 1"),
        hash_of(""),
        hash_of("1 2", size=(4, 6)),
        hash_of("1 2", path=other),
        Record("x", (image,), ()).content_hash(sha256),
    ]
    assert len({hash_of("1 2"), *changed}) == 8


def test_the_hash_of_arrays_follows_their_values_types_shapes_and_objects():
    def hash_of(**changes):
        return Record("x", (), (), arrays=sample(**changes)).content_hash(sha256)

    changed = [
        {"image": np.zeros((4, 6, 3), np.uint16)},
        {"image": np.zeros((6, 4, 3), np.uint8)},
        {"mask": np.eye(4, 6, 1, dtype=np.uint8)},
        {"instances": np.eye(4, 6, dtype=np.int32)},
        {"instances": np.eye(4, 6, dtype=np.int32) * 2},
    ]
    hashes = {hash_of(), *(hash_of(**change) for change in changed)}
    assert len(hashes) == 6
    assert hash_of(name="b", image=np.zeros((4, 6, 6), np.uint8)[..., ::2]) == hash_of()


def test_records_of_arrays_can_be_compared():
    one = sample()
    assert Record("x", (), (), arrays=one) == Record("x", (), (), arrays=one)
    assert Record("x", (), (), arrays=one) != Record("x", (), (), arrays=sample())


def test_what_has_no_partner_says_so_with_the_nearest_name():
    assert Unpaired(Path("a.png"), "mask").message() == "a.png has no mask."
    near = Unpaired(Path("a.png"), "mask", "a1.png").message()
    assert near == "a.png has no mask. The nearest name is a1.png."


@pytest.mark.parametrize(
    "facts",
    [
        Facts((3, 4), 1, "uint16", {0: 10, 65535: 2}, 5, 60_000),
        Facts((3, 4), 3, "uint8", {0: 10, 1: 2}, objects=3, overlap=1),
        Facts((3, 4), 3, "uint8", {1 << 24: 12}, colours=(1 << 24,)),
        Facts((3, 4), 3, "uint8", {0: 10, 7: 2}, palette={0: 0, 7: 0xFF0000}),
    ],
)
def test_facts_survive_json(facts):
    assert Facts.from_json(json.loads(json.dumps(facts.as_json()))) == facts
