"""How many bytes an archive from a stranger may become."""

from pathlib import Path

from delineate.errors import DataError

# Blank masks shrink a lot, so a high ratio alone is no bomb: it counts from this size on.
MAX_RATIO = 200
RATIO_FROM_BYTES = 100 * 10**6


class Meter:
    """Counts bytes and refuses the one over the limit."""

    def __init__(self, archive: Path, max_bytes: int) -> None:
        self.archive = archive
        self.max_bytes = max_bytes
        self.ratio_bytes = max(RATIO_FROM_BYTES, MAX_RATIO * archive.stat().st_size)
        self.total = 0

    def add(self, count: int) -> None:
        """Count more bytes.

        Raises:
            DataError: They are too many.
        """
        self.total += count
        if self.total > self.max_bytes:
            raise refusal(self.archive, f"unpacks to more than {self.max_bytes} bytes")
        if self.total > self.ratio_bytes:
            raise refusal(self.archive, f"unpacks to more than {MAX_RATIO} times its size")


def refusal(archive: Path, problem: str) -> DataError:
    """Return the error for an archive that is not unpacked.

    Args:
        archive: The archive.
        problem: What it does, or has.
    """
    return DataError(
        f"{archive} {problem}.",
        hint="Unpack it with another tool if you trust it, look at it, and use the folder.",
    )
