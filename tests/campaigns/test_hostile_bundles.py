"""The campaign of hostile bundles does not take harm, or a refusal for another reason, for success."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from delineate.errors import BundleError
from tests.campaigns import hostile_bundles as campaign
from tests.campaigns.probes.making import Probe, open_and_predict
from tests.campaigns.refusals import is_expected, is_plain


def refusal(message, hint="Get it again."):
    return BundleError(message, hint=hint)


@pytest.mark.parametrize(
    ("told", "error", "expected"),
    [
        ("is a link", refusal("model.keras is a link or a device."), True),
        ("is a link", refusal("card.json cannot be read."), False),
        ("is a link", refusal("model.keras is a link\nor a device."), False),
        ("is a link", refusal("model.keras is a link.", hint=""), False),
        ("is a link", None, False),
        (None, None, True),
        (None, refusal("model.keras is a link."), False),
    ],
)
def test_a_probe_has_to_be_refused_for_its_reason(told, error, expected):
    assert is_expected(Probe(lambda _: None, told), error) is expected


def test_a_sentence_without_an_end_is_not_plain():
    assert is_plain(refusal("a" * 100))
    assert not is_plain(refusal("a" * 100_000))


@pytest.fixture
def ground(tmp_path, monkeypatch):
    """The folder in which bundles are tried."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("asks Linux for the most memory of a while")
    folder = tmp_path / "ground"
    for name in (campaign.CACHE, campaign.STATE, campaign.TEMPORARY):
        (folder / name).mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(folder / campaign.TEMPORARY))
    return campaign._Ground(folder)


def test_to_predict_leaves_nothing_behind(ground):
    ground.fresh()
    found = ground.tried(open_and_predict)
    assert (found.outcome, found.outside) == ("opened", ())


@pytest.mark.parametrize("name", ["../x", "../../x", "../../good/x", "x"])
def test_what_is_written_anywhere_in_the_folder_is_harm(ground, name):
    folder = ground.fresh()
    found = ground.tried(lambda place: (place / name).write_text("x"))
    assert found.outside == (str((folder / name).resolve()),)
    assert not found.is_harmless


def test_what_is_written_over_is_harm(ground):
    folder = ground.fresh()
    found = ground.tried(lambda place: (place / "card.json").write_text("{}"))
    assert found.outside == (str(folder / "card.json"),)


def test_what_was_kept_by_libraries_is_none(ground):
    ground.fresh()
    kept = ground.folder / campaign.CACHE / "x"
    assert ground.tried(lambda _: kept.write_text("x")).outside == ()


def test_an_error_that_is_not_ours_is_harm(ground):
    ground.fresh()
    found = ground.tried(lambda _: {}["a"])
    assert (found.outcome, found.refusal) == ("error", None)
    assert not found.is_harmless
    assert not campaign._is_borne(found)


def test_the_memory_of_a_child_counts_beside_that_of_its_parent(ground):
    ground.fresh()
    code = "import time; held = bytearray(b'x') * (200 << 20); time.sleep(0.5)"

    def work(_):
        held = bytearray(b"x") * (100 << 20)
        subprocess.run([sys.executable, "-c", code], check=True)
        assert len(held)

    assert 300 <= ground.tried(work).mib < 400


def test_what_this_process_had_before_does_not_count(ground):
    ground.fresh()
    held = bytearray(b"x") * (300 << 20)
    assert ground.tried(lambda _: None).mib < 50
    assert len(held)


def test_what_a_child_has_told_is_harm(ground):
    folder = ground.fresh()
    ground.told = folder.parents[1] / campaign.STATE / "told"
    ground.told.write_text("before")
    found = ground.tried(lambda _: ground.told.write_text("a child: 'x'\n"))
    assert found.outside == ("a child: 'x'",)
    assert ground.tried(lambda _: None).outside == ()


def test_a_flipped_byte_of_a_marked_card_may_not_be_taken_for_ours(ground, monkeypatch):
    def tried():
        work = campaign._marked_card(ground.fresh(), np.random.default_rng(0))
        return ground.tried(work).outcome

    monkeypatch.setattr(campaign, "_flipped", lambda content, _: content + b" ")
    assert tried() == "opened", "it says what it said"
    monkeypatch.setattr(
        campaign, "_flipped", lambda content, _: content.replace(b"background", b"Background")
    )
    assert tried() == "opened", "and is not ours"
    monkeypatch.setattr("delineate.bundle.is_marked", lambda values, mark: True)
    assert tried() == "error"
