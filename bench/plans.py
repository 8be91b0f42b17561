"""Write the plans of two very different data sets, side by side, into docs/explanation/plan.md.

Usage: python bench/plans.py DATA WEIGHTS
DATA holds nuclei/ (stage 1 of the 2018 Data Science Bowl, unpacked) and camvid/, whose void is
described first; WEIGHTS is a file of MobileNetV2 1.0. Nothing else should run meanwhile: the speed
of the machine is measured.
"""

import sys
import tempfile
from pathlib import Path

from measure import circumstances

import delineate as dl
from models import prepare

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "plan.md"
HEAD = "## Two plans side by side"
MINUTES = 30.0


def main() -> None:
    data, weights = (Path(given).resolve() for given in sys.argv[1:3])
    settings = {"model.encoder": "mobilenetv2", "model.weights": str(weights)}
    with tempfile.TemporaryDirectory() as room:
        places = {"nuclei": data / "nuclei", "camvid": prepare("camvid", data, Path(room))}
        plans = {
            name: dl.plan(dl.Dataset.open(place), budget=MINUTES, settings=settings)
            for name, place in places.items()
        }
    before = PAGE.read_text(encoding="utf-8").partition(f"\n{HEAD}")[0].rstrip()
    PAGE.write_text(f"{before}\n\n{section(plans)}", encoding="utf-8")


def section(plans: dict[str, dl.Plan]) -> str:
    keys = list(dict.fromkeys(key for plan in plans.values() for key in plan.reasons))
    lines = [
        HEAD,
        "",
        "Half an hour for the nuclei of the 2018 Data Science Bowl, and for the streets of CamVid,",
        "both with `--set model.encoder=mobilenetv2 --set model.weights=FILE`. Written by",
        f"`python bench/plans.py DATA WEIGHTS` at commit {circumstances()['commit']}, on "
        f"{circumstances()['cores']} cores of {circumstances()['processor']}.",
        "",
        f"| setting | {' | '.join(f'{name} | why' for name in plans)} |",
        f"| --- |{' --- | --- |' * len(plans)}",
    ]
    for key in keys:
        cells = [f"{_value(plan, key)} | {plan.reasons.get(key, '')}" for plan in plans.values()]
        lines.append(f"| `{key}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _value(plan: dl.Plan, key: str) -> str:
    if key not in plan.reasons:
        return ""
    section_name, _, name = key.partition(".")
    value = getattr(getattr(plan.recipe, section_name), name)
    if value is None:
        return "none"
    if isinstance(value, str) and "/" in value:
        value = Path(value).name
    if isinstance(value, dict):
        return " + ".join(value)
    if isinstance(value, tuple):
        return " × ".join(map(str, value)) if name == "size" else ", ".join(map(str, value))
    return str(value)


if __name__ == "__main__":
    main()
