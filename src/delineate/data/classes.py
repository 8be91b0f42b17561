"""Which classes a data set has, recognised from the values its masks hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from delineate.data.records import Facts
from delineate.errors import DataError

IGNORE = 255
DEEP_IGNORE = 65535  # in 16-bit masks
MOST_CLASSES = 200


@dataclass(frozen=True)
class Encoding:
    """How stored mask values become class ids.

    Attributes:
        classes: Names by class id, background first.
        values: Class id by stored value.
    """

    classes: tuple[str, ...]
    values: dict[int, int]

    @cached_property
    def _keeps_ids(self) -> bool:
        """Whether the 8-bit values are the class ids and ignore themselves."""
        ids = [*range(len(self.classes)), IGNORE]
        return {key: key for key in ids} == {k: v for k, v in self.values.items() if k < 256}

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Return (height, width) uint8 class ids of stored values.

        Raises:
            DataError: A stored value has no class.
        """
        if labels.dtype == np.uint8 and self._keeps_ids:
            strangers = (labels >= len(self.classes)) & (labels != IGNORE)
            if not strangers.any():
                return labels
        # As large for 8-bit masks, since there may be 16-bit ones beside them.
        table = np.full(65536, -1, np.int16)
        table[list(self.values)] = list(self.values.values())
        ids = table[labels]
        if ids.min(initial=0) < 0:
            value = int(labels[ids < 0][0])
            raise DataError(
                f"A mask holds the value {value}, which is none of {sorted(self.values)}.",
                hint="Run 'delineate check' on the data; the masks may have changed.",
            )
        encoded: np.ndarray = ids.astype(np.uint8)
        return encoded


def recognise(facts: Iterable[Facts], names: tuple[str, ...] | None = None) -> Encoding:
    """Return the encoding that the masks of a data set have.

    Values 0 and 255 alone (65535 in 16-bit masks) are background and foreground, unless more than
    two classes are named; otherwise the values are class ids, and 255 (65535) is ignore.

    Args:
        facts: What reading the records has shown.
        names: Class names, where the layout or the caller knows them.

    Raises:
        DataError: The values are neither 0 and 255 nor class ids.
    """
    found: set[int] = set()
    for fact in facts:
        found |= fact.values.keys()
    for white in (IGNORE, DEEP_IGNORE):
        if white in found <= {0, white} and (names is None or len(names) == 2):
            return Encoding(names or ("background", "foreground"), {0: 0, white: 1})
    ids = sorted(found - {IGNORE, DEEP_IGNORE})
    highest = max(ids, default=0)
    if highest >= (len(names) if names else MOST_CLASSES):
        raise _no_class_ids(ids, names)
    count = max(highest + 1, 2)
    classes = names or ("background", *(f"class {number}" for number in range(1, count)))
    values = {number: number for number in range(len(classes))}
    ignored = {IGNORE: IGNORE, **({DEEP_IGNORE: IGNORE} if DEEP_IGNORE in found else {})}
    return Encoding(classes, values | ignored)


def _no_class_ids(ids: list[int], names: tuple[str, ...] | None) -> DataError:
    some = ", ".join(str(value) for value in ids[:8]) + (", …" if len(ids) > 8 else "")
    if names:
        return DataError(
            f"The masks hold the values {some}, but there are {len(names)} classes.",
            hint="Name every class, background first, or correct the masks.",
        )
    return DataError(
        f"The masks hold {len(ids)} values up to {ids[-1]} ({some}): no class ids.",
        hint="Store class ids from 0, or 0 and 255, without smoothing, as PNG; "
        "JPEG and resizing blend the values.",
    )
