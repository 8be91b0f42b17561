"""Every encoder with every decoder: whether they go together, what it costs, one image forward.

Usage: python bench/matrix.py [--most MILLIONS] [ENCODER...]; with `--most` only encoders of up to
so many million parameters. Each row is kept as soon as it is there: what was interrupted goes on.
"""

import argparse
import json
import time
from typing import Any

import delineate as dl

dl.build_model  # noqa: B018  chooses the backend before Keras is imported

import keras  # noqa: E402
import numpy as np  # noqa: E402
from measure import ROWS, write_rows  # noqa: E402

from delineate.catalog import DECODERS, ENCODERS  # noqa: E402
from delineate.errors import DelineateError  # noqa: E402
from delineate.evaluation.tables import table_rows  # noqa: E402
from delineate.models.build import build_network  # noqa: E402
from delineate.models.costs import count_multiply_adds  # noqa: E402
from delineate.models.facts import encoder_facts  # noqa: E402
from delineate.models.summary import count_parameters  # noqa: E402
from delineate.recipe import Model  # noqa: E402

SIDE = 256
CLASSES = 21


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("encoders", nargs="*")
    parser.add_argument("--most", type=float, default=float("inf"))
    asked = parser.parse_args()
    facts = {row["encoder"]: row for row in table_rows("encoders")}
    chosen = sorted(asked.encoders or ENCODERS, key=lambda name: facts[name]["parameters"])
    rows = {(row["encoder"], row["decoder"]): row for row in kept()}
    for encoder in chosen:
        missing = [decoder for decoder in DECODERS if (encoder, decoder) not in rows]
        if not missing or facts[encoder]["parameters"] > asked.most * 1e6:
            continue
        if facts[encoder] != {"encoder": encoder, **encoder_facts(encoder)}:
            raise SystemExit(f"models/facts.json is stale for {encoder}: run bench/facts.py")
        for decoder in missing:
            rows[encoder, decoder] = row_of(encoder, decoder)
            print(rows[encoder, decoder], flush=True)
            write_rows("matrix", [rows[pair] for pair in pairs() if pair in rows])


def pairs() -> list[tuple[str, str]]:
    return [(encoder, decoder) for encoder in ENCODERS for decoder in DECODERS]


def kept() -> list[dict[str, Any]]:
    file = ROWS / "matrix.json"
    return json.loads(file.read_text())["rows"] if file.is_file() else []


def row_of(encoder: str, decoder: str) -> dict[str, Any]:
    keras.utils.clear_session()
    row: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
    begun = time.perf_counter()
    try:
        settings = Model(encoder=encoder, decoder=decoder)
        network = build_network(settings, classes=CLASSES, channels=3, size=(SIDE, SIDE))
    except DelineateError as error:
        return {**row, "refused": error.message}
    row["build_seconds"] = round(time.perf_counter() - begun, 1)
    row["parameters"] = count_parameters(network.model)[0]
    row["multiply_adds"] = count_multiply_adds(network.model, size=SIDE)
    image = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3)).astype(np.float32)
    begun = time.perf_counter()
    found = keras.ops.convert_to_numpy(network.model(image, training=False))
    row["forward_seconds"] = round(time.perf_counter() - begun, 1)
    if found.shape != (1, SIDE, SIDE, CLASSES) or not np.allclose(found.sum(axis=-1), 1, atol=1e-4):
        raise SystemExit(f"{encoder} with {decoder} gives {found.shape}")
    return row


if __name__ == "__main__":
    main()
