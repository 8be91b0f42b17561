"""Evaluate: python examples/evaluate.py RUN DATA [SPLIT]."""

import sys

import delineate as dl


def main(run: str, data: str, split: str | None = None) -> None:
    values = dl.evaluate(run, dl.Dataset.open(data), split=split).values
    for name in ("dice_per_image", "iou_per_image", "mean_iou", "accuracy"):
        print(f"{name:<16}{values[name]:.4f}")
    print(f"the report is {dl.Run.open(run).report}")


if __name__ == "__main__":
    main(*sys.argv[1:])
