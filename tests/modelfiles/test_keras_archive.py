"""The archive around a Keras model; the probes have what is refused."""

import json
import zipfile
from pathlib import Path

import pytest

from delineate.errors import BundleError
from delineate.modelfiles import keras_archive
from delineate.modelfiles.keras_archive import config_of, extract_weights
from tests.bundles import pointwise_model

FULL = Path("/dev/full")


@pytest.fixture
def path(tmp_path):
    pointwise_model([0.5]).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, content, how=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return path


def test_what_keras_writes_is_read(path, tmp_path):
    assert config_of(path)["class_name"] == "Functional"
    extract_weights(path, tmp_path / "weights.h5")
    assert (tmp_path / "weights.h5").read_bytes() == members(path)["model.weights.h5"]


def test_a_deflated_archive_is_read_too(path, tmp_path):
    content = members(path)
    deflated = packed(tmp_path / "deflated.keras", content, zipfile.ZIP_DEFLATED)
    assert config_of(deflated) == config_of(path)
    extract_weights(deflated, tmp_path / "weights.h5")
    assert (tmp_path / "weights.h5").read_bytes() == content["model.weights.h5"]


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_compress_are_refused(path, tmp_path, how):
    packed(tmp_path / "other.keras", members(path), how)
    with pytest.raises(BundleError, match=r"other\.keras: its .* is compressed by method"):
        config_of(tmp_path / "other.keras")


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_member_that_is_missing_is_told(path, tmp_path, name):
    content = members(path)
    del content[name]
    packed(tmp_path / "less.keras", content)
    with pytest.raises(BundleError, match=r"less\.keras: it holds") as error:
        config_of(tmp_path / "less.keras")
    assert error.value.hint


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_member_that_is_too_large_is_told(path, monkeypatch, name):
    monkeypatch.setitem(keras_archive.MEMBERS, name, 10)
    with pytest.raises(BundleError, match=r"its .* would have|it has \d+ bytes"):
        config_of(path)


def test_a_damaged_member_is_told(path, tmp_path):
    content = bytearray(path.read_bytes())
    place = content.find(b'"keras.layers"')
    content[place + 1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="CRC"):
        config_of(path)


def test_what_follows_an_archive_is_refused(path):
    path.write_bytes(path.read_bytes() + b"and more")
    with pytest.raises(BundleError, match="no Keras model, or cut short"):
        config_of(path)


def test_an_archive_of_64_bits_is_refused(path):
    """Its second record would count, and may say anything of the list of members."""
    content = path.read_bytes()
    record = b"PK\x06\x07" + bytes(16)
    path.write_bytes(content[:-22] + record + content[-22:])
    with pytest.raises(BundleError, match="an archive of 64 bits"):
        config_of(path)


@pytest.mark.skipif(not FULL.exists(), reason="there is no device that is always full")
def test_a_full_temporary_folder_is_no_fault_of_the_model(path):
    with pytest.raises(BundleError, match=r"temporary folder .* no room .*model\.keras") as error:
        extract_weights(path, FULL)
    assert "TMPDIR" in error.value.hint


def test_the_configuration_is_looked_at(path, tmp_path):
    content = members(path)
    config = json.loads(content["config.json"])
    config["config"]["layers"][1]["class_name"] = "Lambda"
    packed(tmp_path / "code.keras", content | {"config.json": json.dumps(config)})
    with pytest.raises(BundleError, match=r"code\.keras: it has a keras\.layers\.Lambda, which"):
        config_of(tmp_path / "code.keras")
