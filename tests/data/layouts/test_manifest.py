import pytest

from delineate.data.describing import text_file
from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.describing.text_file import MOST_TABLE_BYTES
from delineate.data.layouts import manifest
from delineate.errors import DataError
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of

FILES = [f"{folder}/{stem}.png" for folder in ("photos", "truth") for stem in "abc"]


def index(root, *rows, name="pairs.csv", **said):
    lay(root, FILES)
    (root / name).write_text("\n".join(rows) + "\n", encoding=said.pop("coding", "utf-8"))
    return manifest.index(root, Description(**said))


def test_the_columns_are_found_by_name_in_any_order(tmp_path):
    found = index(
        tmp_path,
        "note,Group,MASK, Image ,split",
        "x,p1,truth/a.png,photos/a.png,Train",
        "x,,truth/b.png,photos/b.png,VAL",
        "",
        "x,p1,truth/c.png,photos/c.png,",
    )
    assert splits_of(found) == {"photos/a": "train", "photos/b": "validation", "photos/c": None}
    assert [record.group for record in found.records] == ["p1", None, "p1"]
    assert found.records[0].masks == (tmp_path / "truth" / "a.png",)
    assert (found.unpaired, found.description) == ((), NOTHING_SAID)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_the_mark_of_utf_8_make_no_difference(tmp_path, mark, coding):
    rows = [f"image{mark}mask", f'photos/a.png{mark}"truth/a.png"']
    found = index(tmp_path, *rows, coding=coding)
    assert names_of(found) == {"photos/a": ("a.png", "a.png")}
    assert manifest.refuse(tmp_path) is None


@pytest.mark.parametrize(
    "rows",
    [
        ["photos/a.png,truth/a.png|truth/b.png", "photos/c.png,truth/c.png"],
        ["photos/a.png,truth/a.png", "photos/c.png,truth/c.png", "photos/a.png,truth/b.png"],
    ],
)
def test_several_masks_of_an_image_are_objects_in_all_records(tmp_path, rows):
    found = index(tmp_path, "image,mask", *rows)
    assert names_of(found) == {
        "photos/a": ("a.png", "a.png", "b.png"),
        "photos/c": ("c.png", "c.png"),
    }
    assert {record.parts for record in found.records} == {"objects"}
    assert found.description.names == ("background", "object")


def test_several_images_are_channels(tmp_path):
    found = index(tmp_path, "image,mask", "photos/b.png|photos/a.png,truth/a.png")
    assert names_of(found) == {"photos/b": ("b.png", "a.png", "a.png")}
    assert found.records[0].masks == (tmp_path / "truth" / "a.png",)


def test_tables_named_after_splits_give_the_splits(tmp_path):
    index(tmp_path, "image,mask", "photos/a.png,truth/a.png", name="train.csv")
    found = index(tmp_path, "image,mask", "photos/b.png,truth/b.png", name="val.csv")
    assert splits_of(found) == {"photos/a": "train", "photos/b": "validation"}
    with pytest.raises(DataError, match=r"several tables of images and masks: more\.csv, train"):
        index(tmp_path, "image,mask", name="more.csv")


def test_an_image_in_two_splits_is_refused_with_both_rows(tmp_path):
    index(tmp_path, "image,mask", "photos/a.png,truth/a.png", name="train.csv")
    with pytest.raises(DataError, match=r"val\.csv, line 2: .* but train and None in .*train\.csv"):
        index(tmp_path, "image,mask", "photos/a.png,truth/a.png", name="val.csv")


def test_what_is_not_there_is_named_with_its_row(tmp_path):
    found = index(
        tmp_path,
        "image,mask",
        "photos/a.png,truth/x.png",
        "photos/y.png,truth/b.png",
        "photos/c.png,",
    )
    row = f"{tmp_path / 'pairs.csv'}, line"
    assert found.records == ()
    assert complaints_of(found) == [
        ("a.png", f"mask {tmp_path / 'truth' / 'x.png'} in {row} 2"),
        ("y.png", f"file, though {row} 3 names it"),
        ("c.png", f"mask in {row} 4"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",truth/a.png", "line 2: the image is empty"),
        ("photos/a.png,truth/a.png|", "line 2: the mask is empty"),
        ("photos/a.png,truth/a.png,holdout", "line 2: 'holdout' is no split"),
        ("photos/a.txt,truth/a.png", r"line 2: 'photos/a\.txt' is no image file"),
        ("../photos/a.png,truth/a.png", r"line 2: there is no file .*\.\./photos/a\.png"),
        ("/nowhere/a.png,truth/a.png", r"line 2: there is no file /nowhere/a\.png"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(tmp_path, row, message):
    with pytest.raises(DataError, match=rf"pairs\.csv, {message}") as caught:
        index(tmp_path / "data", "image,mask,split", row)
    assert caught.value.hint


def test_files_elsewhere_are_taken_where_they_exist(tmp_path):
    lay(tmp_path, ["store/x.png"])
    outside = tmp_path / "store" / "x.png"
    found = index(tmp_path / "data", "image,mask", f"../store/x.png,{outside}")
    (record,) = found.records
    assert record.name == "store/x"
    assert [path.samefile(outside) for path in record.files] == [True, True]


def test_images_that_differ_in_their_suffix_have_names_of_their_own(tmp_path):
    lay(tmp_path, ["photos/a.jpg"])
    found = index(tmp_path, "image,mask", "photos/a.png,truth/a.png", "photos/a.jpg,truth/b.png")
    assert list(names_of(found)) == ["photos/a", "photos/a.jpg"]


def test_a_group_of_the_description_is_for_rows_without_one(tmp_path):
    rows = ["image,mask,group", "photos/a.png,truth/a.png,own", "photos/b.png,truth/b.png,"]
    found = index(tmp_path, *rows, group_pattern="photos/(.)")
    assert [record.group for record in found.records] == ["own", "b"]


@pytest.mark.parametrize("text", ["", "ImageId,EncodedPixels\nx,1 2\n", "name,r,g,b\n", "image\n"])
def test_other_tables_are_no_list_of_pairs(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    assert manifest.find_manifests(tmp_path) == []


def test_a_table_in_another_coding_is_no_list_of_pairs(tmp_path):
    (tmp_path / "table.csv").write_bytes("image,mask,größe\n".encode("latin-1"))
    assert manifest.find_manifests(tmp_path) == []


def test_a_quotation_mark_that_is_not_closed_is_refused_at_its_line(tmp_path):
    rows = ["image,mask", "photos/a.png,truth/a.png", '"photos/b.png,truth/b.png']
    with pytest.raises(DataError, match=r"pairs.csv, line 3: the row that begins here") as caught:
        index(tmp_path, *rows, *["photos/c.png,truth/c.png"] * 9000)
    assert "Close the quotation marks" in caught.value.hint


def test_a_table_that_is_too_long_is_not_read(tmp_path):
    index(tmp_path, "image,mask", "photos/a.png,truth/a.png")
    with (tmp_path / "pairs.csv").open("r+b") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"pairs\.csv has 268435457 bytes"):
        manifest.index(tmp_path, NOTHING_SAID)


def test_a_table_of_too_many_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_file, "MOST_ROWS", 3)
    rows = ["image,mask", "photos/a.png,truth/a.png", "photos/b.png,truth/b.png"]
    assert len(index(tmp_path, *rows).records) == 2
    with pytest.raises(DataError, match="more than 3 rows"):
        index(tmp_path, *rows, "photos/c.png,truth/c.png")


def test_a_header_with_a_cell_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"pairs\.csv, line 1: the row that begins here"):
        index(tmp_path, f"image,mask,{'x' * 200_000}", "photos/a.png,truth/a.png")
