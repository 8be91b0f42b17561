"""Data sets that are damaged on purpose, one for each way of going wrong.

``python -m tests.campaigns.damaged FOLDER`` writes them all, each with a line that says what was
done.
"""

import sys
from pathlib import Path

from tests.campaigns.damage import Damage
from tests.campaigns.damages import (
    colours,
    descriptions,
    files,
    images,
    masks,
    pairs,
    parts,
    splits,
    turns,
    values,
)

DAMAGES: dict[str, Damage] = (
    files.DAMAGES
    | pairs.DAMAGES
    | turns.DAMAGES
    | values.DAMAGES
    | colours.DAMAGES
    | masks.DAMAGES
    | splits.DAMAGES
    | images.DAMAGES
    | parts.DAMAGES
    | descriptions.DAMAGES
)


def main(folder: Path) -> None:
    """Write all data sets into a folder."""
    for name, damage in DAMAGES.items():
        damage.write(folder / name)
        print(f"{damage.code:5} {name}: {damage.what}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
