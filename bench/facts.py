"""The facts of each encoder and decoder: builds all of them and writes models/facts.json.

Usage: python bench/facts.py [NAME...]; with names only these encoders, and all decoders.
"""

import json
import sys
from pathlib import Path

import delineate as dl

dl.build_model  # noqa: B018  chooses the backend before Keras is imported

import keras  # noqa: E402

from delineate.catalog import DECODERS, ENCODERS  # noqa: E402
from delineate.models.facts import decoder_facts, encoder_facts  # noqa: E402

FACTS = Path(dl.__file__).parent / "models" / "facts.json"


def main() -> None:
    kept = json.loads(FACTS.read_text())["encoders"] if FACTS.is_file() else {}
    for name in sys.argv[1:] or ENCODERS:
        kept[name] = encoder_facts(name)
        print(name, kept[name]["parameters"], flush=True)
        keras.utils.clear_session()
        write({each: kept[each] for each in ENCODERS if each in kept})


def write(encoders: dict) -> None:
    tables = {"encoders": encoders, "decoders": {name: decoder_facts(name) for name in DECODERS}}
    parts = (
        f' "{table}": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
        + "\n }"
        for table, rows in tables.items()
    )
    FACTS.write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
