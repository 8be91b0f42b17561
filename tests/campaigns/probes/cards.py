"""Cards, and what lies beside them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from delineate.bundle import CARD
from tests.campaigns.probes.making import BAIT, MODEL, Probe, seal

Make = Callable[[Path], None]
ELSEWHERE = "file-of-the-user"
EXPORT = {
    "format": "onnx",
    "precision": "float32",
    "engine": "any",
    "images": 1,
    "largest_difference": 0.0,
    "changed": 0.0,
    "mean_iou": {"before": None, "after": None},
}


def _says(**changes: Any) -> Make:
    return lambda folder: seal(folder, **changes)


def _is(content: bytes) -> Make:
    def make(folder: Path) -> None:
        (folder / CARD).write_bytes(content)

    return make


def _pipe_as_card(folder: Path) -> None:
    (folder / CARD).unlink()
    os.mkfifo(folder / CARD)


def _device_as_card(folder: Path) -> None:
    (folder / CARD).unlink()
    (folder / CARD).symlink_to("/dev/zero")


def _names(name: str) -> Make:
    def make(folder: Path) -> None:
        (folder.parent / ELSEWHERE).write_bytes((folder / MODEL).read_bytes())
        card = json.loads((folder / CARD).read_text())
        files = card["files"] | {name: card["files"][MODEL]}
        sizes = card["sizes"] | {name: card["sizes"][MODEL]}
        (folder / CARD).write_text(json.dumps(card | {"files": files, "sizes": sizes}))

    return make


def _link_as_model(folder: Path) -> None:
    (folder / MODEL).rename(folder.parent / ELSEWHERE)
    (folder / MODEL).symlink_to(folder.parent / ELSEWHERE)
    seal(folder)


def _link_as_folder(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "inside").symlink_to(folder.parent / "elsewhere")


def _pipe_beside(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _module_beside(folder: Path) -> None:
    (folder / "json.py").write_text(_bait(folder))


def _module_on_the_card(folder: Path) -> None:
    for name in ("json.py", "numpy.py", "h5py.py", "delineate.py"):
        (folder / name).write_text(_bait(folder))
    seal(folder)


def _bait(folder: Path) -> str:
    return f"open({str(folder.parent / BAIT)!r}, 'w').close()\n"


def _changed_after(folder: Path) -> None:
    content = bytearray((folder / MODEL).read_bytes())
    content[-1] ^= 1
    (folder / MODEL).write_bytes(content)


def _longer(folder: Path) -> None:
    with (folder / MODEL).open("ab") as file:
        file.write(b"more")


def _many_beside(folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(20_001):
        (folder / "many" / f"{number}.txt").touch()


def _holes(folder: Path) -> None:
    # Five GiB that take no space on the disk.
    with (folder / "more.txt").open("wb") as file:
        file.truncate(5 * 2**30)
    card = json.loads((folder / CARD).read_text())
    card["files"]["more.txt"], card["sizes"]["more.txt"] = "0" * 64, 5 * 2**30
    (folder / CARD).write_text(json.dumps(card))


_CLASS = {"name": "a", "colour": [0, 0, 0]}
PROBES = {
    "a card of 2 MiB": Probe(_is(b"{" + b" " * 2**21 + b"}"), "no plain file of at most"),
    "a card 100,000 levels deep": Probe(_is(b"[" * 100_000), "card.json cannot be read"),
    "a card with a number of 5,000 digits": Probe(_is(b"1" * 5000), "card.json cannot be read"),
    "a card of many unknown keys": Probe(
        _is(json.dumps({f"key{n}": n for n in range(50_000)}).encode()), "format version"
    ),
    "a pipe as card": Probe(_pipe_as_card, "nor a bundle"),
    "a device as card": Probe(_device_as_card, "nor a bundle"),
    "a stride of 10^9": Probe(_says(stride=10**9), "stride: "),
    "a stride of 0": Probe(_says(stride=0), "stride: "),
    "a tile of 10^9": Probe(_says(tile=10**9), "tile: "),
    "a size of 10^9": Probe(_says(size=[10**9, 10**9]), "size.0: "),
    "10^9 channels": Probe(_says(channels=10**9), "channels: "),
    "a colour of 999": Probe(
        _says(classes=[_CLASS, {"name": "b", "colour": [0, 999, 0]}]), "classes.1.colour.1: "
    ),
    "5,000 classes": Probe(_says(classes=[_CLASS] * 5000), "classes: "),
    "101 members": Probe(_says(members=[{"file": MODEL}] * 101), "members: "),
    "1,000 scales": Probe(_says(post={"scales": [4.0] * 1000}), "post: "),
    "a size of 16,384 for every image": Probe(
        _says(fit="resize", size=[16_384] * 2), "makes 268435456 pixels of the smallest image"
    ),
    "tiles of 16,384 for every image": Probe(
        _says(fixed_size=True, size=[16_384] * 2), "makes 268435456 pixels of the smallest image"
    ),
    "32 sizes of an image in 8 ways": Probe(
        _says(post={"scales": [4.0] * 32, "averaging": "turns"}), "predicted 4104 times"
    ),
    "a model that is named twice": Probe(
        _says(members=[{"file": MODEL}] * 2), "names a model twice"
    ),
    "an object of 10^30 pixels": Probe(_says(post={"smallest_object": 10**30}), "post"),
    "an export without times": Probe(_says(export=EXPORT | {"seconds": {}}), "export.seconds"),
    "an export in no time": Probe(
        _says(export=EXPORT | {"seconds": {"before": 0, "after": 0}}), "export.seconds"
    ),
    "a runtime of its own": Probe(
        _says(members=[{"file": MODEL, "runtime": "os:system"}]), "names the runtime 'os:system'"
    ),
    "a file above": Probe(_names(f"../{ELSEWHERE}"), "has no file"),
    "a file with an absolute name": Probe(_names("/etc/hostname"), "has no file"),
    "a file with a drive": Probe(_names("C:secret"), "has no file"),
    "a name of 100,000 letters": Probe(_names("a" * 100_000), "cannot be read|has no file"),
    "a link as model": Probe(_link_as_model, "is a link or a device"),
    "a link as folder": Probe(_link_as_folder, "is a link or a device"),
    "a pipe beside": Probe(_pipe_beside, "is a link or a device"),
    "a module beside": Probe(_module_beside, "holds 'json.py'"),
    "modules on the card": Probe(_module_on_the_card, None),
    "a model that was changed after": Probe(_changed_after, "is not the file that"),
    "a model that is longer": Probe(_longer, "is not the file that"),
    "20,001 files beside": Probe(_many_beside, "holds more than"),
    "5 GiB of holes": Probe(_holes, "have 5.0 GiB"),
    "a mark of zeros on another runtime": Probe(
        _says(made="0" * 64, members=[{"file": MODEL, "runtime": "onnx"}]), "whose files end in"
    ),
    "HDF5 as a Keras model": Probe(
        _says(members=[{"file": "model.h5"}], files={"model.h5": "0" * 64}, sizes={}),
        "whose files end in .keras",
    ),
}
