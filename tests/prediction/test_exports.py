"""Which exports of a run are looked at: none whose card says that they cannot be wanted."""

import json

import pytest

from delineate import bundle as bundle_module
from delineate.bundle import Bundle, Export, Member, copy_bundle
from delineate.errors import BundleError
from delineate.prediction import exports
from delineate.prediction.exports import ranked, source_of


@pytest.fixture
def run(tmp_path, colour_bundle, monkeypatch):
    """A run with three exports for an engine that is installed, the last one being the fastest."""
    monkeypatch.setitem(exports._MODULES, "onnx", "json")
    best = copy_bundle(colour_bundle, tmp_path / "run" / "best", colour_bundle.card)
    for number in range(3):
        add_export(best, tmp_path / "run" / "exports" / f"onnx-{number}", seconds=0.9 - number / 10)
    return tmp_path / "run"


def add_export(best, folder, *, seconds):
    export = Export(
        format="onnx",
        precision="float32",
        engine="onnxruntime 1",
        images=1,
        largest_difference=0.0,
        changed=0.0,
        mean_iou={},
        seconds={"before": 1.0, "after": seconds},
        source=source_of(best.card),
    )
    changes = {"export": export, "members": (Member(file="model.onnx", runtime="onnx"),)}
    card = best.card.model_copy(update=changes)
    return Bundle.save(folder, card, lambda place: (place / "model.onnx").write_bytes(b"onnx"))


def estrange(folder):
    """Change a card as if its bundle had been made elsewhere."""
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | {"made": "0" * 64}))


@pytest.fixture
def opened(monkeypatch):
    """Which folders have been looked at whole."""
    seen, real = [], Bundle.open

    def look(path):
        bundle = real(path)
        seen.append(bundle.folder.name)
        return bundle

    monkeypatch.setattr(exports.Bundle, "open", look)
    return seen


def test_the_exports_made_here_come_first_the_fastest_before_all(run, opened):
    assert [bundle.folder.name for bundle in ranked(run)] == ["onnx-2", "onnx-1", "onnx-0", "best"]
    assert opened == ["best", "onnx-2", "onnx-1", "onnx-0"]


def test_exports_from_elsewhere_are_not_even_read_unless_they_are_asked_for(run, opened):
    for folder in (run / "exports").iterdir():
        estrange(folder)
    assert [bundle.folder.name for bundle in ranked(run)] == ["best"]
    assert opened == ["best"]
    assert next(bundle.folder.name for bundle in ranked(run, runtime="onnx")) == "onnx-2"


def test_so_many_exports_are_looked_at_and_no_more(run, opened, monkeypatch):
    monkeypatch.setattr(exports, "_MOST_OPENED", 2)
    assert [bundle.folder.name for bundle in ranked(run)] == ["onnx-2", "onnx-1", "best"]
    assert opened == ["best", "onnx-2", "onnx-1"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '{"export": null}', '{"export": {"source": 1}}']
)
def test_a_card_that_makes_no_sense_is_passed_over(run, text):
    (run / "exports" / "onnx-1" / "card.json").write_text(text)
    assert [bundle.folder.name for bundle in ranked(run)] == ["onnx-2", "onnx-0", "best"]


def test_a_card_that_is_too_large_is_not_read(run, monkeypatch):
    size = (run / "best" / "card.json").stat().st_size
    monkeypatch.setattr(bundle_module, "MOST_CARD_BYTES", size)
    assert [bundle.folder.name for bundle in ranked(run)] == ["best"]


def test_an_export_whose_files_are_others_than_its_card_says_is_passed_over(run):
    (run / "exports" / "onnx-2" / "model.onnx").write_bytes(b"else")
    assert [bundle.folder.name for bundle in ranked(run)] == ["onnx-1", "onnx-0", "best"]
    for folder in (run / "exports").iterdir():
        (folder / "model.onnx").write_bytes(b"else")
    with pytest.raises(BundleError, match="has no model for onnx"):
        ranked(run, runtime="onnx")
