"""One measurement of delineate, in a process of its own; prints a line of JSON.

Usage: python bench/rivals/own.py TASK NETWORK CONFIGURATION SECONDS
TASK is "training", where the configuration is a precision; "whole", likewise, of so many epochs of
the data in RIVALS_DATA; or "prediction COUNT...", where it is a format and a precision, and
RIVALS_RUNS names the folder with a run of each network; what is found is told for each number of
images. KERAS_BACKEND is heeded.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import networks
import numpy as np
from peaks import peak_of

import delineate as dl
from delineate.data.synthetic.nuclei import make_nuclei

SETTLING = 3


def recipe_of(network: networks.Network, precision: str = "float32") -> dl.Recipe:
    """Return the recipe of a network."""
    model: dict[str, Any] = {"model.encoder": network.encoder, "model.upsampling": "transposed"}
    if network.encoder == "plain":
        model |= {"model.filters": network.filters, "model.depth": network.depth}
    else:
        model |= {
            "model.decoder_filters": network.decoder_filters,
            "model.skip_filters": network.skip_filters,
        }
    return dl.Recipe().override(
        {
            **model,
            "data.size": [network.size, network.size],
            "training.batch_size": network.batch_size,
            "training.optimizer": "adamw",
            "training.weight_decay": 1e-2,
            "runtime.precision": precision,
        }
    )


def training(network: networks.Network, precision: str) -> tuple[Callable[[], object], Any]:
    """Return a function that makes the step of `train`, with a batch that is in memory."""
    from delineate.data.splitting.partition import partition
    from delineate.models.machine import set_up
    from delineate.training.parts import assemble
    from delineate.training.thawing import plain_stepper

    recipe = recipe_of(network, precision)
    set_up(recipe.runtime)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "nuclei"
        make_nuclei(place, train=8, validation=2, test=2)
        parts = assemble(partition(dl.Dataset.open(place), recipe.data, seed=0), recipe)
    stepper = plain_stepper(parts, recipe)
    images, masks = networks.noise(network, network.batch_size)
    return lambda: stepper.step(images, masks), parts.model


def whole(network: networks.Network, precision: str, epochs: int) -> dict[str, Any]:
    """Return the seconds of each epoch of `train`, and how many windows it has."""
    import keras

    class Clock(keras.callbacks.Callback):
        """Keeps when epochs begin."""

        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.times.append(time.perf_counter())

    wanted = recipe_of(network, precision).model_dump()
    chosen = {f"model.{key}": value for key, value in wanted["model"].items()}
    recipe = dl.Recipe.load("unet-nuclei").override(
        {
            **chosen,
            "loss.terms": wanted["loss"]["terms"],
            "training.optimizer": "adamw",
            "training.batch_size": network.batch_size,
            # Its beginning is the end of the last one that counts.
            "training.epochs": epochs + 1,
            "callbacks.early_stopping": "none",
            # The rivals draw none.
            "callbacks.pictures": 0,
            "evaluation.report": False,
            "runtime.precision": precision,
        }
    )
    clock = Clock()
    dataset = dl.Dataset.open(os.environ["RIVALS_DATA"]).evenly(networks.IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        run = dl.train(dataset, recipe, to=Path(folder) / "run", callbacks=[clock])
        windows = round(run.rows[-1]["images_per_second"] * run.rows[-1]["seconds"])
    return {"seconds": np.diff(clock.times).tolist(), "windows": windows}


def predicting(
    network: networks.Network, name: str, configuration: str, counts: list[int]
) -> Iterator[tuple[int, Callable[[], object]]]:
    """Yield numbers of images, with a function from uint8 images in memory to class ids."""
    run = Path(os.environ["RIVALS_RUNS"]) / name
    engine, _, precision = configuration.partition(" ")
    place = run / "best" if engine == "keras" else run / "exports" / f"{engine}-{precision}"
    predictor = dl.Predictor.open(place)
    for count in counts:
        images = networks.noise(network, count)[0].astype(np.uint8)
        yield count, lambda given=images: [each.mask for each in predictor.predict_many(given)]


def counted(model: Any, side: int) -> dict[str, Any]:
    from delineate.models.costs import count_multiply_adds

    weights = model.trainable_weights
    return {
        "parameters": sum(int(np.prod(weight.shape)) for weight in weights),
        "multiply_adds": count_multiply_adds(model, size=side),
    }


def main() -> None:
    task, name, configuration, seconds = sys.argv[1:5]
    network = networks.NETWORKS[name]
    kind, *numbers = task.split()
    if kind == "whole":
        print(json.dumps([whole(network, configuration, int(seconds))]))
        return
    costs: dict[str, Any] = {}
    tasks: Iterable[tuple[int, Callable[[], object]]]
    if kind == "training":
        act, model = training(network, configuration)
        tasks, costs = [(network.batch_size, act)], counted(model, network.size)
    else:
        tasks = predicting(network, name, configuration, list(map(int, numbers)))
    found = [networks.timed(act, count, float(seconds), settling=SETTLING) for count, act in tasks]
    if "tensorflow" in sys.modules:
        costs["peak"] = peak_of(_product)
    print(json.dumps([each | costs for each in found]))


def _product(side: int, precision: str) -> float:
    """Return the seconds that a product of two square matrices takes."""
    import tensorflow as tf

    kind = tf.bfloat16 if precision == "bfloat16" else tf.float32
    first, second = (tf.cast(tf.random.uniform((side, side)), kind) for _ in range(2))
    begun = time.perf_counter()
    tf.linalg.matmul(first, second).numpy()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
