import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.data.describing.description import NOTHING_SAID, Description
from delineate.data.layouts import run_lengths
from delineate.data.reading import decode
from delineate.decoding.run_lengths import encode
from delineate.errors import DataError, ImageError
from delineate.imaging import write_png
from tests.data.layouts.examples import complaints_of, lay, names_of, splits_of
from tests.run_lengths import write_run_lengths

HEADER = "ImageId,EncodedPixels"


def table(name, *rows, header=HEADER):
    return f"{name}={chr(10).join([header, *rows])}\n"


def index(root, files, **said):
    return run_lengths.index(lay(root, files), Description(**said))


def runs_of(found):
    return {record.name: record.run_lengths.runs for record in found.records}


def test_each_image_with_rows_is_a_record_and_an_empty_row_is_no_object(tmp_path):
    rows = table("runs.csv", "b,9 2", "a,", "b,1 3")
    found = index(tmp_path, ["b.png", "deep/down/a.tif", rows])
    assert names_of(found) == {"a": ("a.tif",), "b": ("b.png",)}
    assert runs_of(found) == {"a": ("",), "b": ("9 2", "1 3")}
    assert found.records[1].run_lengths.lines == (2, 4)
    assert {record.parts for record in found.records} == {"run-lengths"}
    assert (found.unpaired, found.notes) == ((), ())
    assert found.description == Description(names=("background", "object"))


def test_a_name_with_a_suffix_is_that_of_a_file_unless_a_stem_has_it(tmp_path):
    files = ["slide1.tif.png", "scan.png", "b.png", " c.png", "d.png"]
    rows = ["slide1.tif,1 2", "scan.tif,3 1", "b.png,4 1", "b.png,6 1", " c,5 2", "d ,7 1"]
    found = index(tmp_path, [*files, table("runs.csv", *rows)])
    assert runs_of(found) == {
        "slide1.tif": ("1 2",),
        "scan": ("3 1",),
        "b": ("4 1", "6 1"),
        " c": ("5 2",),
        "d": ("7 1",),
    }
    assert found.unpaired == ()


def test_of_two_names_of_one_image_the_exact_one_counts_and_the_other_is_told(tmp_path):
    found = index(tmp_path, ["a.png", table("runs.csv", "a.tif,1 2", "a,3 1")])
    assert runs_of(found) == {"a": ("3 1",)}
    assert [item.wanted for item in found.unpaired] == ["image for 'a.tif' of line 2"]


def test_images_to_ignore_may_be_named_by_their_files(tmp_path):
    rows = ["a.png,1 2,Public", "b.png,1 2,Ignored"]
    files = ["a.png", "b.png", table("runs.csv", *rows, header=f"{HEADER},Usage")]
    found = index(tmp_path, files)
    assert (list(runs_of(found)), found.unpaired) == (["a"], ())


def test_a_table_in_another_coding_is_refused_with_the_line(tmp_path):
    lay(tmp_path, ["a.png", "größe.png"])
    (tmp_path / "runs.csv").write_text(f"{HEADER}\na,1 2\ngröße,1 2\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"runs\.csv, line 3: the ImageId .* is no UTF-8") as caught:
        run_lengths.index(tmp_path, NOTHING_SAID)
    assert "UTF-8" in caught.value.hint


def test_the_raw_folders_of_the_data_science_bowl_hold_nuclei_of_the_size_that_is_said(tmp_path):
    header = f"{HEADER},Height,Width,Usage"
    rows = ["x,1 2,4,6,Public", "y,1 1,4,6,Ignored", "gone,1 1,4,6,Ignored"]
    files = ["x/images/x.png", "y/images/y.png", table("stage1_solution.csv", *rows, header=header)]
    found = index(tmp_path, files)
    assert [(record.name, record.run_lengths.size) for record in found.records] == [("x", (4, 6))]
    assert found.unpaired == ()
    assert found.notes == (
        f"{tmp_path / 'stage1_solution.csv'} says to ignore 2 images: they are left out.",
    )
    assert found.description == Description(names=("background", "nucleus"))


def test_masks_beside_images_are_no_images_where_a_table_has_the_objects(tmp_path):
    lay(tmp_path, ["stage1_train/x/images/x.png", "stage1_train/x/masks/0.png"])
    lay(tmp_path, [table("stage1_train_labels.csv", "x,1 2")])
    lay(tmp_path, [table("stage1_sample_submission.csv", "x,1 1")])
    dataset = Dataset.open(tmp_path)
    assert (dataset.layout, len(dataset), dataset.unpaired) == ("run_lengths", 1, ())
    sample, masks = dataset.notes
    assert "stage1_sample_submission.csv is a sample of a submission" in sample
    assert masks.startswith("The folders masks/ below")


def test_images_without_rows_and_rows_without_images_are_named_with_the_nearest(tmp_path):
    files = [
        "scan_01.png",
        "scan_02.png",
        table("runs.csv", "scan_02,1 2", "scan_1,", "scan_1,1 1"),
    ]
    found = index(tmp_path, files)
    assert list(names_of(found)) == ["scan_02"]
    place = tmp_path / "runs.csv"
    assert [item.message() for item in found.unpaired] == [
        f"{tmp_path / 'scan_01.png'} has no row in {place}. The nearest name is scan_1.",
        f"{place} has no image for 'scan_1' of line 3. The nearest name is "
        f"{tmp_path / 'scan_01.png'}.",
    ]
    with pytest.raises(DataError, match=r"scan_01\.png has no row in"):
        Dataset.open(tmp_path).require_pairs()


def test_tables_named_after_splits_give_the_splits(tmp_path):
    files = ["x.png", "pictures/y.png", "z.png"]
    tables = [table(f"{name}.csv", f"{row},1 2") for name, row in (("train", "x"), ("Val", "y"))]
    found = index(tmp_path, [*files, *tables, table("test.csv", "z,")])
    assert splits_of(found) == {"train/x": "train", "validation/y": "validation", "test/z": "test"}
    assert found.unpaired == ()


def test_folders_named_after_splits_give_the_splits_to_one_table(tmp_path):
    files = ["train/x.png", "val/images/y.png", "test/z.png", table("r.csv", "x,1 2", "y,1 2")]
    found = index(tmp_path, files)
    assert splits_of(found) == {"train/x": "train", "validation/y": "validation"}
    assert found.unpaired == ()
    assert found.notes == (f"{tmp_path / 'test'} holds 1 images without rows: they are left out.",)


def test_a_table_of_a_split_is_for_the_images_of_its_folder(tmp_path):
    files = ["train/a.png", "test/a.png", table("train/labels.csv", "a,1 2")]
    found = index(tmp_path, [*files, table("test.csv", "a,5 1")])
    assert runs_of(found) == {"train/a": ("1 2",), "test/a": ("5 1",)}
    assert found.unpaired == ()


def test_two_images_of_one_name_in_one_table_are_no_two_records(tmp_path):
    one = index(tmp_path / "one", ["p/a.png", "q/a.png", table("r.csv", "a,1 2")])
    assert names_of(one) == {"a": ("a.png",)}
    assert complaints_of(one) == [("a.png", "name of its own")]
    two = index(tmp_path / "two", ["train/a.png", "val/a.png", table("r.csv", "a,1 2")])
    assert splits_of(two) == {"train/a": "train"}
    assert complaints_of(two) == [("a.png", "name of its own")]


def test_several_tables_must_be_named_after_splits(tmp_path):
    tables = [table(name, "a,1 2") for name in ("one.csv", "test/two.csv")]
    with pytest.raises(DataError, match=r"several tables of run lengths: one\.csv, test/two\.csv"):
        index(tmp_path, ["a.png", *tables])


def test_an_image_of_two_tables_is_refused_with_both_lines(tmp_path):
    tables = [table("train.csv", "b,", "a,1 2"), table("test.csv", "a,1 2")]
    with pytest.raises(DataError, match=r"'a' is in .*test\.csv, line 2 and .*train\.csv, line 3"):
        index(tmp_path, ["a.png", "b.png", *tables])


def test_a_damaged_row_is_refused_when_the_folder_is_opened(tmp_path):
    lay(tmp_path, ["a.png", table("runs.csv", "a,1 2", "a")])
    with pytest.raises(DataError, match=r"runs\.csv, line 3: the first line has 2 cells") as caught:
        Dataset.open(tmp_path)
    assert caught.value.hint


def test_files_of_channels_are_joined_and_groups_are_those_of_the_description(tmp_path):
    files = ["p1_a_red.png", "p1_a_green.png", "p2_b_red.png", table("r.csv", "p1_a,1 2")]
    found = index(tmp_path, files, channels=("_red", "_green"), group_pattern="^(p.)_")
    assert names_of(found) == {"p1_a": ("p1_a_red.png", "p1_a_green.png")}
    assert found.records[0].group == "p1"
    assert complaints_of(found) == [("p2_b_red.png", "channel '_green' beside it")]


def test_other_layouts_beside_such_a_table_stay_what_they_are(tmp_path):
    rows = table("runs.csv", "a,1 2")
    assert "columns ImageId" in run_lengths.refuse(lay(tmp_path / "none", ["a.png"]))
    lay(tmp_path / "masks", ["images/a.png", "masks/a.png", rows])
    assert run_lengths.refuse(tmp_path / "masks") == "there is masks/ beside images/"
    lay(tmp_path / "bowl", ["a/images/a.png", "a/masks/0.png", rows])
    assert run_lengths.refuse(tmp_path / "bowl") == "<id>/masks/ holds a file for each object"
    assert Dataset.open(tmp_path / "bowl").layout == "dsb2018"
    pairs = "pairs.csv=image,mask\na.png,b.png\n"
    lay(tmp_path / "list", ["a.png", "b.png", pairs, rows])
    assert run_lengths.refuse(tmp_path / "list") == "pairs.csv lists the pairs"


def write_cells(folder, count=3, size=(12, 20)):
    """Write images and a table, and return the instances by name."""
    rng = np.random.default_rng(0)
    truth = {}
    for number in range(count):
        name = f"cell{number}"
        write_png(folder / f"{name}.png", rng.integers(0, 255, (*size, 3), np.uint8))
        truth[name] = np.zeros(size, np.int32)
        for place in range(number):
            truth[name][2 : 5 + place, 5 * place : 5 * place + 4] = place + 1
    write_run_lengths(folder / "cells.csv", truth.items())
    return truth


@pytest.mark.parametrize("name", [b"slide1.tif.png", b" a .png", b"caf\xe9.png", b'"x", y.png'])
def test_what_predictions_are_written_as_is_read_back_whatever_the_name(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    truth = np.kron(np.array([[0, 1], [2, 0]], np.int32), np.ones((3, 4), np.int32))
    try:
        write_png(path, np.zeros(truth.shape, np.uint8))
    except OSError:
        pytest.skip("this file system has no such names")
    write_run_lengths(tmp_path / "cells.csv", [(path.stem, truth)])
    dataset = Dataset.open(tmp_path)
    dataset.require_pairs()
    np.testing.assert_array_equal(dataset[0].instances, truth)


@pytest.mark.parametrize("cache", [True, False])
def test_what_predictions_are_written_as_is_read_as_truth(tmp_path, cache):
    truth = write_cells(tmp_path)
    dataset = Dataset.open(tmp_path, cache=cache)
    assert dataset.classes == ("background", "object")
    for _ in range(2):  # the second time from the cache
        for sample in dataset:
            np.testing.assert_array_equal(sample.instances, truth[sample.name])
            np.testing.assert_array_equal(sample.mask, truth[sample.name] > 0)


def test_a_record_follows_its_own_rows_and_not_those_of_others(tmp_path):
    write_cells(tmp_path)
    before = dict(zip("012", Dataset.open(tmp_path).hashes, strict=True))
    path = tmp_path / "cells.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "cell1,9 1", *lines[:0:-1]]))
    after = dict(zip("012", Dataset.open(tmp_path).hashes, strict=True))
    assert (before["0"] == after["0"], before["1"] == after["1"]) == (True, False)
    assert Dataset.open(tmp_path)[1].instances.max() == 2


def test_a_table_is_read_once_and_not_for_each_record(tmp_path, monkeypatch):
    write_cells(tmp_path)
    dataset = Dataset.open(tmp_path, cache=False)
    opened = []
    real = Path.open

    def counting(path, *args, **kwargs):
        opened.append(path.name)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counting)
    assert len([decode(record) for record in dataset.records]) == 3
    assert dataset.hashes
    assert "cells.csv" not in opened


def test_a_row_that_does_not_fit_its_image_fails_with_that_image_alone(tmp_path):
    write_cells(tmp_path)
    path = tmp_path / "cells.csv"
    path.write_text(f"{path.read_text()}cell0,240 2\n")
    dataset = Dataset.open(tmp_path)
    with pytest.raises(ImageError, match=r"cells\.csv, line 6: the run '240 2' ends outside"):
        dataset.decoded(0)
    assert dataset.decoded(2).facts.objects == 2


def test_the_microscope_data_as_run_lengths_is_what_its_masks_are(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "stage1_train.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        chosen = sorted({name.split("/")[0] for name in names})[:3]
        files = {name: archive.read(name) for name in names if name.split("/")[0] in chosen}
    rows = []
    for name, content in files.items():
        place = tmp_path / ("runs" if "/images/" in name else "masks") / name
        for path in (place, tmp_path / "masks" / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for name in sorted(name for name in files if "/masks/" in name):
        mask = np.asarray(Image.open(io.BytesIO(files[name])))
        rows += [f"{name.split('/')[0]},{runs}" for runs in encode((mask > 0).astype(int))]
    lay(tmp_path / "runs", [table("stage1_train_labels.csv", *rows)])
    by_runs, by_files = (Dataset.open(tmp_path / name) for name in ("runs", "masks"))
    assert (by_runs.layout, by_files.layout) == ("run_lengths", "dsb2018")
    assert by_runs.classes == by_files.classes == ("background", "nucleus")
    for one, other in zip(by_runs, by_files, strict=True):
        np.testing.assert_array_equal(one.instances, other.instances)
    assert by_runs.facts == by_files.facts


def test_without_a_table_each_image_lacks_one(tmp_path):
    found = run_lengths.index(lay(tmp_path, ["a.png"]), NOTHING_SAID)
    assert complaints_of(found) == [("a.png", "row in a table")]
