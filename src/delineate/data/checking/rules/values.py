"""What the stored values of the masks mean, leaving out masks that are damaged by blending."""

from collections.abc import Iterable

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.wording import names_of
from delineate.data.classes import Encoding, recognise
from delineate.data.records import Record
from delineate.data.shares import stored_values
from delineate.errors import DataError

# Share of the border pixels from which a mask is taken for blended, and the mixtures that all such
# masks of a data set must hold between them: one alone may be a class that is drawn as an outline.
BLENDED = 0.1
_MIXTURES = 2


def blended(inspection: Inspection) -> list[int]:
    """Return the indices of the readable records whose masks are blended, the worst first."""
    shares = [look.traits.blended for look in inspection.looks]
    found = [index for index, share in enumerate(shares) if share >= BLENDED]
    mixtures = {value for index in found for value in inspection.looks[index].traits.blends}
    return sorted(found, key=lambda i: -shares[i]) if len(mixtures) >= _MIXTURES else []


def sound(inspection: Inspection) -> list[int]:
    """Return the indices of the readable records whose masks are neither blended nor pictures."""
    broken = set(blended(inspection))
    looks = enumerate(inspection.looks)
    return [i for i, look in looks if i not in broken and not look.traits.copied]


def label_error(inspection: Inspection) -> DataError | None:
    """Return why the stored values of the sound masks are no classes.

    None where they are, or where no mask is sound.
    """
    found = _recognised(inspection)
    return found if isinstance(found, DataError) and sound(inspection) else None


def encoding_of(inspection: Inspection) -> Encoding | None:
    """Return how the sound masks encode classes; None where they do not, or there are none."""
    found = _recognised(inspection)
    return found if isinstance(found, Encoding) and sound(inspection) else None


def _recognised(inspection: Inspection) -> Encoding | DataError:
    facts = [inspection.looks[index].facts for index in sound(inspection)]
    try:
        return recognise(facts, inspection.readable.description)
    except DataError as error:
        return error


def held_values(inspection: Inspection) -> set[int]:
    """Return the stored values of the sound masks."""
    return set(stored_values(inspection.looks[index].facts for index in sound(inspection)))


def with_values(inspection: Inspection, values: Iterable[int]) -> list[Record]:
    """Return the records whose masks hold some values, those that hold most of them first."""
    wanted = set(values)
    looks = inspection.looks
    counts = {
        index: sum(n for value, n in looks[index].facts.values.items() if value in wanted)
        for index in sound(inspection)
    }
    order = sorted((index for index in counts if counts[index]), key=lambda index: -counts[index])
    return [inspection.readable.records[index] for index in order]


def names_at(inspection: Inspection, indices: Iterable[int]) -> tuple[str, ...]:
    """Return the names of some readable records, as many as a finding names."""
    return names_of(inspection.readable.records[index] for index in indices)
