"""What `delineate demo` reaches, and how long it takes.

Usage: python bench/demo.py
Nothing else should run meanwhile.
"""

import json
import tempfile
from pathlib import Path

from measure import run, write_rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cost, out = run("demo", "--to", Path(folder) / "demo", "--json")
    said = json.loads(out)
    scores = {key: said[key] for key in ("dice_per_image", "mean_iou")}
    write_rows("demo", [{**cost, "command": "delineate demo", **scores}])


if __name__ == "__main__":
    main()
