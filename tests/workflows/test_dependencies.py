"""The floors of what delineate stands on. The tests at these: tests/campaigns/dependencies.py."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.campaigns.dependencies import EXTRAS, OTHERS, PARTS, ROOT, floor_of, floors, lowest, pins

# Versions below these have faults that are publicly known.
SOUND = {
    "keras": "3.15.1",
    "onnx": "1.21",
    "opencv-python-headless": "4.12",
    "pillow": "12.3",
    "protobuf": "6.33.5",
}


def extras():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]["optional-dependencies"]


def test_every_dependency_has_a_floor():
    found = floors(extras())
    assert {"numpy", "tensorflow", "jax", "torch", "onnxruntime-gpu", "rasterio"} <= set(found)
    assert "delineate" not in found
    assert [name for name in SOUND if Version(found[name]) < Version(SOUND[name])] == []


@pytest.mark.parametrize("text", ["numpy", "numpy<3", "numpy==2.2", "numpy~=2.2", "numpy>=2,>=3"])
def test_a_dependency_without_one_lower_bound_is_refused(text):
    with pytest.raises(ValueError, match="has no one lower bound"):
        floor_of(Requirement(text))


def test_an_upper_bound_may_stand_beside_the_floor():
    assert floor_of(Requirement("numpy>=2.2,<3")) == "2.2"


@pytest.mark.parametrize(
    ("floor", "versions", "expected"),
    [
        ("2.2", ["2.3.0", "2.2.10", "2.2.1", "2.2.0", "2.1.3"], "2.2.0"),
        ("14", ["15.0.0", "14.4.0", "14.0.1", "14.0.0", "13.1.0"], "14.0.0"),
        ("2025.1", ["2025.5.10", "2025.1.10", "2024.12.12"], "2025.1.10"),
        ("4.12", ["4.13.0.92", "4.12.0.88", "4.11.0.86"], "4.12.0.88"),
        ("2.3", ["2.4", "2.3", "2.2"], "2.3"),
        ("3.1", ["3.1.1", "3.1.0rc1", "3.2.0b1"], "3.1.1"),
        ("6.33.5", ["6.33.6", "6.33.5", "6.33.4"], "6.33.5"),
    ],
    ids=str,
)
def test_the_lowest_version_from_a_floor_on(floor, versions, expected):
    assert lowest(floor, versions) == expected


def test_a_floor_that_no_version_reaches_is_refused():
    with pytest.raises(ValueError):
        lowest("9", ["8.0", "9.0rc1"])


def test_pins_are_exact():
    there = {"keras": ["3.16.0", "3.15.1"], "av": ["14.2.0", "14.0.0"]}
    assert pins({"keras": "3.15.1", "av": "14"}, there.get) == ["av==14.0.0", "keras==3.15.1"]


def test_on_other_backends_the_campaign_runs_what_scripts_test_does():
    text = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    assert f"tests/{{{','.join(PARTS)}}}" in text
    assert all(f"{backend})" in text and backend in extras() for backend in OTHERS)
    assert set(EXTRAS) <= set(extras())
