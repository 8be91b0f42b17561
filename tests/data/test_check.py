import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import RULES
from delineate.data.check import check, describe_findings, draw_augmented, write_report
from delineate.data.dataset import Dataset
from delineate.errors import RecipeError


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


def fill(root, count=4, values=(0, 1, 2, 255), size=(24, 32)):
    for number in range(count):
        cells = np.random.default_rng(number).integers(0, 255, (size[0] // 4, size[1] // 4, 3), "B")
        write(root / "images" / f"{number}.png", np.kron(cells, np.ones((4, 4, 1), np.uint8)))
        write(root / "masks" / f"{number}.png", np.resize(np.array(values, np.uint8), size))
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
    assert report.findings == ()
    assert report.values == {
        "data": "cells",
        "layout": "folders",
        "images": 4,
        "splits": None,
        "sizes": {"24×32": 4},
        "channels": {"3": 4},
        "depth": {"uint8": 4},
        "classes": [
            {"name": "background", "pixels": 768, "share": 0.333333},
            {"name": "class 1", "pixels": 768, "share": 0.333333},
            {"name": "class 2", "pixels": 768, "share": 0.333333},
        ],
        "ignored": 0.25,
        "objects": None,
        "kinds": report.values["kinds"],
    }
    assert sum(kind["images"] for kind in report.values["kinds"]) == 4
    assert "nothing was found wrong" in describe_findings(report)


def test_broken_data_gives_findings_and_no_exception(tmp_path):
    report = check(Dataset.open(break_everything(tmp_path)))
    assert report.failed
    assert codes(report) == ["D101", "D102", "D103", "D200", "D302"]
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
    text = describe_findings(check(Dataset.open(break_everything(tmp_path))))
    assert "images: 7" in text
    assert "error D102: The mask" in text
    assert "  hint: Store each mask at its image's size." in text
    assert "  where: 3" in text
    assert "splits" not in text  # there are none


def test_long_lists_are_cut_in_the_text(tmp_path):
    for number in range(8):
        fill(tmp_path, number + 1, values=(0,), size=(24, 32))
        write(tmp_path / "images" / f"{number}.png", np.zeros((8 + number, 8, 3), np.uint8))
        write(tmp_path / "masks" / f"{number}.png", np.zeros((8 + number, 8), np.uint8))
    for number in range(8):
        write(tmp_path / "images" / f"{number}.png", np.zeros((8 + number, 8, 3), np.uint8))
        write(tmp_path / "masks" / f"{number}.png", np.zeros((8 + number, 8), np.uint8))
    text = describe_findings(check(Dataset.open(tmp_path)))
    assert ", … 2 more" in text
    assert "where: 0, 1, 2 and 5 more" in text


def test_the_report_is_written_as_json_and_as_a_page(tmp_path):
    report = check(Dataset.open(fill(tmp_path / "cells")))
    write_report(report, tmp_path / "report")
    values = json.loads((tmp_path / "report" / "report.json").read_text())
    assert values == report.to_json()
    page = (tmp_path / "report" / "report.html").read_text()
    assert "cells: check" in page
    assert "class 1" in page
    assert re.search(r"data:image/png;base64,[A-Za-z0-9+/]{100}", page)


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
from delineate.data.check import check, draw_augmented, write_report
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
