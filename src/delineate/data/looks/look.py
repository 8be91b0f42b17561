"""What one look at a record's pixels leaves: small enough to keep for every record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from delineate.data.looks.fingerprints import Fingerprint, fingerprint
from delineate.data.looks.traits import Traits, traits
from delineate.data.reading import Decoded
from delineate.data.records import Facts


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of a record that has been read.

    Attributes:
        facts: What its pixels are.
        fingerprint: By which its image is compared with others.
        traits: What its mask shows.
    """

    facts: Facts
    fingerprint: Fingerprint
    traits: Traits

    def as_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "facts": self.facts.as_json(),
            "fingerprint": self.fingerprint.as_json(),
            "traits": self.traits.as_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Look":
        """Return the look that :meth:`as_json` has written."""
        return cls(
            Facts.from_json(values["facts"]),
            Fingerprint.from_json(values["fingerprint"]),
            Traits.from_json(values["traits"]),
        )


def look_at(decoded: Decoded) -> Look:
    """Return what is kept of a record's pixels."""
    return Look(decoded.facts, fingerprint(decoded.image), traits(decoded))
