"""The whole way on real nuclei, on the command line: fetch, check, train, evaluate, predict.

Usage: python bench/nuclei.py stage1_train.zip FOLDER
What stands in FOLDER already is not done again, so that a run that was cut short goes on.
"""

import json
import shutil
import sys
from pathlib import Path

from measure import run, write_rows

RECIPES = ("unet-nuclei", "unet-dice")


def main() -> None:
    archive, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    data, kept = folder / "nuclei", folder / "costs.json"
    rows = json.loads(kept.read_text()) if kept.is_file() else []
    done = {row["step"] for row in rows}

    def step(name: str, *arguments: object, json_out: bool = False) -> None:
        if name in done:
            return
        cost, out = run(*arguments, *(["--json"] if json_out else []))
        row = {"step": name, **cost}
        if json_out:
            row["result"] = json.loads(out)
        rows.append(row)
        kept.write_text(json.dumps(rows, indent=1))

    step("fetch", "fetch", "dsb2018", "--from", archive, "--to", data)
    step("check", "check", data, "--to", folder / "check")
    for recipe in RECIPES:
        place = folder / "runs" / recipe
        if f"train {recipe}" not in done and place.exists():
            shutil.rmtree(place)
        step(f"train {recipe}", "train", data, "--recipe", recipe, "--to", place, json_out=True)
        step(f"evaluate {recipe}", "evaluate", place, data, json_out=True)
        images = data / "0*" / "images" / "*.png"
        step(f"predict {recipe}", "predict", place, images, "--overlay", "--to", folder / "masks")
    for row in rows:
        row["command"] = (
            row["command"].replace(f"{folder}/", "").replace(str(archive), archive.name)
        )
        if "result" in row:
            row["result"].pop("images", None)
            row["result"].pop("run", None)
    write_rows("nuclei", rows)


if __name__ == "__main__":
    main()
