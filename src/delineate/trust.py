"""What was made on this machine, by this user: a mark that only a key of the user's can make.

The key is 32 random bytes in the user's folder of state, which nobody else may read. The mark is an
HMAC (RFC 2104) with SHA-256 over plain values. Whoever has the key may make marks, on any machine.
"""

import hmac
import json
import logging
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

KEY_BYTES = 32

_log = logging.getLogger(__name__)


def state_folder() -> Path:
    """Return the user's folder of state for delineate (XDG base directory specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "delineate"


def mark_of(values: Mapping[str, Any]) -> str:
    """Return the mark of plain values, in hexadecimal; empty: there is no place for a key.

    The key is made when it is first needed.

    Args:
        values: Plain values for JSON, without their mark.
    """
    key = _key(make=True)
    return "" if key is None else _mark(key, values)


def is_marked(values: Mapping[str, Any], mark: object) -> bool:
    """Return whether plain values are those that were marked here; nothing is made.

    Args:
        values: Plain values out of JSON, without their mark.
        mark: What is said to be their mark.
    """
    if not isinstance(mark, str) or not mark.isascii():
        return False
    key = _key(make=False)
    return key is not None and hmac.compare_digest(_mark(key, values), mark)


def _mark(key: bytes, values: Mapping[str, Any]) -> str:
    plain = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, plain.encode(), "sha256").hexdigest()


def _key(*, make: bool) -> bytes | None:
    """Return the user's key; None: there is none, or it cannot be read or made."""
    try:
        path = state_folder() / "key"
        found = path.read_bytes() if path.is_file() else b""
        if len(found) < KEY_BYTES and make:
            return _made(path, damaged=bool(found))
    # A user may have no home folder, too.
    except (OSError, RuntimeError) as error:
        if make:
            _log.warning("no key can be kept (%s): what is saved here has no mark", error)
        return None
    return found if len(found) >= KEY_BYTES else None


def _made(path: Path, *, damaged: bool) -> bytes:
    """Return a new key, or the one that another process has made in the meantime."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if damaged:
        path.unlink(missing_ok=True)
    # Whole under its name at once, and readable by its user alone from the beginning.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        _name(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path.read_bytes()


def _name(fresh: Path, path: Path) -> None:
    try:
        with suppress(FileExistsError):
            os.link(fresh, path)
    except OSError:
        # A file system without links.
        fresh.replace(path)
