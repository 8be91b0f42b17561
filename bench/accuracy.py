"""What the plan reaches on real data, beside the recipes in the same time, and what each part adds.

Usage: python bench/accuracy.py DATA WEIGHTS FOLDER [NAME...]
DATA holds nuclei/ (stage 1 of the 2018 Data Science Bowl, unpacked) and camvid/; WEIGHTS is a file
of MobileNetV2 1.0; the runs, and a CamVid that knows its void, are made in FOLDER. What has its row
in bench/rows already is not done again, and what was cut short goes on. With names, only those
trainings are done. Nothing else should run meanwhile.

The test images of nuclei are a tenth, near-duplicates together and balanced by kinds, the same ones
in each training; nothing is chosen by them.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import ROWS, circumstances, read_rows, run_script, write_rows

from models import prepare

Settings = dict[str, object]
Splits = dict[str, str]


@dataclass(frozen=True)
class Training:
    """One training and what is scored after it.

    Attributes:
        name: What it is called in the tables.
        minutes: The budget.
        recipe: A recipe's name; None: the plan.
        settings: Overrides.
        data: "nuclei" or "camvid".
        part: Which images: a key of ``PARTS``, and what it is told.
        split: What is scored.
        beside: The training with which it is compared, image by image.
        settled_by: The training on other images that has found the settings of prediction.
    """

    name: str
    minutes: float
    recipe: str | None = None
    settings: Settings = field(default_factory=dict)
    data: str = "nuclei"
    part: tuple[str, object] = ("all", None)
    split: str = "test"
    beside: str | None = None
    settled_by: str | None = None


LONG, SHORT, KIND, FEW = 30.0, 10.0, 2.0, 2.0
RIVALS = ("unet-nuclei", "unet-dice", "mobilenetv2-pix2pix")
DRIVE, LEFT = "camvid, a drive left out", "0006R0"
# As long as the budget lets them; what stops them early stops them.
ENDLESS = {"training.epochs": 100_000}
MOBILENET = {"model.encoder": "mobilenetv2"}

# Test images at the most, where a whole kind of picture is left out, and where they are changed.
SOME, CHANGED = 40, 20
# Kinds of picture by how frequent they are; the last one is the rarest ones together.
KINDS = 5
# From this one on they are rare, and one training more shows what changes of light and shape add.
RARE = 3
PLAIN = "flips and turns alone"
LIGHTLESS = {
    **dict.fromkeys(("augment.warp_probability", "augment.grey", "augment.invert"), 0.0),
    **dict.fromkeys(("augment.brightness", "augment.contrast", "augment.gamma"), 0.0),
    **dict.fromkeys(("augment.hue", "augment.blur", "augment.noise"), 0.0),
}

# What the plan had, and has no more, since the parts below that take it away lost nothing.
FULLER: Settings = {
    "training.average": 0.98,
    "training.weight_decay": 1e-2,
    "data.oversample_kinds": 0.5,
    "augment.copy_paste": 0.3,
}
# What is left out of that fuller plan, or put into it, one at a time. Six hours have room for no
# more.
PARTS_OFF: dict[str, Settings] = {
    "no moving average": {"training.average": 0.0},
    "no clipping": {"training.clip_norm": "none"},
    "constant rate, no warm-up": {"training.schedule": "constant", "training.warmup": 0.0},
    "no weight decay": {"training.weight_decay": 0.0},
    "two batches a step": {"training.accumulate": 2},
    "no sampling of kinds and classes": {"data.oversample_kinds": 0.0, "data.oversample": 0.0},
    "no copy and paste": {"augment.copy_paste": 0.0},
    PLAIN: LIGHTLESS,
}
# These need no training: settings of prediction.
POST_OFF: dict[str, Settings] = {
    "no search": {},
    "no averaging": {"averaging": "none", "scales": ()},
    "connected parts": {"objects_by": "connected"},
}


def _plan(name: str, minutes: float, **changes: Any) -> Training:
    """Return a training by the plan, of a machine that has weights of MobileNetV2 at hand."""
    settings = MOBILENET | changes.pop("settings", {})
    return Training(name, minutes, settings=settings, **changes)


TRAININGS = (
    _plan("plan", LONG),
    _plan("plan, another seed", LONG, settings={"runtime.seed": 1}),
    *(
        Training(
            name,
            LONG,
            recipe=name,
            settings=ENDLESS | ({} if "unet" in name else MOBILENET),
            beside="plan",
        )
        for name in RIVALS
    ),
    # Settings are found on a drive that is left out, and not on the images that are reported.
    _plan(DRIVE, 5.0, data="camvid", part=("drive", LEFT), split="validation"),
    _plan(
        "camvid",
        60.0,
        settings={"post.tune": False},
        data="camvid",
        split="validation",
        settled_by=DRIVE,
    ),
    # Parts are kept or removed by these, so the test images have no say in it.
    _plan("short", SHORT, settings=FULLER, split="validation"),
    *(
        _plan(f"short, {name}", SHORT, settings=FULLER | off, split="validation", beside="short")
        for name, off in PARTS_OFF.items()
    ),
    *(
        _plan(f"without kind {kind}{name}", KIND, part=("kind", kind), settings=settings)
        for kind in range(KINDS)
        for name, settings in (("", {}), (f", {PLAIN}", LIGHTLESS))
        if kind >= RARE or not settings
    ),
    *(
        make(f"{count} images, {name}", FEW, part=("few", count), **said)
        for count in (10, 20, 50)
        for name, make, said in (
            ("plan", _plan, {}),
            ("unet-nuclei", Training, {"recipe": "unet-nuclei", "settings": ENDLESS}),
        )
    ),
)


def main() -> None:
    data, weights, folder = (Path(given).resolve() for given in sys.argv[1:4])
    folder.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[4:] or [training.name for training in TRAININGS]
    rows = read_rows("accuracy")["rows"] if (ROWS / "accuracy.json").is_file() else []
    done = {row["training"] for row in rows}
    for training in TRAININGS:
        if training.name not in chosen or training.name in done:
            continue
        cost, out = run_script(Path(__file__), "--one", data, weights, folder, training.name)
        said = {"training": training.name, "minutes": training.minutes, **circumstances()}
        # No folder of a machine stands in the rows.
        rows.append({**said, **cost, **json.loads(out.replace(str(folder), "FOLDER"))})
        write_rows("accuracy", rows)


def one(data: Path, weights: Path, folder: Path, name: str) -> None:
    """Do one training in a process of its own; print its scores as JSON."""
    import delineate as dl
    from delineate.evaluation.tune import tune

    training = next(each for each in TRAININGS if each.name == name)
    place, kind = _place(folder, name), training.part[0]
    begun = time.monotonic()
    source = prepare("camvid", data, folder) if training.data == "camvid" else data / "nuclei"
    dataset = PARTS[kind](dl.Dataset.open(source), training.part[1])
    said = {**training.settings, "training.budget": training.minutes, **_settled(folder, training)}
    if said.get("model.encoder") == "mobilenetv2":
        said["model.weights"] = str(weights)
    resumed = (place / "recipe.toml").is_file()
    recipe = None
    if training.recipe is not None:
        recipe = dl.Recipe.load(training.recipe).override(said)
    elif not resumed:
        recipe = dl.plan(dataset, settings=said)
    run = dl.train(dataset, recipe, to=place, resume=resumed)
    spent = time.monotonic() - begun
    if any(other.settled_by == name for other in TRAININGS):
        # The budget of so short a training leaves next to no time for a search.
        tune(place, dataset.split(training.split), dl.Recipe.load(run.recipe).augment)
    beside = None if training.beside is None else _place(folder, training.beside)
    report = dl.evaluate(
        run, dataset, split=training.split, to=place / training.split, compare=beside
    )
    found = {
        "scores": report.values,
        "epochs": len(run.rows),
        "training_seconds": round(spent, 1),
    }
    if name == "short":
        found["post"] = _without_parts(place, dataset, training.split)
    if name == "plan":
        found["strange"] = _strange(place, dataset)
    print(json.dumps(found))


def _place(folder: Path, name: str) -> Path:
    return folder / "runs" / name.replace(" ", "-").replace(",", "")


def _settled(folder: Path, training: Training) -> Settings:
    """Return the settings of prediction that another training has found."""
    if training.settled_by is None:
        return {}
    from delineate.bundle import Bundle

    post = Bundle.open(_place(folder, training.settled_by)).card.post
    return {f"post.{key}": value for key, value in post.model_dump().items() if key != "tune"}


def _without_parts(place: Path, dataset: Any, split: str) -> dict[str, Any]:
    """Return the comparison of a run with itself under other settings of prediction."""
    import delineate as dl
    from delineate.bundle import Bundle, copy_bundle
    from delineate.recipe import Post

    bundle, found = Bundle.open(place), {}
    for name, changes in POST_OFF.items():
        post = bundle.card.post.model_copy(update=dict(changes)) if changes else Post()
        other = copy_bundle(bundle, place / name, bundle.card.model_copy(update={"post": post}))
        report = dl.evaluate(other.folder, dataset, split=split, compare=place)
        found[name] = report.values["compare"]
    return found


def _strange(place: Path, dataset: Any) -> dict[str, Any]:
    """Return the scores of a run on test images of other sizes, magnifications and lights."""
    from strange import CHANGES, changed

    import delineate as dl

    tests, found = dataset.split("test").evenly(CHANGED), {}
    for name, change in CHANGES.items():
        scores = dl.evaluate(place, changed(tests, change), to=place / "strange" / name).values
        found[name] = {
            "images": len(scores["images"]),
            "dice_per_image": scores["dice_per_image"],
            "dsb_map": scores["instances"]["dsb_map"],
        }
    return found


def _all(dataset: Any, told: object) -> Any:
    """Return the data with its own splits, or with the tenths that all trainings share."""
    from delineate.data.splitting.partition import partition
    from delineate.recipe import Data

    return partition(dataset, Data(), seed=0)


def _drive(dataset: Any, drive: object) -> Any:
    """Return CamVid's training images, those of one drive as the validation part."""
    names = [record.name for record in dataset.split("train").records]
    return _only(dataset, {name: "validation" if str(drive) in name else "train" for name in names})


def _kind(dataset: Any, kind: object) -> Any:
    """Return the data with images of one kind of picture as the test part, and no others of it."""
    from delineate.data.splitting.kinds import kinds
    from delineate.data.splitting.prints import fingerprints_of

    found = (min(number, KINDS - 1) for number in kinds(fingerprints_of(dataset)))
    numbers = dict(zip((record.name for record in dataset.records), found, strict=True))
    whole = _all(dataset, None)
    rest = {"train": "train", "test": "train", "validation": "validation"}
    of_kind = [index for index, each in enumerate(dataset.records) if numbers[each.name] == kind]
    tested = {record.name: "test" for record in dataset.subset(of_kind).evenly(SOME).records}
    others = {
        record.name: rest[str(record.split)]
        for record in whole.records
        if numbers[record.name] != kind
    }
    return _only(dataset, others | tested)


def _few(dataset: Any, count: object) -> Any:
    """Return the data with so few training images; the test part is that of the others."""
    import numpy as np

    whole = _all(dataset, None)
    trained = [record.name for record in whole.split("train").records]
    order = np.random.default_rng(0).permutation(len(trained))[: int(str(count))]
    chosen = {trained[index] for index in order.tolist()}
    # A fifth of the few validates: whoever has ten images has no tenth of 600 beside them.
    held = set(sorted(chosen)[::5])
    splits = {name: "validation" if name in held else "train" for name in chosen}
    tested = {record.name: "test" for record in whole.split("test").records}
    return _only(dataset, splits | tested)


def _only(dataset: Any, splits: Splits) -> Any:
    kept = [index for index, record in enumerate(dataset.records) if record.name in splits]
    return dataset.subset(kept).with_splits(splits)


PARTS: dict[str, Callable[[Any, object], Any]] = {
    "all": _all,
    "drive": _drive,
    "kind": _kind,
    "few": _few,
}

if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(*(Path(given) for given in sys.argv[2:5]), sys.argv[5])
    else:
        main()
