"""Getting one file whole: from the first address that answers, continued where it broke off."""

import http.client
import logging
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from delineate.data.fetching.unpack import Progress
from delineate.errors import DataError

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


class InsecureAddressError(urllib.error.URLError):
    """An address, or what it redirects to, is no https address."""


def download(
    urls: Sequence[str], part: Path, *, name: str, remedy: str, progress: Progress | None = None
) -> None:
    """Make ``part`` the whole file that stands at the first address that gives it.

    What ``part`` holds already is continued, also where an earlier call has failed; whether it is
    the right file is for the caller to check.

    Args:
        urls: The addresses; https, or http on this machine.
        part: The file to make or to continue; its folder is made.
        name: What the error calls the file.
        remedy: The hint of the error when no address gives the file.
        progress: Called with bytes done and bytes in all (0: unknown).

    Raises:
        DataError: No address gives the file, or ``part`` cannot be written.

    Example:
        >>> url = "https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip"
        >>> hint = "Get it by other means."
        >>> download([url], Path("nuclei.zip"), name="nuclei", remedy=hint)  # doctest: +SKIP
    """
    faults = []
    for url in urls:
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
    raise DataError(f"{name} could not be downloaded ({'; '.join(faults)}).", hint=remedy)


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
    return not isinstance(reason, lasting) and not isinstance(error, InsecureAddressError)


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
    raise InsecureAddressError(f"{url} is not fetched: it is no https address")


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
        except InsecureAddressError:
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
