"""Files are there whole, or as they were; a journal is there as far as it goes."""

import csv
import hashlib

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from delineate.files import sha256, whole_file, write_whole
from delineate.imaging import read_labels
from delineate.prediction.label_image import write_labels
from delineate.runs import Run
from tests.properties.strategies import label_images

contents = st.binary(max_size=200) | st.text(max_size=50)
scores = st.floats(allow_nan=False, allow_infinity=False)
epochs = st.builds(
    lambda values: {"event": "epoch", "scores": values},
    st.fixed_dictionaries({"loss": scores}, optional={"dice": scores, "val_loss": scores}),
)
others = st.builds(lambda text: {"event": "note", "text": text}, st.text(max_size=8))
journals = st.lists(epochs | others, max_size=6)


def as_bytes(content):
    return content.encode() if isinstance(content, str) else content


@given(contents, contents)
def test_a_file_holds_what_was_written_last_and_nothing_lies_beside_it(folder, first, second):
    path = folder / "written" / "a.bin"
    for content in (first, second):
        write_whole(path, content, durable=False)
        assert path.read_bytes() == as_bytes(content)
        assert sha256(path) == hashlib.sha256(as_bytes(content)).hexdigest()
    assert list(path.parent.iterdir()) == [path]


@given(contents, contents)
def test_a_write_that_fails_leaves_what_was_there_and_nothing_beside_it(folder, first, second):
    path = folder / "failed" / "a.bin"
    write_whole(path, first, durable=False)
    with pytest.raises(InterruptedError):
        _fail_halfway(path, as_bytes(second))
    assert path.read_bytes() == as_bytes(first)
    assert list(path.parent.iterdir()) == [path]


def _fail_halfway(path, content):
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
        raise InterruptedError


@given(journals)
def test_a_journal_is_read_as_it_was_written_and_its_epochs_are_a_table(folder, events):
    run = Run(folder / "journal")
    run.write_events(events)
    assert run.events() == events
    rows = [event["scores"] for event in events if event["event"] == "epoch"]
    assert run.rows == rows
    assert run.results.is_file() == bool(rows)
    if rows:
        with run.results.open(newline="") as file:
            found = [
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            ]
        assert found == rows


@given(journals, st.data())
def test_a_journal_that_was_cut_off_keeps_its_whole_lines(folder, events, data):
    run = Run(folder / "cut")
    run.write_events(events)
    content = run.journal.read_bytes()
    content = content[: data.draw(st.integers(0, len(content)))]
    run.journal.write_bytes(content)
    found = run.events()
    assert found == events[: len(found)]
    assert content.count(b"\n") <= len(found) <= content.count(b"\n") + 1


@given(label_images(), st.integers(0, 100_000))
def test_numbers_of_objects_are_kept_in_a_file_whatever_they_are(folder, instances, more):
    numbers = np.where(instances > 0, instances + more, 0).astype(np.int32)
    path = write_labels(folder / "cells.png", numbers)
    assert path.suffix == (".png" if numbers.max() < 65536 else ".tif")
    if path.suffix == ".png":
        np.testing.assert_array_equal(read_labels(path).values, numbers)
    else:
        found = tifffile.imread(path).reshape(numbers.shape)
        np.testing.assert_array_equal(found, numbers)
