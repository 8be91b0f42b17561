"""What may befall a training, twenty times each, at moments drawn from a seed.

Usage: python -m tests.campaigns.mishaps FOLDER [COUNT]
After each the run goes on, and has to become what it would have become. What has its row already
is not done again.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.errors import DelineateError, OutOfMemoryError
from delineate.recipe import Recipe
from delineate.training.steppers import PlainStepper
from delineate.training.train import train
from tests.campaigns.record import go_on, point_of, weights_hash, went_on
from tests.training.conftest import TINY, make_discs

EPOCHS, STEPS = 3, 2
Act = Callable[[Any], None]


class After(keras.callbacks.Callback):
    """Does something after so many steps."""

    def __init__(self, steps: int, act: Act) -> None:
        super().__init__()
        self.left, self.act = steps, act

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            self.act(self.model)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    data = _data(folder / "data")
    recipe = Recipe().override({**TINY, "callbacks.save_steps": 1})
    shutil.rmtree(folder / "whole", ignore_errors=True)
    train(Dataset.open(data), recipe, to=folder / "whole")
    expected = weights_hash(folder / "whole")

    def try_one(case: str) -> dict[str, Any]:
        name, _, number = case.rpartition(" ")
        rng = np.random.default_rng([sorted(MISHAPS).index(name), int(number)])
        cut = folder / "cut"
        for each in (cut, folder / "moved"):
            shutil.rmtree(each, ignore_errors=True)
        told = MISHAPS[name](data, recipe, cut, rng)
        place = cut if (cut / "recipe.toml").is_file() else folder / "moved"
        point = point_of(place)
        train(Dataset.open(data), to=place, resume=True)
        equal = weights_hash(place) == expected
        return {"told": told, "equal": equal, "went_on": went_on(place, point)}

    cases = [f"{name} {number}" for name in MISHAPS for number in range(count)]
    rows = go_on("mishaps", cases, try_one)
    bad = [row["case"] for row in rows if not all(row[key] for key in ("told", "equal", "went_on"))]
    print(f"{len(rows)} mishaps, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")


def _data(folder: Path) -> Path:
    """Return a folder of pairs."""
    if not folder.is_dir():
        images, masks, _ = make_discs()
        parts = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
        for number, (image, mask, part) in enumerate(zip(images, masks, parts, strict=True)):
            for kind, array in (("images", image), ("masks", mask)):
                place = folder / part / kind
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(place / f"{number:02d}.png")
    return folder


def _told(work: Callable[[], object], *kinds: type[BaseException]) -> str:
    """Return what an error says; empty where there was none of the right kind."""
    expected = kinds or (DelineateError,)
    try:
        work()
    except expected as error:
        return str(error) or type(error).__name__
    return ""


def _moment(rng: np.random.Generator) -> int:
    return int(rng.integers(1, EPOCHS * STEPS))


def nan(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    def poison(model: Any) -> None:
        weights = model.trainable_variables
        weight = weights[int(rng.integers(len(weights)))]
        weight.assign(np.full(weight.shape, rng.choice([np.nan, np.inf]), np.float32))

    called = [After(_moment(rng), poison)]
    return _told(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))


def memory(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    real, left = PlainStepper.step, [_moment(rng)]

    def step(self: PlainStepper, images: np.ndarray, masks: np.ndarray) -> dict[str, float]:
        left[0] -= 1
        if left[0] == 0:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return real(self, images, masks)

    PlainStepper.step = step  # type: ignore[method-assign]
    try:
        work = lambda: train(Dataset.open(data), recipe, to=cut)  # noqa: E731
        return _told(work, OutOfMemoryError)
    finally:
        PlainStepper.step = real  # type: ignore[method-assign]


def vanished(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    called = [After(_moment(rng), lambda _: cut.rename(cut.with_name("moved")))]
    return _told(lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called))


def cache(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    """Damage each file of the cache somewhere; the training is to be what it would be without."""
    for path in (Path(os.environ["XDG_CACHE_HOME"])).rglob("*"):
        if path.is_file():
            content = bytearray(path.read_bytes())
            if content and rng.random() < 0.5:
                content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
            elif rng.random() < 0.5:
                content = content[: int(rng.integers(len(content) + 1))]
            path.write_bytes(content)
    train(Dataset.open(data), recipe, to=cut)
    return "went on"


def sigterm(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    called = [After(_moment(rng), lambda _: os.kill(os.getpid(), signal.SIGTERM))]
    work = lambda: train(Dataset.open(data), recipe, to=cut, callbacks=called)  # noqa: E731
    return _told(work, KeyboardInterrupt)


def two_writers(data: Path, recipe: Recipe, cut: Path, rng: np.random.Generator) -> str:
    said = []

    def second(_: Any) -> None:
        said.append(_told(lambda: train(Dataset.open(data), to=cut, resume=True)))

    train(Dataset.open(data), recipe, to=cut, callbacks=[After(_moment(rng), second)])
    return said[0]


MISHAPS = {
    "NaN": nan,
    "out of memory": memory,
    "vanished folder": vanished,
    "damaged cache": cache,
    "SIGTERM": sigterm,
    "two writers": two_writers,
}

if __name__ == "__main__":
    main()
