"""Train: python examples/train.py DATA RUN [section.key=value ...]."""

import sys

import delineate as dl
from delineate.recipe_text import parse_settings


def main(data: str, to: str, *settings: str) -> None:
    recipe = dl.Recipe.load("unet-nuclei").override(parse_settings(settings))
    run = dl.train(dl.Dataset.open(data), recipe, to=to)
    print(f"{len(run.rows)} epochs; the best model is in {run.best}")


if __name__ == "__main__":
    main(*sys.argv[1:])
