"""The plain bytes of an xz file from a stranger, whose header says how much memory they take."""

import io
import lzma
from pathlib import Path
from typing import Any

from delineate.data.fetching.meter import refusal

# The format allows 4 GiB; "xz -9" takes 65 MiB.
MAX_MEMORY = 256 * 2**20

_PACKED = 2**16
# What liblzma's limit raises in Python has no number.
_TOO_MUCH = "Memory usage limit exceeded"


class XzStream(io.RawIOBase):
    """The plain bytes of one or more xz streams, forward only.

    As ``lzma.LZMAFile``, which knows no limit: streams may follow each other, and what follows
    them and is none is passed over.
    """

    def __init__(self, packed: io.BufferedIOBase, archive: Path) -> None:
        self.packed = packed
        self.archive = archive
        self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)
        self._ended = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Put the next bytes into a buffer, and return how many; 0: there are no more.

        Raises:
            DataError: They would take more than ``MAX_MEMORY`` bytes of memory.
            lzma.LZMAError: They are damaged.
            EOFError: The end is missing.
        """
        room = memoryview(buffer).cast("B")
        plain = b""
        while not plain and not self._ended:
            plain = self._more(len(room))
        room[: len(plain)] = plain
        return len(plain)

    def _more(self, most: int) -> bytes:
        if self._stream.eof:
            return self._first_of_another(most)
        packed = self.packed.read(_PACKED) if self._stream.needs_input else b""
        if self._stream.needs_input and not packed:
            raise EOFError("it ends before the end of its stream")
        return self._decompressed(packed, most)

    def _first_of_another(self, most: int) -> bytes:
        packed = self._stream.unused_data or self.packed.read(_PACKED)
        self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)
        try:
            if packed:
                return self._decompressed(packed, most)
        except lzma.LZMAError:  # it is no stream
            pass
        self._ended = True
        return b""

    def _decompressed(self, packed: bytes, most: int) -> bytes:
        try:
            return self._stream.decompress(packed, most)
        except lzma.LZMAError as error:
            if _TOO_MUCH not in str(error):
                raise
            problem = f"takes more than {MAX_MEMORY >> 20} MiB of memory to unpack"
            raise refusal(self.archive, problem) from error
