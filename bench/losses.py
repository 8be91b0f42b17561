"""What each loss costs on each backend, value and slope.

Usage: python bench/losses.py
A network of one 1×1 convolution is stepped with each loss; what the same network takes with the
mean of its logits for a loss is taken off. Each backend has a process of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import time

from measure import write_rows

BACKENDS = ("tensorflow", "jax", "torch")
BATCH, SIZE, CLASSES = 8, (352, 480), 11
WARM, STEPS = 2, 5


def main() -> None:
    rows = []
    for backend in BACKENDS:
        command = [sys.executable, __file__, "--here"]
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        rows += [{"backend": backend, **row} for row in json.loads(done.stdout)]
    write_rows("losses", rows)


def here() -> list[dict[str, object]]:
    """Measure all losses in this process."""
    import keras
    import numpy as np

    from delineate.catalog import LOSSES
    from delineate.losses import SegmentationLoss

    class Mean(keras.losses.Loss):
        def call(self, y_true: object, y_pred: object) -> object:
            return keras.ops.mean(y_pred) + 0.0 * keras.ops.mean(keras.ops.cast(y_true, "float32"))

    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, *SIZE, CLASSES)).astype(np.float32)
    truth = rng.integers(0, CLASSES, (BATCH, *SIZE), np.int32)

    def seconds(loss: keras.losses.Loss, channels: int, truth: np.ndarray) -> float:
        image = keras.Input((*SIZE, CLASSES))
        model = keras.Model(image, keras.layers.Conv2D(channels, 1)(image))
        model.compile(keras.optimizers.SGD(1e-6), loss)
        taken = []
        for _ in range(WARM + STEPS):
            begun = time.perf_counter()
            model.train_on_batch(images, truth)
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken[WARM:])

    rows = []
    for name in LOSSES:
        # With a sigmoid a network has one channel for two classes.
        channels = 1 if name.startswith("binary") else CLASSES
        output = "sigmoid" if channels == 1 else "softmax"
        targets = truth % 2 if channels == 1 else truth
        base = seconds(Mean(), channels, targets)
        taken = seconds(SegmentationLoss({name: 1.0}, output=output), channels, targets)
        rows.append({"loss": name, "seconds": round(max(taken - base, 0.0), 3)})
    return rows


if __name__ == "__main__":
    if "--here" in sys.argv:
        print(json.dumps(here()))
    else:
        main()
