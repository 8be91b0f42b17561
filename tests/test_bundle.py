import json
import shutil
from pathlib import Path

import pytest

from delineate import bundle as module
from delineate.bundle import CARD, Bundle, Card, Category, Member, recover
from delineate.errors import BundleError
from delineate.recipe import Post

WEIGHTS = b"the weights"


def make_card(**changes):
    values = {
        "members": (Member(file="model.keras"),),
        "classes": (
            Category(name="background", colour=(0, 0, 0)),
            Category(name="cell", colour=(230, 159, 0)),
        ),
        "channels": 3,
        "dtype": "uint8",
        "fit": "crop",
        "size": (64, 64),
        "stride": 16,
        "output": "softmax",
    }
    return Card(**{**values, **changes})


def save(folder, content=WEIGHTS, **changes):
    return Bundle.save(
        folder, make_card(**changes), lambda place: (place / "model.keras").write_bytes(content)
    )


def change_card(folder, **changes):
    card = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**card, **changes}))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def best(tmp_path):
    save(tmp_path / "run" / "best")
    return tmp_path / "run" / "best"


def test_what_is_saved_is_opened_again(tmp_path):
    saved = save(tmp_path / "b", scores={"dice": 0.5, "nothing": None}, post=Post(threshold=0.25))
    opened = Bundle.open(tmp_path / "b")
    assert opened == saved
    assert opened.card.names == ("background", "cell")
    assert opened.card.colours == ((0, 0, 0), (230, 159, 0))
    assert opened.card.post.threshold == 0.25
    assert set(opened.card.files) == {"model.keras"}


def test_a_card_from_before_pixel_sizes_is_opened(tmp_path):
    save(tmp_path / "b", pixel_size=(0.5, 0.25))
    assert Bundle.open(tmp_path / "b").card.pixel_size == (0.5, 0.25)
    card = json.loads((tmp_path / "b" / CARD).read_text())
    older = {key: value for key, value in card.items() if not key.startswith("pixel_")}
    assert len(older) == len(card) - 2
    (tmp_path / "b" / CARD).write_text(json.dumps(older))
    assert Bundle.open(tmp_path / "b").card.pixel_size is None


def test_a_score_that_is_no_number_is_read_back_as_none(tmp_path):
    save(tmp_path / "b", scores={"dice": float("nan")})
    assert Bundle.open(tmp_path / "b").card.scores == {"dice": None}


def test_a_run_is_opened_at_its_best_bundle(best):
    assert Bundle.open(str(best.parent)).folder == best


def test_a_place_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"no run or bundle .*missing"):
        Bundle.open(tmp_path / "missing")


@pytest.mark.parametrize("name", [".", "file"])
def test_a_place_without_a_card_is_no_bundle(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(BundleError, match="neither a run"):
        Bundle.open(name)


def test_a_missing_file_is_named(best):
    (best / "model.keras").unlink()
    with pytest.raises(BundleError, match=r"has no file 'model\.keras'"):
        Bundle.open(best)


@pytest.mark.parametrize("content", [b"the weightS", b"", WEIGHTS + b"\0"])
def test_a_changed_file_is_named(best, content):
    (best / "model.keras").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.keras is not the file that"):
        Bundle.open(best)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "sub/../../model.keras", "..", "", "."]
)
def test_a_card_cannot_name_files_outside_its_folder(best, name):
    (best.parent / "secret").write_bytes(WEIGHTS)
    (best / "sub").mkdir()
    shutil.copy(best / "model.keras", best / "sub")
    sums = json.loads((best / CARD).read_text())["files"]
    change_card(best, files={**sums, name: sums["model.keras"]})
    with pytest.raises(BundleError, match="has no file"):
        Bundle.open(best)


def test_a_member_needs_a_checksum(best):
    change_card(best, members=[{"file": "../secret"}])
    with pytest.raises(BundleError, match=r"no checksum for '\.\./secret'"):
        Bundle.open(best)


def test_a_card_of_the_first_version_is_read(best):
    values = json.loads((best / CARD).read_text())
    values.pop("post")
    values.pop("objects")
    (best / CARD).write_text(json.dumps({**values, "format_version": 1, "threshold": 0.3}))
    assert Bundle.open(best).card.post == Post(threshold=0.3)


@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_a_card_of_another_version_is_refused_with_both_versions(best, version):
    change_card(best, format_version=version)
    with pytest.raises(BundleError, match=f"format version {version}, this delineate reads 2"):
        Bundle.open(best)


@pytest.mark.parametrize(
    "content",
    [b"", b"{half", b"[]", b"\xff\xfe", b"[" * 100_000, b"1" * 5000],
    ids=["empty", "half", "list", "binary", "deep", "large number"],
)
def test_a_damaged_card_is_refused(best, content):
    (best / CARD).write_bytes(content)
    with pytest.raises(BundleError, match=r"card\.json"):
        Bundle.open(best)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"channels": 0}, "channels: "),
        ({"members": []}, "members: "),
        ({"classes": [{"name": "a", "colour": [0, 0]}]}, r"classes\.0\.colour\.2: "),
        ({"colour": "red"}, "colour: Extra"),
        ({"dtype": "float32"}, "dtype: "),
        ({"normalisation": "zscore"}, "normalisation: Input should be 'none', 'range'"),
    ],
)
def test_a_bad_value_of_a_card_is_named(best, changes, place):
    change_card(best, **changes)
    with pytest.raises(BundleError, match=f"cannot be read: {place}"):
        Bundle.open(best)


def test_saving_replaces_the_bundle_and_leaves_nothing_beside_it(best):
    save(best, b"better weights")
    assert (best / "model.keras").read_bytes() == b"better weights"
    assert Bundle.open(best)
    assert names(best.parent) == ["best"]


def test_a_writer_that_fails_leaves_the_old_bundle_and_nothing_beside_it(best):
    def fail(folder):
        (folder / "model.keras").write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Bundle.save(best, make_card(), fail)
    assert (Bundle.open(best).folder / "model.keras").read_bytes() == WEIGHTS
    assert names(best.parent) == ["best"]


def test_a_bundle_that_does_not_open_is_not_put_in_place(best):
    with pytest.raises(BundleError, match=r"no checksum for 'model\.keras'"):
        Bundle.save(best, make_card(), lambda folder: (folder / "other").touch())
    assert (Bundle.open(best).folder / "model.keras").read_bytes() == WEIGHTS
    assert names(best.parent) == ["best"]


def test_a_bundle_that_cannot_take_its_place_leaves_the_old_one_there(best, monkeypatch):
    rename = Path.rename

    def refuse_the_new(one, other):
        if one.name == ".best.new":
            raise PermissionError(13, "Permission denied")
        return rename(one, other)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(PermissionError):
        save(best, b"better weights")
    assert (Bundle.open(best).folder / "model.keras").read_bytes() == WEIGHTS
    assert names(best.parent) == ["best"]


def crash_between_the_renames(best):
    """Leave what a crash leaves when the old bundle is away and the new one not yet there."""
    shutil.copytree(best, best.parent / ".best.new")
    (best.parent / ".best.new" / "model.keras").write_bytes(b"new")
    best.rename(best.parent / ".best.old")


@pytest.mark.parametrize("place", [".", ".."])
def test_after_a_crash_between_the_renames_the_old_bundle_is_still_opened(best, place):
    crash_between_the_renames(best)
    before = names(best.parent)
    opened = Bundle.open(best.parent if place == ".." else best)
    assert (opened.folder / "model.keras").read_bytes() == WEIGHTS
    assert names(best.parent) == before  # a reader changes nothing: a training may be saving


def test_recovery_puts_the_old_bundle_back_and_tidies_up(best):
    crash_between_the_renames(best)
    recover(best)
    assert names(best.parent) == ["best"]
    assert (Bundle.open(best).folder / "model.keras").read_bytes() == WEIGHTS


def test_recovery_after_the_second_rename_keeps_the_new_bundle(best):
    shutil.copytree(best, best.parent / ".best.old")
    save(best, b"better weights")
    shutil.copytree(best, best.parent / ".best.old")
    recover(best)
    assert names(best.parent) == ["best"]
    assert (best / "model.keras").read_bytes() == b"better weights"


def test_recovery_where_nothing_happened_does_nothing(best):
    recover(best)
    recover(best.parent / "other")
    assert names(best.parent) == ["best"]


def test_a_writer_that_fails_after_a_crash_does_not_lose_the_last_good_bundle(best):
    crash_between_the_renames(best)

    def fail(_folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        Bundle.save(best, make_card(), fail)
    assert (Bundle.open(best).folder / "model.keras").read_bytes() == WEIGHTS


def test_the_model_is_on_the_disk_before_the_old_bundle_is_moved(best, monkeypatch):
    calls = []
    rename = Path.rename
    monkeypatch.setattr(module, "flush", lambda path: calls.append(path.name))
    monkeypatch.setattr(
        Path, "rename", lambda one, other: (calls.append(other.name), rename(one, other))[1]
    )
    save(best, b"better weights")
    assert calls == ["model.keras", ".best.old", "best"]
