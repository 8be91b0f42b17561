"""The whole way: python examples/main.py DATA RUN [section.key=value ...]."""

import sys

import delineate as dl
from delineate.recipe_text import parse_settings


def main(data: str, to: str, *settings: str) -> None:
    dataset = dl.Dataset.open(data)
    for finding in dl.check(dataset).findings:
        print(f"{finding.level} {finding.code}: {finding.message}")
    recipe = dl.Recipe.load("unet-nuclei").override(parse_settings(settings))
    run = dl.train(dataset, recipe, to=to)
    print(dl.evaluate(run, dataset).values["dice_per_image"])
    (run.folder / "predictions.png").write_bytes(dl.show_predictions(run, dataset))


if __name__ == "__main__":
    main(*sys.argv[1:])
