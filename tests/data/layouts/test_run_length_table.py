import re

import pytest

from delineate.data.describing import text_file
from delineate.data.layouts.run_length_table import find_samples, find_tables, read_table
from delineate.data.records import RunLengths
from delineate.errors import DataError


def table_of(folder, *lines, name="runs.csv", end="\n", coding="utf-8"):
    path = folder / name
    path.write_bytes((end.join(lines) + end).encode(coding))
    return path


def test_the_rows_of_an_image_are_its_objects_in_their_order(tmp_path):
    path = table_of(tmp_path, "ImageId,EncodedPixels", "b,9 2 ", "a,", "b,1 3 10 5", "", ",")
    found = read_table(path, "test")
    assert (found.path, found.split, found.ignored) == (path, "test", frozenset())
    assert found.rows == {
        "b": RunLengths(path, (2, 4), ("9 2", "1 3 10 5")),
        "a": RunLengths(path, (3,), ("",)),
    }


def test_the_columns_of_a_solution_are_size_and_usage(tmp_path):
    path = table_of(
        tmp_path,
        "ImageId,EncodedPixels,Height,Width,Usage",
        "a,1 2,256,320,Public",
        "b,1 1,4,6,Ignored",
        "a,5 1,256.0,320.0,Private",
        "c,1 1,,,Private",
    )
    found = read_table(path)
    assert {name: rows.size for name, rows in found.rows.items()} == {
        "a": (256, 320),
        "b": (4, 6),
        "c": None,
    }
    assert found.ignored == {"b"}


@pytest.mark.parametrize(
    "lines",
    [
        ("ImageId;EncodedPixels", "a;1 2"),
        ("encoded_pixels\timage_id", "1 2\ta"),
        ('"ImageId","EncodedPixels"', '"a","1 2"'),
        (",ImageId,EncodedPixels", "0,a,1 2"),
        (" ImageId , EncodedPixels", "a, 1 2 "),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_tables_of_several_programs_say_the_same(tmp_path, lines, end, coding):
    path = table_of(tmp_path, *lines, end=end, coding=coding)
    assert find_tables(tmp_path) == [path]
    assert read_table(path).rows == {"a": RunLengths(path, (2,), ("1 2",))}


def test_names_stay_as_they_are_written(tmp_path):
    names = ['"p 1, left"', "scan.7", "a.b.tif", " first", "last ", '" ""x"" "']
    path = table_of(tmp_path, "ImageId,EncodedPixels", *(f"{name}, 1 2 " for name in names))
    rows = read_table(path).rows
    assert list(rows) == ["p 1, left", "scan.7", "a.b.tif", " first", "last ", ' "x" ']
    assert {found.runs for found in rows.values()} == {("1 2",)}


def test_names_with_bytes_that_are_no_text_are_read(tmp_path):
    path = table_of(tmp_path, "ImageId,EncodedPixels", "größe,1 2", coding="latin-1")
    assert find_tables(tmp_path) == [path]
    assert [name.encode("utf-8", "surrogateescape") for name in read_table(path).rows] == [
        "größe".encode("latin-1")
    ]


def test_the_runs_of_one_large_object_are_read_whole(tmp_path):
    runs = " ".join(f"{start} 1" for start in range(1, 200_000, 2))
    assert len(runs) > 131_072  # the longest cell that the csv module reads
    path = table_of(tmp_path, "ImageId,EncodedPixels", f"a,{runs}")
    assert read_table(path).rows["a"].runs == (runs,)


DAMAGES = {
    "cut": (
        ["b"],
        r"line 3: the first line has 2 cells, this one has 1\.",
        "Give each row all cells",
    ),
    "blank": ([" ,1 2"], "line 3 names no image", "ImageId"),
    "commas": (["b,1,2,7,1"], "line 3: the first line has 2 cells, this one has 5", "by spaces"),
    "nameless": ([",1 2"], "line 3 names no image", "ImageId"),
    "quote": (['b,"1 2'], "line 3: a quotation mark is not closed", "Leave quotation marks out"),
    "later quote": (
        ["b,", "", '"b"c,1 2'],
        "line 5: a quotation mark",
        "Leave quotation marks out",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_is_named_with_its_line_and_a_hint(tmp_path, damage):
    rows, complaint, hint = DAMAGES[damage]
    path = table_of(tmp_path, "ImageId,EncodedPixels", "a,1 2", *rows, "c,1 2")
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}, {complaint}") as caught:
        read_table(path)
    assert hint in caught.value.hint


@pytest.mark.parametrize("size", ["0,6", "4,", ",6", "4,-6", "4,6.5", "4 ,six", "9999999999,1"])
def test_a_size_that_is_none_is_named_with_its_line(tmp_path, size):
    path = table_of(tmp_path, "ImageId,EncodedPixels,Height,Width", f"a,1 2,{size}")
    with pytest.raises(DataError, match=r"line 2: the Height '.*' and the Width '.*' are no size"):
        read_table(path)


@pytest.mark.parametrize("other", ["6,4", ","])
def test_two_sizes_of_one_image_are_refused_with_both_lines(tmp_path, other):
    rows = ["a,1 2,4,6", "b,1 2,6,4", f"a,1 2,{other}"]
    path = table_of(tmp_path, "ImageId,EncodedPixels,Height,Width", *rows)
    with pytest.raises(DataError, match=r"line 4: 'a' is .*, but 4×6 pixels .* in line 2\."):
        read_table(path)


@pytest.mark.parametrize(
    "header", ["ImageId,ClassId,EncodedPixels", "ImageId,EncodedPixels,EncodedPixels", "ImageId"]
)
def test_columns_whose_meaning_is_not_known_are_refused_rather_than_passed_over(tmp_path, header):
    path = table_of(tmp_path, header, "a,1 2,1 2")
    with pytest.raises(DataError, match=f"has the columns '{header}'") as caught:
        read_table(path)
    assert "Keep ImageId and EncodedPixels" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "image,mask\na,b\n", "ImageId\na\n", '"ImageId,Encoded', "\0"]
)
def test_other_tables_are_none_of_run_lengths(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    assert find_tables(tmp_path) == find_samples(tmp_path) == []


def test_a_sample_of_a_submission_is_no_truth(tmp_path):
    truth = table_of(tmp_path, "ImageId,EncodedPixels", "a,1 2")
    sample = table_of(
        tmp_path, "ImageId,EncodedPixels", "a,1 1", name="stage1_sample_submission.csv"
    )
    table_of(tmp_path, "ImageId,EncodedPixels", "a,1 1", name=".hidden.csv")
    assert (find_tables(tmp_path), find_samples(tmp_path)) == ([truth], [sample])


def test_a_table_that_is_too_long_or_has_too_many_rows_is_not_read(tmp_path, monkeypatch):
    path = table_of(tmp_path, "ImageId,EncodedPixels", "a,1 3", "b,1 3")
    monkeypatch.setattr(text_file, "MOST_ROWS", 2)
    with pytest.raises(DataError, match="more than 2 rows"):
        read_table(path)
    with path.open("r+b") as file:
        file.truncate(text_file.MOST_TABLE_BYTES + 1)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"runs\.csv has 268435457 bytes"):
        read_table(path)
