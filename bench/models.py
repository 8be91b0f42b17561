"""Trainings of the model family: CamVid, nuclei and VOC, with and without pretrained weights.

Usage: python bench/models.py DATA WEIGHTS FOLDER [NAME...]
DATA holds camvid/, voc2012_sample/ and stage1_train.zip; WEIGHTS is a file of MobileNetV2 1.0.
What stands in FOLDER already is not done again, so that a campaign that was cut short goes on. With
names, only those trainings are done. Nothing else should run meanwhile.
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from measure import circumstances, run, write_rows
from PIL import Image

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
LEFT_OUT = "0006R0"
VOID = 255
VOC_CLASSES = 21


@dataclass(frozen=True)
class Training:
    """One training and what is scored after it.

    Attributes:
        name: What it is called in the table.
        data: The name of a data set.
        recipe: The name of a recipe.
        settings: Overrides.
        pretrained: Whether the encoder begins with the weights' file.
        splits: What is scored.
        colours: Whether the masks are written too, and their colours compared with the true ones.
    """

    name: str
    data: str
    recipe: str
    settings: dict[str, object] = field(default_factory=dict)
    pretrained: bool = False
    splits: tuple[str, ...] = ("validation",)
    colours: bool = False


SCRATCH = {"model.weights": "none", "model.statistics": "trained"}
# The encoder is trained too, to the last epoch.
TUNED = {
    "model.freeze": "none",
    "model.statistics": "frozen",
    "training.learning_rate": 5e-4,
    "training.schedule": "cosine",
    "callbacks.best": "last",
    "callbacks.early_stopping": "none",
}
BY_HEART = {
    "model.weights": "none",
    "model.freeze": "none",
    "callbacks.best": "last",
    "callbacks.early_stopping": "none",
    "callbacks.reduce_on_plateau": "none",
    "data.validation": 0.0,
    "data.test": 0.0,
    "data.near_duplicates": "ignore",
    "data.kinds": "ignore",
    "training.batch_size": 4,
    "training.epochs": 500,
    "training.schedule": "cosine",
}
SLIM = {"refiner.filters": 16, "refiner.critic_filters": 32}
REFINED = {"refiner.use": "after", "refiner.fidelity": "loss", "refiner.learning_rate": 5e-4}

# The numbers of epochs are what fits the time on two cores of the machine of the results.
TRAININGS = (
    Training("camvid", "camvid", "camvid", pretrained=True),
    Training("camvid 30 min", "camvid", "camvid", {"training.epochs": 23}, pretrained=True),
    Training("camvid 30 min, from nothing", "camvid", "camvid", {**SCRATCH, "training.epochs": 15}),
    Training(
        "camvid 30 min, a drive left out",
        "camvid-drive",
        "camvid",
        {"training.epochs": 31},
        pretrained=True,
        splits=("validation", "test"),
    ),
    Training("nuclei as it was", "nuclei", "mobilenetv2-pix2pix", {}, True, ("test",)),
    Training("nuclei fine-tuned", "nuclei", "mobilenetv2-pix2pix", TUNED, True, ("test",)),
    Training("voc by heart", "voc", "densenet121-unet", BY_HEART, splits=("train",), colours=True),
    Training(
        "nuclei 15 min",
        "nuclei",
        "mobilenetv2-gan",
        {**TUNED, "refiner.use": "none", "training.epochs": 30},
        True,
        ("test",),
    ),
    Training(
        "nuclei 15 min, refined",
        "nuclei",
        "mobilenetv2-gan",
        {**TUNED, **REFINED, "training.epochs": 14, "refiner.epochs": 4},
        True,
        ("test",),
    ),
    Training("camvid 15 min", "camvid", "camvid", {"training.epochs": 11}, True),
    Training(
        "camvid 15 min, refined",
        "camvid",
        "camvid",
        # At this size a refiner of the usual width takes longer for an epoch than there is.
        {**REFINED, **SLIM, "training.epochs": 6, "refiner.epochs": 2},
        True,
    ),
    Training("voc", "voc-lists", "mobilenetv2-gan", {"refiner.use": "none"}, True),
    Training("voc, refined", "voc-lists", "mobilenetv2-gan", {}, True),
)


def main() -> None:
    data, weights, folder = (Path(given).resolve() for given in sys.argv[1:4])
    chosen = sys.argv[4:] or [training.name for training in TRAININGS]
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "rows.json"
    rows = json.loads(kept.read_text()) if kept.is_file() else []
    done = {row["training"] for row in rows}
    for training in TRAININGS:
        if training.name in chosen and training.name not in done:
            prepared = prepare(training.data, data, folder)
            rows.append(measure(training, prepared, weights, folder))
            kept.write_text(json.dumps(rows, indent=1))
    write_rows("models", rows)
    draw(folder / "runs" / "camvid")


def draw(place: Path) -> None:
    """Copy the drawings of a training to where the results' page shows them."""
    for found, name in (
        (place / "results.png", "camvid-curves.png"),
        (place / "validation" / "confusion_matrix.png", "camvid-confusion.png"),
    ):
        if found.is_file():
            shutil.copyfile(found, PICTURES / name)


def measure(training: Training, data: Path, weights: Path, folder: Path) -> dict[str, object]:
    """Train and score; return the row."""
    place = folder / "runs" / training.name.replace(" ", "-").replace(",", "")
    if place.exists():
        shutil.rmtree(place)
    commit = circumstances()["commit"]
    settings = dict(training.settings)
    if training.pretrained:
        settings["model.weights"] = str(weights)
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    cost, _ = run("train", data, "--recipe", training.recipe, *options, "--to", place)
    scores = {}
    for split in training.splits:
        _, out = run("evaluate", place, data, "--split", split, "--to", place / split, "--json")
        scores[split] = {key: value for key, value in json.loads(out).items() if key != "images"}
    written = colours(place, data) if training.colours else None
    command = str(cost["command"])
    for path, name in ((data, data.name), (weights, weights.name), (place, f"runs/{place.name}")):
        command = command.replace(str(path), name)
    return {
        "training": training.name,
        **cost,
        "command": command,
        "commit": commit,
        "epochs": len((place / "results.csv").read_text().splitlines()) - 1,
        "scores": scores,
        **({"written": written} if written else {}),
    }


def colours(place: Path, data: Path) -> dict[str, object]:
    """Predict the images of a VOC folder; return what their masks have in common with the truth."""
    run("predict", place, *sorted(data.glob("JPEGImages/*.jpg")), "--to", place / "masks")
    truths = sorted((data / "SegmentationClass").glob("*.png"))
    palettes, sizes, same, counted, ids = [], [], 0, 0, set()
    for path in truths:
        with Image.open(place / "masks" / path.name) as mask, Image.open(path) as truth:
            # What no class has is drawn by nobody.
            ours, theirs = (
                np.array(each.getpalette())[: 3 * VOC_CLASSES] for each in (mask, truth)
            )
            palettes.append(mask.mode == "P" and np.array_equal(ours, theirs))
            sizes.append(mask.size == truth.size)
            drawn, true = np.asarray(mask.convert("RGB")), np.asarray(truth.convert("RGB"))
            known = np.asarray(truth) != VOID
            ids |= set(np.unique(np.asarray(mask)).tolist())
        same += int((drawn == true).all(axis=-1)[known].sum())
        counted += int(known.sum())
    return {
        "masks": len(truths),
        "palettes_equal": all(palettes),
        "sizes_equal": all(sizes),
        "pixels_of_the_same_colour": same / counted,
        "void_written": VOID in ids,
    }


def prepare(name: str, data: Path, folder: Path) -> Path:
    """Return the folder of a data set, made ready for training."""
    place = folder / name
    if not place.exists():
        PREPARATIONS[name](data, place)
    return place


def _camvid(data: Path, place: Path) -> None:
    _copy(data / "camvid", place)
    run("check", place, "--write")


def _camvid_without_a_drive(data: Path, place: Path) -> None:
    _copy(data / "camvid", place)
    for kind in ("images", "masks"):
        (place / "test" / kind).mkdir(parents=True)
        for path in sorted((place / "train" / kind).glob(f"{LEFT_OUT}*")):
            path.rename(place / "test" / kind / path.name)
    run("check", place, "--write")


def _nuclei(data: Path, place: Path) -> None:
    run("fetch", "dsb2018", "--from", data / "stage1_train.zip", "--to", place)


def _voc(data: Path, place: Path) -> None:
    """All four pairs for training, and none for anything else."""
    _voc_with_its_lists(data, place)
    lists = place / "ImageSets" / "Segmentation"
    for path in lists.iterdir():
        path.unlink()
    names = sorted(path.stem for path in (place / "SegmentationClass").glob("*.png"))
    (lists / "train.txt").write_text("\n".join(names) + "\n")


def _voc_with_its_lists(data: Path, place: Path) -> None:
    _copy(data / "voc2012_sample", place)


def _copy(source: Path, place: Path) -> None:
    shutil.copytree(source, place, copy_function=shutil.copyfile)


PREPARATIONS: dict[str, Callable[[Path, Path], None]] = {
    "camvid": _camvid,
    "camvid-drive": _camvid_without_a_drive,
    "nuclei": _nuclei,
    "voc": _voc,
    "voc-lists": _voc_with_its_lists,
}

if __name__ == "__main__":
    main()
