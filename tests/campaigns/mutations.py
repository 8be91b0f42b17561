"""Picture files of every kind and make, and what becomes of them by chance.

An input is named by its kind and its number, from which it can be made again.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import tifffile
from PIL import Image

KINDS = ("png", "jpeg", "bmp", "webp", "gif", "tiff", "pnm")
SUFFIXES = {"jpeg": ".jpg", "tiff": ".tif", "pnm": ".pnm"}
# What numbers in headers are set to.
EXTREMES = (
    *(0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
)
# Bytes in which most formats have their headers.
HEADER = 64
# One of so many inputs is long, of so many bytes: of some readers each byte could cost a pass over all.
LONG_EVERY, LONG = 100, 300_000

_RNG = np.random.default_rng(0)
_GREY = _RNG.integers(0, 256, (9, 14), dtype=np.uint8)
_RGB = _RNG.integers(0, 256, (9, 14, 3), dtype=np.uint8)
_DEEP = _RNG.integers(0, 65536, (9, 14), dtype=np.uint16)
_DEEP_RGB = _RNG.integers(0, 65536, (9, 14, 3), dtype=np.uint16)
_IDS = _RNG.integers(0, 5, (9, 14), dtype=np.uint8)
# Larger than a strip, a tile or a block.
_WIDE = np.kron(_RNG.integers(0, 4, (8, 9), dtype=np.uint8), np.ones((5, 6), np.uint8))


def mutation(kind: str, number: int) -> bytes:
    """Return one input of a kind."""
    rng = np.random.default_rng([7, KINDS.index(kind), number])
    turn, rest = divmod(number, LONG_EVERY)
    if rest:
        return _changed(kind, rng)
    probes = probes_of(kind)
    return probes[turn] if turn < len(probes) else stretch(_changed(kind, rng), (), rng)


def _changed(kind: str, rng: np.random.Generator) -> bytes:
    seeds = seeds_of(kind)
    data = bytes(_one_of(seeds, rng))
    for _ in range(int(rng.geometric(0.6))):
        data = _one_of(CHANGES, rng)(data, seeds, rng)
    # Most changes would otherwise end at a checksum.
    return _mended_png(data) if kind == "png" and rng.random() < 0.75 else data


@cache
def seeds_of(kind: str) -> tuple[bytes, ...]:
    """Return sound files of a kind, small ones of all makes."""
    return tuple({"png": _png, "pnm": _pnm, "tiff": _tiff, "bmp": _bmp}.get(kind, _other)(kind))


@cache
def probes_of(kind: str) -> tuple[bytes, ...]:
    """Return long files for which a reader of a kind has taken the square of their length."""
    if kind == "pnm":
        return (b"P2 1 1 255\n1 " + b"#" * LONG,)
    if kind == "jpeg":
        # The scans are counted where many are possible: here within a comment.
        scans = b"\xff\xda" * 200
        comment = b"\xff\xfe" + struct.pack(">H", len(scans) + 2) + scans
        sound = _saved(_GREY, "JPEG")
        return (sound[:2] + comment + sound[2:-2] + b"\xff" * LONG,)
    if kind == "tiff":
        token = b"ImageJ="
        return (_written(_GREY, description=token * (LONG // len(token)), metadata=None),)
    return ()


def flip(data: bytes, _: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return data of which a few bits are turned."""
    changed = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 9)) if data else ():
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(data: bytes, _: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return data without their end, or without a part."""
    first, last = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    return data[:first] if rng.random() < 0.5 else data[:first] + data[last:]


def insert(data: bytes, _: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return data with something in between: noise, zeros or a part of themselves."""
    place, count = int(rng.integers(0, len(data) + 1)), int(rng.integers(1, 65))
    parts = (rng.bytes(count), bytes(count), data[place : place + count] * int(rng.integers(1, 9)))
    return data[:place] + _one_of(parts, rng) + data[place:]


def number(data: bytes, _: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return data in which a number, of the header most of the time, has an extreme value."""
    width = int(rng.choice((1, 2, 4, 8)))
    end = min(len(data), HEADER) if rng.random() < 0.8 else len(data)
    place = int(rng.integers(0, max(end - width, 0) + 1))
    value = int(_one_of(EXTREMES, rng)) & (1 << 8 * width) - 1
    order = _one_of(("little", "big"), rng)
    return data[:place] + value.to_bytes(width, order) + data[place + width :]


def splice(data: bytes, seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return the head of data and the tail of another file."""
    other = _one_of(seeds, rng)
    return data[: rng.integers(0, len(data) + 1)] + other[rng.integers(0, len(other) + 1) :]


def stretch(data: bytes, _: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Return data with a long run of a few bytes of theirs, in between or at the end."""
    place = int(rng.integers(0, max(len(data), 1)))
    token = data[place : place + int(rng.integers(1, 9))] or b"\0"
    end = len(data) if rng.random() < 0.5 else place
    return data[:end] + token * (LONG // len(token)) + data[end:]


CHANGES: tuple[Callable[..., bytes], ...] = (flip, cut, insert, number, number, splice)


def _one_of(items: Sequence[Any], rng: np.random.Generator) -> Any:
    return items[int(rng.integers(len(items)))]


def _mended_png(data: bytes) -> bytes:
    """Return a PNG file whose chunks have the checksums that belong to them."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        if end + 4 > len(data):
            break
        parts += [data[place:end], zlib.crc32(data[place + 4 : end]).to_bytes(4, "big")]
        place = end + 4
    return b"".join([*parts, data[place:]])


def _saved(array: Any, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(file, form, **options)
    return file.getvalue()


def _palette() -> Image.Image:
    picture = Image.fromarray(_IDS)
    picture.putpalette(bytes(range(30, 45)))
    return picture


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def _other(kind: str) -> list[bytes]:
    form = kind.upper()
    makes: dict[str, list[dict[str, Any]]] = {
        "jpeg": [{}, {"progressive": True}, {"exif": _exif()}, {"subsampling": 0, "quality": 30}],
        "webp": [{}, {"lossless": True}, {"exif": _exif()}],
        "gif": [{"optimize": False}, {"interlace": 1}, {"transparency": 3}],
    }
    pictures = [_palette(), _GREY] if kind == "gif" else [_GREY, _RGB, np.tile(_RGB, (3, 3, 1))]
    found = [_saved(picture, form, **make) for picture in pictures for make in makes[kind]]
    if kind == "jpeg":
        found.append(_saved(Image.new("CMYK", (14, 9), (0, 255, 255, 0)), form))
    if kind != "jpeg":
        frames = [Image.fromarray(np.roll(_RGB, shift, axis=0)) for shift in range(3)]
        found.append(_saved(frames[0], form, save_all=True, append_images=frames[1:]))
    return found


def _png(_: str) -> list[bytes]:
    pictures: list[Any] = [_GREY, _RGB, _DEEP, _IDS > 2, _palette(), np.tile(_RGB, (9, 9, 1))]
    pictures.append(np.dstack([_RGB, np.full((9, 14), 255, np.uint8)]))
    found = [_saved(picture, "PNG") for picture in pictures]
    found.append(_saved(_RGB, "PNG", exif=_exif(), transparency=(1, 2, 3)))
    frames = [Image.fromarray(np.roll(_RGB, shift, axis=0)) for shift in range(3)]
    found.append(_saved(frames[0], "PNG", save_all=True, append_images=frames[1:]))
    return found


def _bmp(_: str) -> list[bytes]:
    runs = bytes([4, 1, 0, 0, 1, 0, 3, 1, 0, 0, 0, 1])
    palette = bytes([0, 0, 0, 0, 200, 200, 200, 0])
    start = 14 + 40 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(runs), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(runs), 0, 0, 2, 0)
    pictures = [_GREY, _RGB, _IDS > 2, _palette()]
    return [*(_saved(picture, "BMP") for picture in pictures), head + info + palette + runs]


def _pnm(_: str) -> list[bytes]:
    def text(array: Any) -> bytes:
        return b" ".join(b"%d" % value for value in array.ravel())

    return [
        b"P1 # bits\n14 9\n" + text((_IDS > 2).astype(int)),
        b"P2\n14 9\n255\n" + text(_GREY) + b" # the end\n",
        b"P3 14 9 65535\n" + text(_DEEP_RGB),
        b"P4\n14 9\n" + np.packbits(_IDS > 2, axis=1).tobytes(),
        b"P5\n14 9\n255\n" + _GREY.tobytes(),
        b"P5\n14 9\n65535\n" + _DEEP.astype(">u2").tobytes(),
        b"P6\n14 9\n255\n" + _RGB.tobytes(),
    ]


def _tiff(_: str) -> list[bytes]:
    makes: list[dict[str, Any]] = [
        {},
        {"compression": "deflate"},
        {"compression": "deflate", "predictor": True},
        {"tile": (16, 16)},
        {"tile": (16, 16), "compression": "deflate"},
        {"rowsperstrip": 8, "compression": "deflate"},
        {"byteorder": ">"},
        {"bigtiff": True},
        {"ome": True},
    ]
    found = [_written(array, **make) for make in makes for array in (_WIDE, _DEEP)]
    found += [_written(_RGB, photometric="rgb"), _written(_DEEP_RGB, photometric="rgb")]
    planes = np.moveaxis(_RGB, 2, 0)
    found.append(_written(planes, photometric="rgb", planarconfig="separate"))
    found.append(_written(_GREY.astype(np.float32)))
    found.append(_written(np.stack([_GREY] * 3), photometric="minisblack"))
    for compression in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"):
        found.append(_saved(np.tile(_RGB, (3, 3, 1)), "TIFF", compression=compression))
    for compression in ("group4", "tiff_adobe_deflate", None):
        found.append(_saved(_IDS > 2, "TIFF", compression=compression))
    return [*found, _saved(_palette(), "TIFF"), _saved(_GREY, "TIFF", tiffinfo={274: 6})]


def _written(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()
