"""What the rules look at: a data set that has been read once, with whatever failed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

from delineate.data.checking.faults import Fault, Kind, find_fault
from delineate.data.dataset import Dataset
from delineate.data.looks.fingerprints import Fingerprint
from delineate.data.looks.look import Look
from delineate.data.records import Record
from delineate.data.splitting.kinds import kinds as kinds_of
from delineate.data.splitting.similarity import near_duplicates
from delineate.errors import DataError
from delineate.recipe import Data, Recipe

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Inspection:
    """A data set that has been read once.

    Attributes:
        dataset: The data set as it was opened.
        readable: Those of its records that could be read.
        failures: The record and the error of each that could not.
        looks: What a look at each readable record has left.
        recipe: The recipe that the data is meant for, where one is named.
    """

    dataset: Dataset
    readable: Dataset
    failures: tuple[tuple[Record, DataError], ...]
    looks: tuple[Look, ...]
    recipe: Recipe | None = None

    @cached_property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """One for each readable record."""
        return tuple(look.fingerprint for look in self.looks)

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """Why each record that could not be read could not; opens their files again."""
        return tuple(find_fault(record, error) for record, error in self.failures)

    def faults_of(self, *kinds: Kind) -> list[Fault]:
        """Return the faults of some kinds, in the order of the records."""
        return [fault for fault in self.faults if fault.kind in kinds]

    @cached_property
    def kinds(self) -> list[int]:
        """The kind of picture that each readable record is; 0 is the most frequent."""
        return kinds_of(self.fingerprints)

    @cached_property
    def duplicates(self) -> list[list[int]]:
        """The groups of near-duplicates among the readable records, by their indices."""
        return near_duplicates(self.fingerprints)


def inspect(
    dataset: Dataset, progress: Progress | None = None, *, recipe: Recipe | None = None
) -> Inspection:
    """Return the data set with all its records read once; nothing is raised for a broken one.

    Args:
        dataset: The data set.
        progress: Called with (done, all) after each record.
        recipe: The recipe that the data is meant for.
    """

    def read(index: int) -> Look | DataError:
        try:
            return dataset.look(index)
        except DataError as error:
            # Its traceback would keep the pixels that were being read.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)

    found: list[Look | DataError] = []
    with ThreadPoolExecutor() as pool:
        for result in pool.map(read, range(len(dataset))):
            found.append(result)
            if progress:
                progress(len(found), len(dataset))
    dataset.keep_hashes()
    good = [index for index, result in enumerate(found) if not isinstance(result, DataError)]
    failures = tuple(
        (dataset.records[index], result)
        for index, result in enumerate(found)
        if isinstance(result, DataError)
    )
    looks = tuple(result for result in found if not isinstance(result, DataError))
    # A whole of its own: what its masks hold is asked of nothing that cannot be read.
    readable = replace(dataset.subset(good), whole=None)
    return Inspection(dataset, readable, failures, looks, recipe)


def heeded(inspection: Inspection, settings: Data) -> Inspection:
    """Return what the rules are to look at before a training.

    Args:
        inspection: The data set, read once.
        settings: The recipe's section `[data]`; where it skips images that cannot be read, these
            are not there.
    """
    if settings.unreadable == "refuse" or not inspection.failures:
        return inspection
    return replace(inspection, dataset=inspection.readable, failures=())
