"""Text files beside the data that are longer than such files are."""

import os

import pytest

from delineate.data.describing import description, text_file
from delineate.data.describing.description import NOTHING_SAID, read_description
from delineate.data.describing.text_file import MOST_TABLE_BYTES, refuse_long, refuse_more_rows
from delineate.errors import DataError


def test_a_file_of_more_bytes_is_refused_and_not_opened(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"123")
    refuse_long(path, 3)
    with pytest.raises(DataError, match=r"a\.csv has 3 bytes; the limit is 2\.") as caught:
        refuse_long(path, 2)
    assert caught.value.hint.endswith(".")
    with path.open("wb") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # of which the disk holds nothing
    with pytest.raises(DataError, match="the limit is 268435456"):
        refuse_long(path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(DataError, match="is no regular file"):
            refuse_long(path)
    with pytest.raises(FileNotFoundError):
        refuse_long(tmp_path / "none")


def test_a_table_of_more_rows_than_any_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "MOST_ROWS", 5)
    refuse_more_rows(tmp_path, 5)
    with pytest.raises(DataError, match="more than 5 rows"):
        refuse_more_rows(tmp_path, 6)


def test_a_description_that_is_too_long_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "dataset.toml").write_text("# nothing\n")
    assert read_description(tmp_path) == NOTHING_SAID
    monkeypatch.setattr(description, "MOST_DESCRIPTION_BYTES", 9)
    with pytest.raises(DataError, match=r"dataset\.toml has 10 bytes; the limit is 9"):
        read_description(tmp_path)
