"""What resizing alone costs: the scores of true masks after the way to a network's size and back.

Usage: python bench/resize.py DATA, a data set; every mask of it counts.
"""

import sys

from measure import write_rows

from delineate.data.dataset import Dataset
from delineate.evaluation.resize_limit import limit_table, resize_limit

SIZES = (128, 256)


def main() -> None:
    dataset = Dataset.open(sys.argv[1])
    classes = len(dataset.classes)
    rows = []
    for side in SIZES:
        tables = [limit_table(sample.mask, (side, side), classes=classes) for sample in dataset]
        found = resize_limit(tables, dataset.classes)
        del found["classes"]
        rows.append({"images": len(dataset), "size": side, **found})
    write_rows("resize", rows)


if __name__ == "__main__":
    main()
