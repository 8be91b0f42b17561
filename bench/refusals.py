"""What `train` refuses before any work, and in which words.

Usage: python bench/refusals.py FOLDER
Makes a small data set in FOLDER, asks `delineate train` for what cannot be, and keeps what it says.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from measure import write_rows

from delineate.imaging import write_png

ONE_HOT = '[masks]\nencoding = "one-hot"\n'
STANDARD = ("--recipe", "unet", "--set", "data.check=none")


@dataclass(frozen=True)
class Wrong:
    """Something that cannot be.

    Attributes:
        what: In words.
        options: What is said to `train`.
        spoil: Makes the data wrong.
    """

    what: str
    options: tuple[str, ...] = ()
    spoil: Callable[[Path], None] = field(default=lambda folder: None)


def no_classes(folder: Path) -> None:
    """Describe a data set without any class."""
    (folder / "dataset.toml").write_text("[classes]\nnames = []\n")


def many_classes(folder: Path) -> None:
    """Describe a data set of 70,000 classes."""
    names = ", ".join(f'"class {number}"' for number in range(70_000))
    (folder / "dataset.toml").write_text(f"[classes]\nnames = [{names}]\n")


def two_ones(folder: Path) -> None:
    """Make the masks one-hot, with a pixel of two classes."""
    (folder / "dataset.toml").write_text(ONE_HOT)
    for path in sorted((folder / "masks").iterdir()):
        mask = np.zeros((64, 64, 3), np.uint8)
        mask[..., 0] = 255
        mask[10, 20] = (255, 255, 0)
        write_png(path, mask)


def wrong_weights(folder: Path) -> None:
    """Save weights of a narrower MobileNetV2 beside the data."""
    code = (
        "import keras; keras.applications.MobileNetV2(alpha=0.35, include_top=False, weights=None)"
        f".save_weights({str(folder / 'narrow.weights.h5')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def settings(*values: str) -> tuple[str, ...]:
    """Return options that set something."""
    return tuple(part for value in values for part in ("--set", value))


CASES = (
    Wrong(
        "a decoder that needs strides the encoder lacks",
        settings("model.encoder=mobilenetv2", "model.decoder=deeplabv3plus", "model.depth=1"),
    ),
    Wrong("deeper than the encoder goes", settings("model.encoder=mobilenetv2", "model.depth=6")),
    Wrong(
        "inner outputs of a decoder that has none",
        settings("model.encoder=mobilenetv2", "model.deep_supervision=true"),
    ),
    Wrong(
        "windows that do not divide",
        settings("model.encoder=mobilenetv2", "data.size=[100,100]"),
    ),
    Wrong(
        "weights for an encoder that has none",
        settings("model.encoder=plain", "model.weights=imagenet"),
    ),
    Wrong("a misspelt encoder", settings("model.encoder=mobilnetv2")),
    Wrong("a misspelt loss", settings("loss.terms={focall=1.0}")),
    Wrong("a misspelt setting", settings("model.decodr=unet")),
    Wrong(
        "weights of another width",
        settings("model.encoder=mobilenetv2", "model.weights=narrow.weights.h5"),
        wrong_weights,
    ),
    Wrong("no class", spoil=no_classes),
    Wrong("70,000 classes", spoil=many_classes),
    Wrong("a one-hot mask with two ones", spoil=two_ones),
)


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    rows = [refusal(case, folder / f"{number}") for number, case in enumerate(CASES)]
    write_rows("refusals", rows)


def refusal(case: Wrong, folder: Path) -> dict[str, object]:
    """Ask for what cannot be; return what was said, after making sure that nothing was begun."""
    if folder.exists():
        shutil.rmtree(folder)
    make(folder / "data")
    case.spoil(folder / "data")
    if (weights := folder / "data" / "narrow.weights.h5").exists():
        weights.rename(folder / weights.name)
    command = ["train", "data", *STANDARD, *case.options, "--to", "run"]
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "delineate", *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = round(time.monotonic() - begun, 1)
    if done.returncode == 0 or (folder / "run" / "last").exists():
        raise SystemExit(f"{case.what}: was not refused")
    lines = done.stderr.replace(str(folder) + "/", "").splitlines()
    said = "\n".join(line for line in lines if line.startswith(("error: ", "hint: ")))
    print(f"{case.what} ({done.returncode}, {seconds} s)\n{said}\n")
    return {"what": case.what, "seconds": seconds, "status": done.returncode, "said": said}


def make(folder: Path) -> None:
    """Write eight images of a bright square, and their masks."""
    rng = np.random.default_rng(0)
    for number in range(8):
        image = rng.integers(0, 80, (64, 64, 3)).astype(np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        top, left = rng.integers(4, 40, 2)
        image[top : top + 20, left : left + 20] += 120
        mask[top : top + 20, left : left + 20] = 255
        for kind, pixels in (("images", image), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            write_png(folder / kind / f"{number}.png", pixels)


if __name__ == "__main__":
    main()
