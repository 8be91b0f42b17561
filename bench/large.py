"""What very large images cost: time and memory by their size, and tiles beside the network.

Usage: python bench/large.py RUN FOLDER PICTURE [SIDE...]
RUN is a run or bundle for RGB images; the images (10,000², 20,000² and 40,000² pixels, tiled TIFF)
are made in FOLDER, which needs 10 GB. PICTURE is a photograph of some megapixels that fits into
memory, predicted in one go and in tiles. Rows of other runs are kept. Nothing else should run
meanwhile.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from measure import ROWS, circumstances, read_rows, run, run_script, write_rows

SIDES = (10_000, 20_000, 40_000)
TILE = 512
REPETITIONS = 16


def main() -> None:
    bundle, folder, picture = (Path(given).resolve() for given in sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    known = read_rows("large")["rows"] if (ROWS / "large.json").is_file() else []
    others = [row for row in known if row["run"] != bundle.name]
    about = {"run": bundle.name, "commit": circumstances()["commit"]}
    rows = [{**about, **in_a_child("tiling", bundle, picture)}]
    for side in map(int, sys.argv[4:] or SIDES):
        path = folder / f"{side}.tif"
        if not path.is_file():
            make_image(path, side)
        # What is there already would not be predicted again.
        shutil.rmtree(folder / "masks", ignore_errors=True)
        # This process stays small: the memory of a child is told with that of its parent.
        before = in_a_child("network", bundle, side)
        cost, _ = run("predict", bundle, path, "--to", folder / "masks")
        after = in_a_child("network", bundle, side)
        # A machine is not equally fast at all times.
        alone = (before["network_seconds"] + after["network_seconds"]) / 2
        network = after | {"network_seconds": round(alone, 1)}
        cost["command"] = f"delineate predict RUN {path.name} --to FOLDER"
        rows.append({**about, "side": side, **cost, **network})
        print(rows[-1], flush=True)
        write_rows("large", [*others, *rows])


def in_a_child(part: str, *said: object) -> dict[str, Any]:
    """Return what one part of the measurement gives, made by a process of its own."""
    _, out = run_script(Path(__file__), f"--{part}", *said)
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def make_image(path: Path, side: int) -> None:
    """Write an image of coarse noise, whose tiles differ from each other."""

    def parts() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(0)
        for _ in range((-(-side // TILE)) ** 2):
            small = rng.integers(0, 256, (TILE // 16, TILE // 16, 3), dtype=np.uint8)
            yield np.kron(small, np.ones((16, 16, 1), np.uint8))

    tifffile.imwrite(
        path,
        parts(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        compression="zlib",
        bigtiff=True,
    )


def of_tiling(bundle: Path, picture: Path) -> dict[str, Any]:
    """Return how far tiles are from the whole picture: of probabilities, and of classes."""
    from dataclasses import replace

    import delineate as dl

    predictor = dl.Predictor.open(bundle)
    card = predictor.card
    found = [
        replace(predictor, card=card.model_copy(update={"tile": tile})).predict(picture)
        for tile in (card.tile, 1 << 15)
    ]
    if card.fixed_size or max(found[0].mask.shape) <= card.tile:
        raise SystemExit("The picture is predicted in one go, or cannot be: take another.")
    tiled, whole = (each.probabilities for each in found)
    difference = np.abs(tiled - whole)
    return {
        "picture": list(found[0].mask.shape),
        "mode": "exact" if predictor.tiling.exact else "blended",
        **predictor.engine,
        "largest": float(difference.max()),
        "mean": float(difference.mean()),
        "changed": float((found[0].mask != found[1].mask).mean()),
    }


def of_the_network(bundle: Path, side: int) -> dict[str, Any]:
    """Return what the network alone takes for as many tiles of that size, and their pixels."""
    import delineate as dl
    from delineate.prediction.tiling import tiles

    predictor = dl.Predictor.open(bundle)
    tiling = predictor.tiling
    height, width = tiling.tile
    places = list(tiles((side, side), tiling))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.float32)
    predictor.raw_normalised(image)
    spent = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        predictor.raw_normalised(image)
        spent.append(time.perf_counter() - begun)
    return {
        "mode": "exact" if tiling.exact else "blended",
        **predictor.engine,
        "tiles": len(places),
        "pixels_per_pixel": round(len(places) * height * width / side**2, 3),
        "network_seconds": round(float(np.median(spent)) * len(places), 1),
    }


if __name__ == "__main__":
    if sys.argv[1] == "--tiling":
        print(json.dumps(of_tiling(Path(sys.argv[2]), Path(sys.argv[3]))))
    elif sys.argv[1] == "--network":
        print(json.dumps(of_the_network(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        main()
