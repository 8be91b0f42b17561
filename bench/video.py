"""Frames per second and latency of a video, with decoding, and masks and pictures written.

Usage: python bench/video.py RUN VIDEO [HEIGHTxWIDTH]
The fastest export of the run predicts. Nothing else should run meanwhile.
"""

import json
import sys
import tempfile
from pathlib import Path

from measure import run, write_rows

REPETITIONS = 5


def main() -> None:
    bundle, video = Path(sys.argv[1]), Path(sys.argv[2])
    size = sys.argv[3] if len(sys.argv) > 3 else "288x512"
    rows = []
    told = f"delineate predict RUN {video.name} --size {size} --overlay --to FOLDER --json"
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as folder:
            said = ["predict", bundle, video, "--size", size, "--overlay", "--to", folder, "--json"]
            cost, out = run(*said)
        found = json.loads(out)["predictions"][0]
        kept = ("runtime", "precision", "frames", "dropped", "frames_per_second", "latency_ms")
        rows.append({"size": size, **cost, "command": told, **{key: found[key] for key in kept}})
        print(rows[-1], flush=True)
    write_rows("video", rows)


if __name__ == "__main__":
    main()
