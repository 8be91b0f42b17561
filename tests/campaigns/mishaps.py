"""What may befall a training, twenty times each, at moments drawn from a seed.

Usage: python -m tests.campaigns.mishaps FOLDER [COUNT]
Each has to be told as people need it. Then the run goes on, and has to become what it would have
become. What has its row already is not done again.
"""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from delineate.data.dataset import Dataset
from delineate.recipe import Recipe
from delineate.training.train import train
from tests.campaigns.accidents import MISHAPS
from tests.campaigns.outcome import all_went_on, differences, outcome_of, points_of
from tests.campaigns.record import Row, conclude, go_on, judged
from tests.training.conftest import TINY, make_discs

RIGHT = ("told", "went_on", "equal")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    data, cut = _data(folder / "data"), folder / "cut"
    base = Recipe().override({**TINY, "callbacks.save_steps": 1})
    whole = _Whole(data, folder / "whole")

    def try_one(case: str) -> Row:
        name, _, number = case.rpartition(" ")
        mishap = MISHAPS[name]
        rng = np.random.default_rng([sorted(MISHAPS).index(name), int(number)])
        for each in ("cut", "moved", "twin"):
            shutil.rmtree(folder / each, ignore_errors=True)
        outcome = mishap.befall(data, base.override(mishap.settings), cut, rng)
        place = cut if (cut / "recipe.toml").is_file() else folder / "moved"
        points = points_of(place)
        train(Dataset.open(data), to=place, resume=True)
        differs = differences(outcome.expected or whole.like(place), outcome_of(place))
        row = {
            "said": outcome.said,
            "told": outcome.told,
            "went_on": all_went_on(points),
            "equal": not differs,
            **({"differs": differs} if differs else {}),
        }
        return judged(row, RIGHT)

    cases = [f"{name} {number}" for name in MISHAPS for number in range(count)]
    conclude(go_on("mishaps", cases, try_one), "mishaps")


class _Whole:
    """Trainings that nothing befell, each made once."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data, self.folder = data, folder
        self._known: dict[str, dict[str, Any]] = {}

    def like(self, run: Path) -> dict[str, Any]:
        """Return what a run's recipe comes to, without the cache."""
        path = run / "recipe.toml"
        text = path.read_text(encoding="utf-8")
        if text not in self._known:
            shutil.rmtree(self.folder, ignore_errors=True)
            train(Dataset.open(self.data, cache=False), Recipe.load(path), to=self.folder)
            self._known[text] = outcome_of(self.folder)
        return self._known[text]


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


if __name__ == "__main__":
    main()
