"""What limits the prediction of one image: the engine's layers, and its settings in turns.

Usage: python bench/limits.py BUNDLE
BUNDLE is an export for OpenVINO, such as RUN/exports/openvino-bfloat16. Nothing else should run
meanwhile.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import openvino
from measure import write_rows
from openvino.preprocess import PrePostProcessor

import delineate as dl

REPETITIONS, SETTLING = 60, 5
# OpenVINO's names of what delineate asks it for, by the precision of a bundle.
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def main() -> None:
    bundle = Path(sys.argv[1]).resolve()
    predictor = dl.Predictor.open(bundle)
    height, width = predictor.card.size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    usual = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": HINTS[predictor.card.precision],
    }
    model = bundle / predictor.card.members[0].file
    acts: dict[str, Callable[[], object]] = {
        "delineate": lambda: predictor.predict(image).mask,
        "the engine alone": of_engine(model, image, usual),
        "pixels as they are stored, converted by the engine": of_engine(
            model, image, usual, converting=True
        ),
        "threads bound to cores": of_engine(model, image, usual | {"ENABLE_CPU_PINNING": "YES"}),
        "threads bound to none": of_engine(model, image, usual | {"ENABLE_CPU_PINNING": "NO"}),
        "for throughput, one stream": of_engine(
            model, image, usual | {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": "1"}
        ),
    }
    about = {"run": bundle.parents[1].name, "engine": bundle.name, "size": [height, width]}
    rows = [
        about | {"what": what, "milliseconds": round(1000 * median(spent), 2)}
        for what, spent in in_turns(acts).items()
    ]
    shares = of_layers(model, image, usual)
    rows += [about | {"layers": kind, "share": round(share, 4)} for kind, share in shares.items()]
    write_rows("limits", rows)
    print(*rows, sep="\n")


def in_turns(acts: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return the seconds of each, done one after the other, again and again."""
    spent: dict[str, list[float]] = {what: [] for what in acts}
    for number in range(SETTLING + REPETITIONS):
        for what, act in acts.items():
            begun = time.perf_counter()
            act()
            if number >= SETTLING:
                spent[what].append(time.perf_counter() - begun)
    return spent


def of_engine(
    path: Path, image: np.ndarray, settings: dict[str, str], *, converting: bool = False
) -> Callable[[], object]:
    """Return what predicts an image by the engine, without anything before or after it."""
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([1, *image.shape])
    given = image[np.newaxis]
    if converting:
        steps = PrePostProcessor(model)
        steps.input().tensor().set_element_type(openvino.Type.u8)
        model = steps.build()
    else:
        given = given.astype(np.float32)
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer(given, share_inputs=True, share_outputs=True)


def of_layers(path: Path, image: np.ndarray, settings: dict[str, str]) -> dict[str, float]:
    """Return the share of the engine's time that each kind of layer takes, the largest first."""
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([1, *image.shape])
    request = core.compile_model(
        model, "CPU", settings | {"PERF_COUNT": "YES"}
    ).create_infer_request()
    given = image[np.newaxis].astype(np.float32)
    spent: Counter[str] = Counter()
    for number in range(SETTLING + REPETITIONS):
        request.infer(given)
        if number >= SETTLING:
            for layer in request.profiling_info:
                spent[layer.node_type] += layer.real_time.total_seconds()
    whole = sum(spent.values())
    return {kind: seconds / whole for kind, seconds in spent.most_common() if seconds}


if __name__ == "__main__":
    main()
