"""The files of a bundle: that they are those that its card names, before anything opens one."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from delineate.errors import BundleError
from delineate.files import sha256

# Of all files of a bundle from elsewhere together; the largest encoders have 1.4 GB.
MOST_BYTES = 4 * 2**30
MOST_ENTRIES = 20_000
# What may lie beside a model without being named: it is read by people, not by an engine.
_FOR_PEOPLE = frozenset({".cff", ".html", ".jpeg", ".jpg", ".md", ".pdf", ".png", ".txt"})
_NOTES = frozenset({"copying", "desktop.ini", "licence", "license", "notice", "thumbs.db"})


def verify(
    folder: Path,
    card: Path,
    sums: Mapping[str, str],
    sizes: Mapping[str, int],
    *,
    strange: bool,
) -> None:
    """Refuse a bundle whose files are not those that its card names.

    Args:
        folder: The bundle's.
        card: The card's file.
        sums: The SHA-256 of each file, by its name below the folder.
        sizes: The bytes of each file; empty: an older card, which does not say them.
        strange: Whether it was made elsewhere. Then there may be no links, no other files than
            those for people, and no more than ``MOST_BYTES``.

    Raises:
        BundleError: A file is missing, another one, or one too many.
    """
    try:
        for name in sums:
            if not is_inside(name) or not (folder / name).is_file():
                raise _missing(folder, name)
        if strange:
            _refuse_others(folder, card, sums)
            _refuse_large(folder, sums)
        for name, expected in sums.items():
            _require_same(folder / name, expected, sizes.get(name) if sizes else None)
            if sizes and name not in sizes:
                raise _other(folder / name)
    except OSError as error:
        raise BundleError(
            f"A file of the bundle {folder} cannot be read: {error.strerror or error}.",
            hint="Copy the bundle again, to where you may read it.",
        ) from error


def is_inside(name: str) -> bool:
    """Return whether the name of a file can only be one below a folder."""
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and ":" not in name and not name.startswith("/")
    return plain and bool(parts) and ".." not in parts and PurePosixPath(*parts).as_posix() == name


def _missing(folder: Path, name: str) -> BundleError:
    return BundleError(
        f"The bundle {folder} has no file '{name[:200]}'.",
        hint="Copy the whole folder, or train again.",
    )


def _other(path: Path) -> BundleError:
    return BundleError(
        f"{path} is not the file that the bundle's card names.",
        hint="Copy the bundle again; the file is damaged or has been changed.",
    )


def _require_same(path: Path, expected: str, size: int | None) -> None:
    if (size is not None and path.stat().st_size != size) or sha256(path) != expected:
        raise _other(path)


def _refuse_large(folder: Path, sums: Mapping[str, str]) -> None:
    total = sum((folder / name).stat().st_size for name in sums)
    if total > MOST_BYTES:
        raise BundleError(
            f"The files of the bundle {folder} have {total / 2**30:.1f} GiB.",
            hint=f"Bundles from elsewhere are opened up to {MOST_BYTES / 2**30:g} GiB.",
        )


def _refuse_others(folder: Path, card: Path, sums: Mapping[str, str]) -> None:
    """Refuse links, devices, and files that an engine might read though the card is silent."""
    for number, (name, mode) in enumerate(_entries(folder, sums), start=1):
        if number > MOST_ENTRIES:
            raise BundleError(
                f"The bundle {folder} holds more than {MOST_ENTRIES} files.",
                hint="Copy the files that its card names into a folder of their own.",
            )
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise BundleError(
                f"'{name}' in the bundle {folder} is a link or a device.",
                hint="Copy the bundle with the files themselves (cp -rL), where you trust it.",
            )
        if stat.S_ISREG(mode) and name not in sums and name != card.name and not _is_note(name):
            raise BundleError(
                f"The bundle {folder} holds '{name}', which its card does not name.",
                hint="Remove the file, or copy the bundle again.",
            )


def _entries(folder: Path, sums: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Yield names below a folder and their modes; hidden ones, such as .git, are passed over."""
    named = {PurePosixPath(name).parts[0] for name in sums}
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(folder / place) as found:
            for entry in found:
                if not place and entry.name.startswith(".") and entry.name not in named:
                    continue
                name = f"{place}{entry.name}"
                mode = entry.stat(follow_symlinks=False).st_mode
                yield name, mode
                if stat.S_ISDIR(mode):
                    waiting.append(f"{name}/")


def _is_note(name: str) -> bool:
    path = PurePosixPath(name.lower())
    return path.suffix in _FOR_PEOPLE or path.stem in _NOTES or path.name in _NOTES
