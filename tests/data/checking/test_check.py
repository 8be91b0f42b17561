import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import RULES
from delineate.data.checking.check import check, draw_augmented, write_report
from delineate.data.checking.summary import summarise
from delineate.data.dataset import Dataset
from delineate.errors import RecipeError


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


def fill(root, count=4, values=(0, 1, 2, 255), size=(24, 32)):
    for number in range(count):
        cells = np.random.default_rng(number).integers(0, 255, (size[0] // 4, size[1] // 4, 3), "B")
        write(root / "images" / f"{number}.png", np.kron(cells, np.ones((4, 4, 1), np.uint8)))
        bands = np.repeat(np.array(values, np.uint8), size[1] // len(values))
        write(root / "masks" / f"{number}.png", np.tile(bands, (size[0], 1)))
    return root


def break_everything(root):
    """Of eight pairs three can be read, and their masks hold no class ids."""
    fill(root, 8, values=(0, 33, 77, 250))
    (root / "images" / "0.png").write_bytes(b"no picture")
    (root / "images" / "1.png").write_bytes((root / "images" / "1.png").read_bytes()[:90])
    (root / "masks" / "2.png").write_bytes(b"")
    write(root / "masks" / "3.png", np.zeros((32, 24), np.uint8))
    write(root / "masks" / "lonely.png", np.zeros((24, 32), np.uint8))
    write(root / "images" / "7.png", np.asarray(Image.open(root / "images" / "6.png")))
    (root / "images" / "4.png").unlink()
    return root


def codes(report):
    return sorted({finding.code for finding in report.findings})


def test_clean_data_passes_and_is_described(tmp_path):
    report = check(Dataset.open(fill(tmp_path / "cells")))
    assert not report.failed
    assert [finding for finding in report.findings if finding.level != "note"] == []
    kept = {
        "data": "cells",
        "layout": "folders",
        "images": 4,
        "splits": None,
        "sizes": {"24×32": 4},
        "channels": {"3": 4},
        "depth": {"uint8": 4},
        "ignored": 0.25,
        "objects": None,
    }
    assert {name: report.values[name] for name in kept} == kept
    classes = [(item["name"], item["pixels"], item["share"]) for item in report.values["classes"]]
    assert classes == [
        ("background", 768, 0.333333),
        ("class 1", 768, 0.333333),
        ("class 2", 768, 0.333333),
    ]
    assert sum(kind["images"] for kind in report.values["kinds"]) == 4
    json.dumps(report.to_json(), allow_nan=False)


def test_broken_data_gives_findings_and_no_exception(tmp_path):
    report = check(Dataset.open(break_everything(tmp_path)))
    assert report.failed
    assert codes(report) == ["D101", "D103", "D105", "D200", "D302"]
    unreadable = [finding.where for finding in report.findings if finding.code == "D101"]
    assert unreadable == [("0",), ("1",), ("2",)]
    assert report.values["classes"] is None
    assert report.values["sizes"] == {"24×32": 3}


def test_data_of_which_nothing_can_be_read_gives_findings(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.png").write_bytes(b"no picture")
    report = check(Dataset.open(tmp_path))
    assert codes(report) == ["D101"]
    assert report.values["kinds"] == []
    write_report(report, tmp_path / "report")


def test_a_warning_alone_is_no_failure(tmp_path):
    report = check(Dataset.open(fill(tmp_path, values=(0,))))
    assert {finding.level for finding in report.findings} == {"warning"}
    assert not report.failed


def test_objects_and_splits_are_counted():
    masks = np.zeros((4, 16, 16), np.uint8)
    masks[:, 2:6, 2:6] = 1
    images = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 1), np.uint8)
    splits = ["train", "train", "test", "test"]
    report = check(Dataset.from_arrays(images, masks, instances=masks * 3, splits=splits))
    assert report.values["objects"] == 4
    assert report.values["splits"] == {"train": 2, "test": 2}
    assert report.values["ignored"] is None


def test_findings_come_in_the_order_of_the_table(tmp_path):
    found = [finding.code for finding in check(Dataset.open(break_everything(tmp_path))).findings]
    assert found == sorted(found, key=list(RULES).index)


def test_progress_is_told(tmp_path):
    told = []
    check(Dataset.open(fill(tmp_path)), progress=lambda done, count: told.append((done, count)))
    assert told[-1] == (4, 4)


def test_the_text_names_numbers_findings_hints_and_places(tmp_path):
    text = summarise(check(Dataset.open(break_everything(tmp_path))))
    assert "images    7, in no splits, 4 that cannot be read, 2 files without a partner" in text
    assert "error D105: The mask" in text
    assert "  hint: Turn the mask until it lies on its image, and save it again." in text
    assert "  where: 3" in text


def test_long_lists_are_cut_in_the_text(tmp_path):
    for number in range(8):
        fill(tmp_path, number + 1, values=(0,), size=(24, 32))
        write(tmp_path / "images" / f"{number}.png", np.zeros((8 + number, 8, 3), np.uint8))
        write(tmp_path / "masks" / f"{number}.png", np.zeros((8 + number, 8), np.uint8))
    for number in range(8):
        write(tmp_path / "images" / f"{number}.png", np.zeros((8 + number, 8, 3), np.uint8))
        write(tmp_path / "masks" / f"{number}.png", np.zeros((8 + number, 8), np.uint8))
    text = summarise(check(Dataset.open(tmp_path)))
    assert ", 4 more\n" in text
    assert "where: 0, 1, 2 and 5 more" in text


def test_the_report_is_written_as_json_and_as_a_page(tmp_path):
    report = check(Dataset.open(fill(tmp_path / "cells")))
    write_report(report, tmp_path / "report")
    values = json.loads((tmp_path / "report" / "report.json").read_text())
    assert values == report.to_json()
    page = (tmp_path / "report" / "report.html").read_text()
    assert "cells: check" in page
    assert "class 1" in page
    assert re.search(r"data:image/jpeg;base64,[A-Za-z0-9+/]{100}", page)


def size_of(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_samples_are_drawn_as_a_recipe_augments_them(tmp_path):
    dataset = Dataset.open(fill(tmp_path / "cells", 3))
    path = draw_augmented(dataset, "unet-nuclei", tmp_path / "sheets" / "augmented.png")
    assert path == tmp_path / "sheets" / "augmented.png"
    assert min(size_of(path)) > 100
    again = draw_augmented(dataset, "unet-nuclei", tmp_path / "again.png")
    assert again.read_bytes() == path.read_bytes()


def test_an_unknown_recipe_is_refused(tmp_path):
    dataset = Dataset.open(fill(tmp_path / "cells", 1))
    with pytest.raises(RecipeError, match="no recipe 'nothing'"):
        draw_augmented(dataset, "nothing", tmp_path / "x.png")


FENCE = """
import sys
from pathlib import Path
from delineate.data.checking.check import check, draw_augmented, write_report
from delineate.data.dataset import Dataset
data, to = map(Path, sys.argv[1:])
dataset = Dataset.open(data)
write_report(check(dataset), to)
draw_augmented(dataset, "unet", to / "augmented.png")
print([name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules])
"""


def test_a_check_imports_no_keras(tmp_path):
    command = [sys.executable, "-c", FENCE, str(fill(tmp_path / "data")), str(tmp_path / "to")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_street_data_is_sound_but_for_near_duplicates(real_data):
    dataset = Dataset.open(real_data / "camvid")
    dataset = dataset.subset([*range(30), *range(380, 390)])
    report = check(dataset)
    assert not report.failed
    assert report.values["sizes"] == {"360×480": 40}
    assert report.values["splits"] == {"train": 30, "validation": 10}


def test_a_check_without_pictures_finds_the_same_and_draws_nothing(tmp_path):
    dataset = Dataset.open(break_everything(tmp_path))
    plain, drawn = check(dataset, pictures=False), check(dataset)
    assert plain.to_json() == drawn.to_json()
    assert [section.galleries for section in plain.sections] == [()]
    assert any(section.galleries for section in drawn.sections)


def test_the_page_has_the_tables_of_what_the_data_is(tmp_path):
    fill(tmp_path / "cells" / "train", 4)
    fill(tmp_path / "cells" / "test", 3, size=(32, 48))
    (section,) = check(Dataset.open(tmp_path / "cells"), pictures=False).sections
    tables = {table.title: table for table in section.tables}
    assert tables["Classes"].columns[:4] == ("class", "share", "share in train", "share in test")
    assert tables["Sizes of images"].rows == (("24×32", 4), ("32×48", 3))
    assert [row[0] for row in tables["Sizes of objects"].rows] == ["class 1", "class 2"]
    assert ("255", "ignored") in [row[:2] for row in tables["Values of the masks"].rows]
    assert ("masks", "class ids 0 to 2; 255 is ignored") in tables["In short"].rows


def test_a_page_of_many_large_noisy_images_stays_below_five_megabytes(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (80, 128, 128, 3), np.uint8)
    images[1::2] = images[::2]
    masks = rng.integers(0, 2, (80, 128, 128), np.uint8)
    splits = ["train", "test"] * 40
    report = check(Dataset.from_arrays(images, masks, splits=splits))
    assert len(report.findings) > 40
    write_report(report, tmp_path)
    assert 500_000 < (tmp_path / "report.html").stat().st_size < 5_000_000
