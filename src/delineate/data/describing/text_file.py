"""Text files beside the data, which are not read where they are longer than such files are."""

from pathlib import Path
from stat import S_ISREG

from delineate.errors import DataError

# Bytes of a table of a data set, its rows, and bytes of a list, of a description and of a table of
# classes: of a description nearly all are the groups of its images.
MOST_TABLE_BYTES, MOST_ROWS = 256 * 2**20, 2_000_000
MOST_LIST_BYTES, MOST_DESCRIPTION_BYTES, MOST_CLASSES_BYTES = 32 * 2**20, 16 * 2**20, 2**20


def refuse_long(path: Path, most: int = MOST_TABLE_BYTES) -> None:
    """Refuse a file of more bytes than it should have, and what is no file; it is not opened.

    Args:
        path: The file; links are followed.
        most: Bytes.

    Raises:
        DataError: It has more, or is a pipe, a device or a folder.
        OSError: It cannot be looked at.
    """
    about = path.stat()
    if not S_ISREG(about.st_mode):
        raise DataError(f"{path} is no regular file.", hint="Remove it, or write it anew.")
    if about.st_size > most:
        raise DataError(
            f"{path} has {about.st_size} bytes; the limit is {most}.",
            hint="Remove what is not of this data set, or move the file elsewhere.",
        )


def refuse_more_rows(path: Path, row: int) -> None:
    """Refuse a table that has more rows than any data set has images and objects.

    Args:
        path: The table, for the error.
        row: The number of one of its rows.

    Raises:
        DataError: It is above ``MOST_ROWS``.
    """
    if row > MOST_ROWS:
        raise DataError(
            f"{path} has more than {MOST_ROWS} rows.", hint="Make several data sets of it."
        )
