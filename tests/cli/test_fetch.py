import json

import pytest

from delineate.cli.main import run
from delineate.data.fetching.sources import SOURCES
from tests.loopback import read_back, tarred, zipped

IMAGES = {"images/a.jpg": b"image"}
TRIMAPS = {"annotations/trimaps/a.png": b"trimap"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.tar.gz").write_bytes(tarred(IMAGES))
    (tmp_path / "annotations.tar.gz").write_bytes(tarred(TRIMAPS))
    return tmp_path


def test_the_help_names_every_data_set(capsys):
    assert run(["fetch", "--help"]) == 0
    words = capsys.readouterr().out.replace(",", " ").replace(".", " ").split()
    assert SOURCES.keys() <= set(words)


@pytest.mark.parametrize(
    "given", [["--from", "images.tar.gz", "--from", "annotations.tar.gz"], ["--from", "."]]
)
def test_several_archives_are_taken_one_by_one_or_by_their_folder(place, capsys, given):
    assert run(["fetch", "oxford-pet", *given, "--to", "pets", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"folder": "pets"}
    assert read_back(place / "pets").keys() == {*IMAGES, *TRIMAPS, "dataset.toml"}
    assert "oxford-pet: CC BY-SA 4.0" in captured.err


def test_an_archive_that_is_missing_is_named_with_what_to_do(place, capsys):
    assert run(["fetch", "oxford-pet", "--from", "images.tar.gz"]) == 1
    err = capsys.readouterr().err
    assert "error: images.tar.gz is not oxford-pet: images/a.jpg has no annotations/" in err
    assert "hint: Pass --from for each of images.tar.gz and annotations.tar.gz" in err
    assert not (place / "oxford-pet").exists()


def test_without_an_archive_nothing_is_taken_for_one(capsys, monkeypatch):
    asked = {}

    def note(name, **options):
        asked.update(options, name=name)
        return "there"

    monkeypatch.setattr("delineate.data.fetching.fetch.fetch", note)
    assert run(["fetch", "camvid"]) == 0
    assert asked["name"] == "camvid"
    assert not asked["archive"]
    assert capsys.readouterr().out == "there\n"


def test_the_folder_has_the_name_of_the_data_set_by_default(place, capsys):
    (place / "k.zip").write_bytes(zipped({"K/images/a.jpg": b"i", "K/masks/a.jpg": b"m"}))
    assert run(["fetch", "kvasir-seg", "--from", "k.zip"]) == 0
    assert capsys.readouterr().out == "kvasir-seg\n"
    assert (place / "kvasir-seg" / "masks" / "a.jpg").is_file()
