"""What the rules look at: a data set that has been read once, with whatever failed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

from delineate.data.dataset import Dataset
from delineate.data.fingerprints import Fingerprint
from delineate.data.records import Record
from delineate.data.similarity import near_duplicates
from delineate.errors import DataError, ImageError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Inspection:
    """A data set that has been read once.

    Attributes:
        dataset: The data set as it was opened.
        readable: Those of its records that could be read.
        failures: The record and the error of each that could not.
        fingerprints: One for each readable record.
    """

    dataset: Dataset
    readable: Dataset
    failures: tuple[tuple[Record, DataError], ...]
    fingerprints: tuple[Fingerprint, ...]

    @property
    def unreadable(self) -> list[tuple[Record, DataError]]:
        """Those that are no image, or broken."""
        return [item for item in self.failures if isinstance(item[1], ImageError)]

    @property
    def misfits(self) -> list[tuple[Record, DataError]]:
        """Those whose image and mask do not fit each other."""
        return [item for item in self.failures if not isinstance(item[1], ImageError)]

    @cached_property
    def duplicates(self) -> list[list[int]]:
        """The groups of near-duplicates among the readable records, by their indices."""
        return near_duplicates(self.fingerprints)


def inspect(dataset: Dataset, progress: Progress | None = None) -> Inspection:
    """Return the data set with all its records read once; nothing is raised for a broken one."""

    def read(index: int) -> Fingerprint | DataError:
        try:
            return dataset.look(index)[1]
        except DataError as error:
            return error

    found: list[Fingerprint | DataError] = []
    with ThreadPoolExecutor() as pool:
        for result in pool.map(read, range(len(dataset))):
            found.append(result)
            if progress:
                progress(len(found), len(dataset))
    good = [index for index, result in enumerate(found) if not isinstance(result, DataError)]
    failures = tuple(
        (dataset.records[index], result)
        for index, result in enumerate(found)
        if isinstance(result, DataError)
    )
    fingerprints = tuple(result for result in found if not isinstance(result, DataError))
    # A whole of its own: what its masks hold is asked of nothing that cannot be read.
    readable = replace(dataset.subset(good), whole=None)
    return Inspection(dataset, readable, failures, fingerprints)
