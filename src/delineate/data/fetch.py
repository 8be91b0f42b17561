"""Named data sets: where they come from, and how they get onto this disk.

To add one, write a function that says what is wrong with an unpacked folder, and add one entry to
``SOURCES``.
"""

import http.client
import logging
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from delineate.data.unpack import (
    Progress,
    archive_size,
    free_folder,
    move_into_place,
    temporary_folder,
    unpack,
)
from delineate.errors import DataError, UsageError, near_miss
from delineate.files import sha256

RETRY_AFTER_SECONDS = (1.0, 4.0, 15.0)
TIMEOUT_SECONDS = 30.0
CHUNK_BYTES = 2**18

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    ssl.SSLError,
    ConnectionError,
    TimeoutError,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """One data set that can be fetched by its name.

    Attributes:
        name: What the user types.
        urls: Where the archive is; the first that answers is used.
        sha256s: The known checksums of the archive, and which edition each one is.
        licence: The licence as its publisher states it.
        homepage: The page that describes the data.
        filename: The name of the archive at its publisher.
        layout: What the unpacked folder holds, in one line.
        fault: Says what keeps a folder from having that layout, None if nothing does.
    """

    name: str
    urls: tuple[str, ...]
    sha256s: dict[str, str]
    licence: str
    homepage: str
    filename: str
    layout: str
    fault: Callable[[Path], str | None]


def _dsb2018_fault(folder: Path) -> str | None:
    images = sorted(path for path in folder.iterdir() if path.is_dir())
    for image in images:
        if not (image / "images" / f"{image.name}.png").is_file():
            return f"{image.name} has no images/{image.name}.png"
        if not (image / "masks").is_dir():
            return f"{image.name} has no masks/"
    return None if images else "it has no folders"


SOURCES: dict[str, Source] = {
    "dsb2018": Source(
        name="dsb2018",
        urls=("https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",),
        sha256s={
            "211d469590aefc938444c6c51d5933b39b64e81bd33ce52ca4a5469e79d937d5": (
                "stage 1 training set with community corrections, 664 images"
            ),
            # As several independent projects recorded it after downloading from the address above.
            "dcb6edc2690f137406638b2309581a71522c4dff19157d118453b448dcddcb68": (
                "BBBC038v1, stage 1 training set as published, 670 images"
            ),
        },
        licence="CC0 1.0",
        homepage="https://bbbc.broadinstitute.org/BBBC038",
        filename="stage1_train.zip",
        layout="<id>/images/<id>.png and <id>/masks/*.png, one object each",
        fault=_dsb2018_fault,
    ),
}


def fetch(
    name: str,
    *,
    archive: Path | None = None,
    to: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return the folder of a named data set, downloaded or taken from an archive, and verified.

    The folder appears whole or not at all. A download that breaks off stays as ``<to>.part`` and
    is continued the next time. A downloaded archive must have a known checksum, where one is known;
    an archive at hand with another checksum is taken, with a warning, if its layout is right.

    Args:
        name: A key of ``SOURCES``.
        archive: An archive at hand, to use instead of a download.
        to: The folder to make, by default ``name`` in the current folder. An empty one may exist.
        progress: Called with bytes done and bytes in all (0: unknown) of the archive, first for
            the download and then for the unpacking.

    Raises:
        UsageError: No data set has this name.
        DataError: The folder is not empty, the archive does not exist, cannot be downloaded, is
            not the right one, is damaged or unsafe, or the disk cannot be written.

    Example:
        >>> fetch("dsb2018", archive=Path("stage1_train.zip"), to=Path("nuclei"))  # doctest: +SKIP
    """
    source = find_source(name)
    target = Path(name) if to is None else to
    folder = free_folder(target)
    if archive is not None:
        archive_size(archive)
        _install(source, archive, sha256(archive), folder, progress)
    else:
        _download_and_install(source, folder, progress)
    return target


def find_source(name: str) -> Source:
    """Return the source of a named data set.

    Raises:
        UsageError: No data set has this name.
    """
    if name not in SOURCES:
        raise UsageError(
            f"There is no data set {name!r}.{near_miss(name, list(SOURCES))}",
            hint=f"Choose one of: {', '.join(sorted(SOURCES))}.",
        )
    return SOURCES[name]


def _download_and_install(source: Source, folder: Path, progress: Progress | None) -> None:
    part = folder.with_name(f"{folder.name}.part")
    _download(source, part, progress)
    checksum = sha256(part)
    is_known = checksum in source.sha256s
    if source.sha256s and not is_known:
        part.unlink()
        raise DataError(
            f"The downloaded {source.filename} has the unknown checksum {checksum} (sha256).",
            hint=f"Fetch again, or look at {source.homepage} and pass --from ARCHIVE.",
        )
    try:
        _install(source, part, checksum, folder, progress)
    except DataError:
        if not is_known:
            part.unlink()  # It may be what is wrong, and would be taken for complete next time.
        raise
    part.unlink()


def _install(
    source: Source, archive: Path, checksum: str, folder: Path, progress: Progress | None
) -> None:
    with temporary_folder(folder.parent) as temporary:
        unpacked = temporary / "data"
        unpack(archive, unpacked, progress=progress)
        move_into_place(_find_root(source, archive, unpacked), folder)
    edition = source.sha256s.get(checksum)
    if edition is None:
        logger.warning("%s: checksum not known (%s); structure verified", archive, checksum)
    else:
        logger.info("%s: %s", archive, edition)


def _find_root(source: Source, archive: Path, folder: Path) -> Path:
    # An archive may have its content in one folder, or in one inside another.
    while (fault := source.fault(folder)) is not None:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            raise DataError(
                f"{archive} is not {source.name}: {fault}.",
                hint=f"Pass an archive that holds {source.layout}.",
            )
        folder = inside[0]
    return folder


def _download(source: Source, part: Path, progress: Progress | None) -> None:
    faults = []
    for url in source.urls:
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            return _download_with_retries(url, part, progress)
        except _NETWORK_ERRORS as error:
            faults.append(f"{url}: {_cause(error)}")
        except OSError as error:
            raise DataError(
                f"{part} cannot be written: {error.strerror}.",
                hint="Free space on the disk, or name a folder that may be written.",
            ) from error
    raise DataError(
        f"{source.name} could not be downloaded ({'; '.join(faults)}).",
        hint=f"Get {source.filename} by other means and pass --from ARCHIVE.",
    )


def _download_with_retries(url: str, part: Path, progress: Progress | None) -> None:
    for seconds in RETRY_AFTER_SECONDS:
        try:
            return _download_rest(url, part, progress)
        except _NETWORK_ERRORS as error:
            if not _may_pass(error):
                raise
            logger.info("%s: %s; trying again in %s s", url, error, seconds)
            time.sleep(seconds)
    return _download_rest(url, part, progress)


def _cause(error: Exception) -> str:
    # A plain URLError only wraps the cause; an HTTPError's own text has the status.
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _may_pass(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in _PASSING_STATUS
    reason = getattr(error, "reason", error)
    lasting = (socket.gaierror, ssl.SSLCertVerificationError, ConnectionRefusedError)
    return not isinstance(reason, lasting)


def _download_rest(url: str, part: Path, progress: Progress | None) -> None:
    """Append to ``part`` what it lacks, or start anew where the server cannot continue."""
    start = part.stat().st_size if part.exists() else 0
    try:
        with _open(url, start) as response:
            if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                start = 0
            elif _content_range(response.headers, r"bytes (\d+)-") != start:
                part.unlink()
                raise ConnectionError("the server continued at another byte than asked")
            _receive(response, part, start, progress)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if _content_range(error.headers, r"bytes \*/(\d+)") != start:
                part.unlink(missing_ok=True)
                raise ConnectionError("the file at the server is shorter than ours") from error


def _open(url: str, start: int) -> http.client.HTTPResponse:
    _refuse_insecure(url)
    # A proxy is for the world outside, never for this machine.
    proxies = [urllib.request.ProxyHandler({})] if urlsplit(url).hostname in _LOOPBACK else []
    headers = {"User-Agent": "delineate", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - refused above
    opener = urllib.request.build_opener(_SecureRedirects, *proxies)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_SECONDS)
    return response


def _refuse_insecure(url: str) -> None:
    address = urlsplit(url)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK):
        return
    raise DataError(
        f"{url} is not fetched: it is no https address.",
        hint="Get the archive by other means and pass --from ARCHIVE.",
    )


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to a https address only."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _refuse_insecure(newurl)
        except DataError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _content_range(headers: Message, pattern: str) -> int | None:
    found = re.match(pattern, headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _receive(
    response: http.client.HTTPResponse, part: Path, start: int, progress: Progress | None
) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length is not None else 0
    done = start
    with part.open("ab" if start else "wb") as out:
        while chunk := response.read(CHUNK_BYTES):
            out.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    # http.client takes a connection that was cut for the end of the file.
    if total and done != total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")
