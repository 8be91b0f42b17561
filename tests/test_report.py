import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from delineate.report import Finding, Report, Section

ERROR = Finding("class-missing", "error", "The class 'car' is missing.", "Merge it.", ("a.png",))
WARNING = Finding("few-images", "warning", "There are 3 images.", "Add more.")
NOTE = Finding("sizes", "note", "All sizes are alike.", "Nothing to do.")


def test_a_report_with_an_error_has_failed():
    assert Report("t", "check", {}, (NOTE, ERROR)).failed


def test_a_report_with_only_warnings_and_notes_has_not_failed():
    assert not Report("t", "check", {}, (NOTE, WARNING)).failed


def test_an_error_inside_a_section_fails_the_report_and_reaches_the_json():
    report = Report("t", "check", {}, (), (Section("s", findings=(ERROR,)),))
    assert report.failed
    assert [finding["code"] for finding in report.to_json()["findings"]] == ["class-missing"]


def test_a_finding_given_twice_counts_once():
    report = Report("t", "check", {}, (ERROR, NOTE), (Section("s", findings=(NOTE, WARNING)),))
    assert report.every_finding == (ERROR, NOTE, WARNING)


def test_the_json_has_every_field_of_a_finding():
    assert Report("t", "check", {}, (ERROR,)).to_json()["findings"] == [
        {
            "code": "class-missing",
            "level": "error",
            "message": "The class 'car' is missing.",
            "hint": "Merge it.",
            "where": ["a.png"],
        }
    ]


def test_values_of_numpy_become_plain_numbers_that_json_writes_strictly():
    values = {
        "mean_iou": np.float32(0.5),
        "images": np.int64(7),
        "worse": np.bool_(True),
        "table": np.array([[1, 2], [3, 4]]),
        "classes": [{"iou": np.float64("nan"), "dice": float("inf"), "name": np.str_("a")}],
        "intervals": {"mean_iou": (0.25, None)},
        "sizes": {8},
        "folder": Path("data") / "nuclei",
        3: "three",
    }
    plain = Report("t", "evaluation", values).to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "mean_iou": 0.5,
        "images": 7,
        "worse": True,
        "table": [[1, 2], [3, 4]],
        "classes": [{"iou": None, "dice": None, "name": "a"}],
        "intervals": {"mean_iou": [0.25, None]},
        "sizes": [8],
        "folder": str(Path("data") / "nuclei"),
        "3": "three",
        "findings": [],
    }


@pytest.mark.parametrize("value", [object(), b"bytes"])
def test_a_value_that_json_has_no_place_for_is_refused_by_its_type(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        Report("t", "check", {"value": value}).to_json()


def test_reports_and_pages_are_imported_without_numpy():
    code = (
        "import sys, delineate.report, delineate.page\n"
        "sys.exit('numpy' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
