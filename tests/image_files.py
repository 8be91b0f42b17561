"""Image files of many kinds for tests, some of them written by hand."""

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from delineate.errors import ImageError
from delineate.imaging import read_image, read_labels

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 14), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (9, 14), dtype=np.uint16)
RGB16 = RNG.integers(0, 65536, (9, 14, 3), dtype=np.uint16)
IDS = RNG.integers(0, 5, (9, 14), dtype=np.uint8)


def read_values(path: Path) -> np.ndarray:
    return read_labels(path).values


def saved(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, bits: int, colour: int, size: tuple[int, int], rows: bytes, **chunks) -> Path:
    """Write a PNG by hand: rows come with their filter bytes; extra chunks before IDAT."""
    header = struct.pack(
        ">IIBBBBB", size[1], size[0], bits, colour, 0, 0, chunks.pop("interlace", 0)
    )
    parts = [chunk(b"IHDR", header)]
    late = chunks.pop("late", b"")
    compressed = chunks.pop("compressed", None)
    parts += [chunk(name.encode(), data) for name, data in chunks.items()]
    parts += [chunk(b"IDAT", zlib.compress(rows) if compressed is None else compressed)]
    parts += [chunk(b"eXIf", late)] if late else []
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b""))
    return path


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def refused(path: Path, words: str, reader=read_image) -> ImageError:
    """Return the error that a reader raises; its sentence has to name the path, and what is wrong."""
    with pytest.raises(ImageError) as caught:
        reader(path)
    message = caught.value.message
    assert str(path) in message
    assert re.search(words, message.replace(str(path), "")), message
    assert caught.value.hint.endswith(".")
    return caught.value


def lzw(data: bytes) -> bytes:
    """Return data in LZW as libtiff writes it: the strip of a grey picture of one row."""
    file = io.BytesIO()
    Image.frombytes("L", (len(data), 1), data).save(file, "TIFF", compression="tiff_lzw")
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        start, count = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    return file.getvalue()[start : start + count]


def in_lzw(path: Path) -> Path:
    """Turn the strips or tiles of a TIFF file, plain or in deflate, into LZW."""
    content = bytearray(path.read_bytes())
    places = []
    with tifffile.TiffFile(path) as tiff:
        for page in tiff.pages:
            places.append([])
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
                data = bytes(content[start : start + count])
                data = lzw(data if page.compression == 1 else zlib.decompress(data))
                places[-1].append((len(content), len(data)))
                content += data
    path.write_bytes(content)
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for page, parts in zip(tiff.pages, places, strict=True):
            name = "Tile" if page.is_tiled else "Strip"
            page.tags["Compression"].overwrite(5)
            page.tags[f"{name}Offsets"].overwrite([start for start, _ in parts])
            page.tags[f"{name}ByteCounts"].overwrite([count for _, count in parts])
    return path
