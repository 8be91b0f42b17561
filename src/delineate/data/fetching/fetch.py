"""Named public data sets, from their addresses or from archives at hand, onto this disk."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from delineate.data.describing.description import FILE
from delineate.data.fetching.download import download
from delineate.data.fetching.sources import Archive, Source, find_source
from delineate.data.fetching.unpack import (
    Progress,
    archive_size,
    free_folder,
    move_into_place,
    temporary_folder,
    unpack,
)
from delineate.errors import DataError

logger = logging.getLogger(__name__)


def fetch(
    name: str,
    *,
    archive: str | Path | Sequence[str | Path] | None = None,
    to: str | Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a named data set, downloaded or taken from archives, and verified.

    The folder appears whole or not at all. A download that breaks off stays as ``<to>.part``
    (``<to>.<archive>.part`` where the data set has several) and is continued the next time. A
    downloaded archive must have a known checksum, where one is known; an archive at hand with
    another checksum is taken, with a warning, if its layout is right. Where no pixel tells what a
    mask means, a ``dataset.toml`` is written beside the data.

    Args:
        name: A key of ``delineate.data.fetching.sources.SOURCES``.
        archive: What is at hand, to use instead of a download: the archive, all of them where the
            data set has several, or a folder that holds them under their publisher's names.
        to: The folder to make, by default ``name`` in the current folder. An empty one may exist.
        progress: Called with bytes done and bytes in all (0: unknown) of all archives together,
            first for the download and then for the unpacking.

    Raises:
        UsageError: No data set has this name.
        DataError: The folder is not empty, an archive does not exist, cannot be downloaded, is
            not the right one, is damaged or unsafe, or the disk cannot be written.

    Example:
        >>> fetch("dsb2018", archive="stage1_train.zip", to="nuclei")  # doctest: +SKIP
    """
    source = find_source(name)
    target = Path(name if to is None else to)
    folder = free_folder(target)
    if archive:
        at_hand = [_identify(path, source.archives) for path in _at_hand(source, archive)]
        _install(source, at_hand, folder, progress)
    else:
        _download_and_install(source, folder, progress)
    return target


@dataclass(frozen=True)
class _File:
    """An archive on this disk: its checksum, and the edition that this is known to be."""

    path: Path
    checksum: str
    edition: str | None


class _Together:
    """Tells the bytes of several archives as those of one."""

    def __init__(self, sizes: Sequence[int], progress: Progress | None) -> None:
        self._done = [0] * len(sizes)
        self._sizes = list(sizes)
        self._progress = progress

    def of(self, number: int) -> Progress | None:
        """Return what is to be called with the bytes of one archive."""
        return None if self._progress is None else partial(self._tell, number)

    def finish(self, number: int, size: int) -> None:
        """Take note that one archive is done, which it may be without a call."""
        self._done[number] = self._sizes[number] = size

    def _tell(self, number: int, done: int, size: int) -> None:
        self._done[number], self._sizes[number] = done, size
        if self._progress is not None:
            self._progress(sum(self._done), sum(self._sizes) if all(self._sizes) else 0)


def _at_hand(source: Source, archive: str | Path | Sequence[str | Path]) -> list[Path]:
    given = [archive] if isinstance(archive, str | Path) else archive
    paths = [path for item in given for path in _archives_in(source, Path(item))]
    for path in paths:
        archive_size(path)
    return paths


def _archives_in(source: Source, path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    paths = [path / archive.filename for archive in source.archives]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(
            f"The folder {path} holds no {missing[0].name}.",
            hint=f"Put {_filenames(source)} into it, or pass {_option(source)}.",
        )
    return paths


def _identify(path: Path, archives: Sequence[Archive]) -> _File:
    known = {key: text for archive in archives for key, text in archive.checksums.items()}
    algorithms = dict.fromkeys(["sha256", *(key.partition(":")[0] for key in known)])
    sums = [_checksum(path, algorithm) for algorithm in algorithms]
    edition = next((known[found] for found in sums if found in known), None)
    return _File(path, sums[0], edition)


def _checksum(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _download_and_install(source: Source, folder: Path, progress: Progress | None) -> None:
    together = _Together([archive.size for archive in source.archives], progress)
    files = []
    for number, archive in enumerate(source.archives):
        part = _part(source, archive, folder)
        remedy = f"Get {archive.filename} by other means and pass {_option(source)}."
        tell = together.of(number)
        download(archive.urls, part, name=source.name, remedy=remedy, progress=tell)
        together.finish(number, part.stat().st_size)
        files.append(_verified(source, archive, part))
    try:
        _install(source, files, folder, progress)
    except DataError:
        for file in files:
            if file.edition is None:
                file.path.unlink()  # It may be what is wrong, and would be taken for complete.
        raise
    for file in files:
        file.path.unlink()


def _part(source: Source, archive: Archive, folder: Path) -> Path:
    several = f".{archive.filename}" if len(source.archives) > 1 else ""
    return folder.with_name(f"{folder.name}{several}.part")


def _verified(source: Source, archive: Archive, part: Path) -> _File:
    file = _identify(part, [archive])
    if archive.checksums and file.edition is None:
        part.unlink()
        raise DataError(
            f"The downloaded {archive.filename} has the unknown checksum {file.checksum}.",
            hint=f"Fetch again, or look at {source.homepage} and pass {_option(source)}.",
        )
    return file


def _install(
    source: Source, files: Sequence[_File], folder: Path, progress: Progress | None
) -> None:
    paths = [file.path for file in files]
    with temporary_folder(folder.parent) as temporary:
        root = _find_root(source, paths, _unpack_together(paths, temporary, progress))
        _describe(source, root)
        move_into_place(root, folder)
    for file in files:
        if file.edition is None:
            unknown = "%s: checksum not known (%s); structure verified"
            logger.warning(unknown, file.path, file.checksum)
        else:
            logger.info("%s: %s", file.path, file.edition)


def _unpack_together(paths: Sequence[Path], temporary: Path, progress: Progress | None) -> Path:
    together = _Together([archive_size(path) for path in paths], progress)
    joined = temporary / "data"
    for number, path in enumerate(paths):
        fresh = temporary / str(number)
        unpack(path, fresh, progress=together.of(number))
        _join(fresh, joined, path)
    return joined


def _join(fresh: Path, joined: Path, archive: Path) -> None:
    if fresh.is_dir() and joined.is_dir():
        for path in fresh.iterdir():
            _join(path, joined / path.name, archive)
    elif joined.exists():
        raise DataError(
            f"{archive} holds the file {joined.name}, as another archive does.",
            hint="Pass each archive once.",
        )
    else:
        fresh.rename(joined)


def _find_root(source: Source, paths: Sequence[Path], folder: Path) -> Path:
    # An archive may have its content in one folder, or in one inside another.
    while not any(folder.glob(source.sign)) and (inside := _only_folder(folder)):
        folder = inside
    fault = source.fault(folder)
    if fault is None:
        return folder
    are = "are" if len(paths) > 1 else "is"
    hint = f"Pass an archive that holds {source.layout}."
    if len(source.archives) > 1:
        hint = f"Pass {_option(source)}, which together hold {source.layout}."
    raise DataError(f"{' and '.join(map(str, paths))} {are} not {source.name}: {fault}.", hint=hint)


def _only_folder(folder: Path) -> Path | None:
    inside = [path for path in folder.iterdir() if path.name[0] != "."]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else None


def _describe(source: Source, root: Path) -> None:
    place = root / FILE
    if source.describe is None or place.exists():
        return
    try:
        place.write_text(source.describe(root), encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"The {FILE} of {source.name} cannot be written: {error.strerror}.",
            hint="Free space on the disk, or name a folder that may be written.",
        ) from error


def _option(source: Source) -> str:
    """Return how the command line is given what is at hand."""
    if len(source.archives) == 1:
        return "--from ARCHIVE"
    return f"--from for each of {_filenames(source)}"


def _filenames(source: Source) -> str:
    return " and ".join(archive.filename for archive in source.archives)
