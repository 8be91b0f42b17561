"""The files of an OME-Zarr image are looked at before zarr reads them."""

import json
import os

import numpy as np
import pytest

from delineate.errors import ImageError
from delineate.prediction.rasters.raster import LONGEST, is_zarr, open_raster
from tests.prediction.rasters.test_ome_zarr import write_image

zarr = pytest.importorskip("zarr")

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 53), dtype=np.uint8)


def write_packed(path, image, version=2, **options):
    """Write an image of one resolution whose chunks are packed in a way of their own."""
    group = zarr.create_group(path, zarr_format=version)
    array = group.create_array("full", shape=image.shape, dtype=image.dtype, **options)
    array[:] = image
    axes = [{"name": name, "type": "space"} for name in "yx"]
    said = {"multiscales": [{"axes": axes, "datasets": [{"path": "full"}]}]}
    group.attrs.update(said if version == 2 else {"ome": said})
    return path


def read(path):
    raster = open_raster(path)
    height, width = raster.size
    return raster.read(slice(0, height), slice(0, width))[..., 0]


def refused(path, words):
    with pytest.raises(ImageError, match=words) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def chunks_of(path):
    return sorted(
        file
        for file in (path / "full").rglob("*")
        if file.is_file() and file.name[0] != "." and file.suffix != ".json"
    )


@pytest.fixture
def image(tmp_path):
    write_image(tmp_path / "a.zarr", IMAGE, "yx")
    return tmp_path / "a.zarr"


def test_chunks_that_were_not_written_have_the_value_that_fills(tmp_path):
    write_image(tmp_path / "a.zarr", np.zeros((40, 53), np.uint8), "yx")
    for chunk in chunks_of(tmp_path / "a.zarr"):
        chunk.unlink()
    assert not read(tmp_path / "a.zarr").any()


@pytest.mark.parametrize("compressor", ["blosc", "bz2", "gzip", "lz4", "zlib", "zstd", None])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_chunks_of_all_compressors_are_read_and_larger_ones_refused(tmp_path, compressor, dtype):
    numcodecs = pytest.importorskip("numcodecs")
    codec = None if compressor is None else numcodecs.get_codec({"id": compressor})
    path = write_packed(
        tmp_path / "a.zarr", IMAGE.astype(dtype), chunks=(16, 16), compressors=codec
    )
    np.testing.assert_array_equal(read(path), IMAGE)
    large = np.zeros(5_000_000, np.uint8)
    chunks_of(path)[3].write_bytes(large.tobytes() if codec is None else codec.encode(large))
    refused(path, "would become larger|has 5000000 bytes; the limit is")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_both_versions_are_looked_at(tmp_path, version):
    write_image(tmp_path / "a.zarr", IMAGE, "yx", version=version)
    chunk = chunks_of(tmp_path / "a.zarr")[0]
    chunk.write_bytes(bytes(8_000_000))
    refused(tmp_path / "a.zarr", "has 8000000 bytes; the limit is")


def test_chunks_in_shards_are_read_and_larger_ones_refused(tmp_path):
    options = {"chunks": (8, 8), "shards": (32, 32)}
    path = write_packed(tmp_path / "a.zarr", IMAGE, 3, **options, compressors="auto")
    np.testing.assert_array_equal(read(path), IMAGE)
    said = json.loads((path / "full" / "zarr.json").read_text())
    assert said["codecs"][0]["name"] == "sharding_indexed"
    shard = chunks_of(path)[0]
    content = shard.read_bytes()
    # A table of 16 places and lengths, and a checksum of four bytes, is the end.
    table = np.frombuffer(content[-260:-4], "<u8").reshape(-1, 2).copy()
    numcodecs = pytest.importorskip("numcodecs")
    bomb = numcodecs.get_codec({"id": "zstd"}).encode(np.zeros(5_000_000, np.uint8))
    table[5] = len(content) - 260, len(bomb)
    shard.write_bytes(content[:-260] + bytes(bomb) + table.tobytes() + content[-4:])
    refused(path, "would become larger")


@pytest.mark.parametrize(
    "filters",
    [
        [{"id": "zlib", "level": 1}],
        [{"id": "zlib", "level": 1}, {"id": "shuffle", "elementsize": 1}],
    ],
)
def test_chunks_that_are_packed_twice_are_refused(tmp_path, filters):
    path = write_packed(tmp_path / "a.zarr", IMAGE, chunks=(16, 16))
    described = path / "full" / ".zarray"
    said = json.loads(described.read_text())
    described.write_text(json.dumps(said | {"filters": filters}))
    refused(path, "more than once")


def test_metadata_without_end_are_refused_before_they_are_read(image):
    for name in (".zattrs", "full/.zarray", "full/.zattrs", ".zmetadata"):
        kept = (image / name).read_bytes() if (image / name).exists() else None
        with (image / name).open("wb") as file:
            file.truncate(LONGEST + 1)
        refused(image, f"has {LONGEST + 1} bytes")
        if name == ".zattrs":
            assert not is_zarr(image)
        (image / name).unlink()
        if kept is not None:
            (image / name).write_bytes(kept)
    np.testing.assert_array_equal(read(image), IMAGE)


@pytest.mark.parametrize("name", [".zattrs", ".zmetadata", "full/.zarray", "full/0.0", "full/1.2"])
def test_a_pipe_among_the_files_is_refused_and_not_waited_for(image, name):
    (image / name).unlink(missing_ok=True)
    os.mkfifo(image / name)
    if name == ".zattrs":
        assert not is_zarr(image)
    refused(image, "is not a regular file")


@pytest.mark.parametrize("name", [".zattrs", "full/.zarray", "full/0.0", "full"])
def test_a_link_that_leads_out_of_the_image_is_refused(tmp_path, image, name):
    (image / name).rename(tmp_path / "elsewhere")
    (image / name).symlink_to(tmp_path / "elsewhere")
    refused(image, f"leads by a link, .*, to {tmp_path / 'elsewhere'}")


def test_links_within_the_image_and_to_all_of_it_are_followed(tmp_path, image):
    (image / "full" / "0.0").rename(image / "full" / "moved")
    (image / "full" / "0.0").symlink_to("moved")
    (tmp_path / "b.zarr").symlink_to(image)
    np.testing.assert_array_equal(read(tmp_path / "b.zarr"), IMAGE)


def test_the_path_of_an_array_does_not_lead_elsewhere(tmp_path, image):
    described = image / ".zattrs"
    said = json.loads(described.read_text())
    for place in ("/full", "full/", "//full", "full\\"):
        said["multiscales"][0]["datasets"][0]["path"] = place
        described.write_text(json.dumps(said))
        np.testing.assert_array_equal(read(image), IMAGE)
    for place in ("../a.zarr/full", "full/../full", "./full", str(tmp_path / "full")):
        said["multiscales"][0]["datasets"][0]["path"] = place
        described.write_text(json.dumps(said))
        refused(image, "is damaged")


def test_each_chunk_is_looked_at_once(image, monkeypatch):
    raster = open_raster(image)
    raster.read(slice(0, 40), slice(0, 53))
    monkeypatch.setattr("delineate.prediction.rasters.zarr_files.check_file", None)
    np.testing.assert_array_equal(raster.read(slice(0, 40), slice(0, 53))[..., 0], IMAGE)
