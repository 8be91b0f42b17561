"""The image files below a folder, by their names."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.data.describing.description import Description
from delineate.data.records import Unpaired
from delineate.imaging import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Files:
    """Image files by name.

    Attributes:
        folder: Where they lie.
        named: The files of each name; several where each is one channel, or one object.
        unpaired: The files that have no name of their own, or miss a channel.
    """

    folder: Path
    named: Mapping[str, tuple[Path, ...]]
    unpaired: tuple[Unpaired, ...] = ()

    def place(self, name: str) -> Path:
        """Return the first file of a name, or the folder that could hold them."""
        files = self.named[name]
        return files[0] if files else self.folder / name


def image_files(folder: Path) -> list[Path]:
    """Return the image files below a folder, at any depth, sorted; hidden ones are left out."""
    return [path for _, files in folders_below(folder) for path in files]


def folders_below(folder: Path, without: Collection[str] = ()) -> Iterator[tuple[Path, list[Path]]]:
    """Yield a folder and all below it, each with its own image files; hidden ones are left out.

    Args:
        folder: The first of them.
        without: Names of folders in it that are left out too.
    """
    skipped = set(without)
    # Not Path.rglob, which asks for the type of each of thousands of files once more.
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in skipped)
        skipped = set()
        here = Path(place)
        yield here, [here / name for name in sorted(names) if is_image(name)]


def is_image(name: str) -> bool:
    """Return whether a file of this name is taken for an image."""
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and name[0] != "." and f".{suffix.lower()}" in IMAGE_SUFFIXES


def named_files(folder: Path, without: Collection[str] = ()) -> Iterator[tuple[str, Path]]:
    """Yield the image files below a folder by their relative paths without suffix."""
    for place, files in folders_below(folder, without):
        below = place.relative_to(folder).as_posix()
        above = "" if below == "." else f"{below}/"
        for path in files:
            yield above + path.stem, path


def by_name(folder: Path, without: Collection[str] = ()) -> Files:
    """Return the image files below a folder by their relative paths without suffix.

    Of two that differ in their suffix alone the first has the name, the other one is unpaired.

    Args:
        folder: Where they lie.
        without: Names of folders in it that are left out.
    """
    named: dict[str, tuple[Path, ...]] = {}
    doubles: list[Unpaired] = []
    for name, path in named_files(folder, without):
        if name in named:
            doubles.append(double(path, named[name][0]))
        else:
            named[name] = (path,)
    return Files(folder, named, tuple(doubles))


def double(path: Path, first: Path) -> Unpaired:
    """Return the complaint about a file whose name another one has."""
    return Unpaired(path, "name of its own", str(first))


def images_below(folder: Path, description: Description) -> Files:
    """Return the images below a folder by name, the files of channels joined."""
    return join_channels(by_name(folder), description.channels)


def join_channels(files: Files, endings: Sequence[str]) -> Files:
    """Return the files by their names without the ending that says which channel each is.

    Args:
        files: Files of one channel each, or of all channels where there are no endings.
        endings: The ending of each channel, in the order of the channels.
    """
    if not endings:
        return files
    channels: dict[str, dict[str, Path]] = {}
    unpaired = list(files.unpaired)
    for name, (path, *_) in files.named.items():
        ending = max((end for end in endings if name.endswith(end)), key=len, default=None)
        if ending is None:
            unpaired.append(Unpaired(path, f"ending of a channel: {', '.join(endings)}"))
        else:
            channels.setdefault(name.removesuffix(ending), {})[ending] = path
    return complete_channels(files.folder, channels, endings, unpaired)


def complete_channels(
    folder: Path,
    channels: Mapping[str, Mapping[str, Path]],
    endings: Sequence[str],
    unpaired: Sequence[Unpaired],
) -> Files:
    """Return the images of which every channel is there; the others are unpaired.

    Args:
        folder: Where they lie.
        channels: The files of each image, by the channel.
        endings: The channels, in order.
        unpaired: What is unpaired already.
    """
    named: dict[str, tuple[Path, ...]] = {}
    alone = list(unpaired)
    for name, found in channels.items():
        missing = [ending for ending in endings if ending not in found]
        if missing:
            first = next(iter(found.values()))
            alone.append(Unpaired(first, f"channel '{missing[0]}' beside it"))
        else:
            named[name] = tuple(found[ending] for ending in endings)
    return Files(folder, named, tuple(alone))
