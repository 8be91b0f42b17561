"""Training and prediction beside PyTorch: both sides in alternation, in one run.

Usage: python bench/speed.py FOLDER DATA [TASK...] [NETWORK...]
TASK is "training", "prediction" or "whole", NETWORK such as "plain 128"; without one all are
measured. DATA is the folder of the nuclei (stage 1 of the 2018 Data Science Bowl, unpacked), on
which the networks that predict are trained for some minutes in FOLDER first. Needs
`pip install -r bench/rivals/requirements.txt`. With RIVALS_DEVICE=cuda an NVIDIA GPU takes the
place of the processor. Nothing else should run meanwhile. A task is measured in one go: what was
cut short begins anew.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measure import ROWS, circumstances, read_rows, write_rows

HERE = Path(__file__).parent / "rivals"
REPETITIONS, SECONDS, EPOCHS = 3, 5.0, 3
# Minutes of training of a network that is then exported: until it finds nuclei.
TRAINED = {"plain 128": 3.0, "mobilenetv2 128": 3.0, "densenet121 256": 20.0}
EXPORTS = ("openvino float32", "openvino bfloat16", "openvino int8", "onnx float32")
PYTORCH = ("default", "channels-last", "bfloat16", "compiled", "compiled bfloat16")
# As documentation has it, and two of the best.
USUAL = ("default", "compiled", "compiled bfloat16")
SMP = "segmentation_models.pytorch"
TASKS = ("training", "prediction", "whole")
NETWORKS = ("plain 128", "mobilenetv2 128", "densenet121 256")


@dataclass(frozen=True)
class Contender:
    """One side in one configuration.

    Attributes:
        side: "delineate" or the rival's name.
        script: What measures it.
        configuration: What the script is told.
        backend: Keras's.
    """

    side: str
    script: str
    configuration: str
    backend: str = "tensorflow"


def contenders(task: str, network: str, device: str) -> tuple[Contender, ...]:
    """Return who is measured at a task."""
    rival = tuple(Contender("pytorch", "pytorch.py", name) for name in PYTORCH)
    if not network.startswith("plain"):
        rival += tuple(Contender(SMP, "pytorch.py", name) for name in USUAL)
    backends = ("tensorflow",) if device == "cpu" else ("jax", "torch")
    if task.startswith("prediction"):
        own = ("keras",) if device == "cuda" else ("keras", *EXPORTS)
        return (
            *(Contender("delineate", "own.py", name, each) for each in backends for name in own),
            *rival,
        )
    precisions = ("float32", "bfloat16")
    own = tuple(
        Contender("delineate", "own.py", name, each) for each in backends for name in precisions
    )
    if task == "whole":
        loops = {"plain": PYTORCH, "lightning": (USUAL[0], USUAL[-1])}
        return (
            *own,
            *(
                Contender(f"pytorch, {loop}", "whole.py", name)
                for loop, names in loops.items()
                for name in names
            ),
        )
    return (*own, *rival)


def main() -> None:
    folder, data = (Path(given).resolve() for given in sys.argv[1:3])
    device = os.environ.get("RIVALS_DEVICE", "cpu")
    if device == "cuda" and not has_gpu():
        print("There is no NVIDIA GPU here: nothing is measured.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    asked = [given for given in sys.argv[3:] if given not in NETWORKS] or [*TASKS]
    networks = [given for given in sys.argv[3:] if given in NETWORKS] or [*NETWORKS]
    name = "speed" if device == "cpu" else "speed_gpu"
    known = read_rows(name)["rows"] if (ROWS / f"{name}.json").is_file() else []
    for task, network in tasks(asked, networks):
        if task.startswith("prediction"):
            prepare(folder, data, network, exports=device == "cpu")
        rows = [
            {**about(contender, network, repetition), **measured}
            for repetition in range(REPETITIONS)
            for contender in contenders(task, network, device)
            for measured in measure(contender, task, network, folder, data)
        ]
        again = {(row["task"], network) for row in rows}
        known = [row for row in known if (row["task"], row["network"]) not in again] + rows
        write_rows(name, known)


def about(contender: Contender, network: str, repetition: int) -> dict[str, Any]:
    """Return what tells a row from others, and where it was measured."""
    return {
        "network": network,
        "side": contender.side,
        "configuration": contender.configuration,
        "backend": contender.backend if contender.side == "delineate" else "",
        "repetition": repetition,
        "commit": circumstances()["commit"],
    }


def tasks(asked: list[str], networks: list[str]) -> list[tuple[str, str]]:
    """Return the pairs of what is done and by which network."""
    found = []
    if "training" in asked:
        found += [("training", network) for network in networks]
    if "prediction" in asked:
        found += [("prediction 1 16", network) for network in networks]
    if "whole" in asked:
        found.append(("whole", NETWORKS[0]))
    return found


def measure(
    contender: Contender, task: str, network: str, folder: Path, data: Path
) -> list[dict[str, Any]]:
    """Return what one process of its own has measured; what went wrong, where it did."""
    if contender.script == "whole.py":
        loop = contender.side.partition(", ")[2]
        said = [loop, network, contender.configuration, str(data), str(EPOCHS)]
    else:
        amount = EPOCHS if task == "whole" else SECONDS
        said = [task, network, contender.configuration, str(amount)]
        said += ["smp"] if contender.side == SMP else []
    known = {
        "KERAS_BACKEND": contender.backend,
        "RIVALS_RUNS": str(folder / "runs"),
        "RIVALS_DATA": str(data),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, str(HERE / contender.script), *said],
        capture_output=True,
        text=True,
        env=os.environ | known,
        check=False,
    )
    kind, *counts = task.split()
    tasks = [f"{kind} {count}" for count in counts] or [kind]
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        found = [{"failed": why} for _ in tasks]
    else:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    rows = [{"task": each, **row} for each, row in zip(tasks, found, strict=True)]
    for row in rows:
        if "seconds" in row:
            # The first epoch compiles, opens files and starts processes.
            row["images_per_second"] = round(row["windows"] / median(row["seconds"][1:]), 2)
        print(network, contender.side, contender.configuration, row, flush=True)
    return rows


def prepare(folder: Path, data: Path, network: str, *, exports: bool) -> None:
    """Train a network for some minutes and export it, unless that has been done."""
    run = folder / "runs" / network
    if not (run / "report.json").is_file():
        shutil.rmtree(run, ignore_errors=True)
        sys.path.insert(0, str(HERE))
        code = (
            "import networks, own, delineate as dl, sys; "
            "r = own.recipe_of(networks.NETWORKS[sys.argv[1]]).override({"
            f"'training.budget': {TRAINED[network]}, 'training.epochs': 1000, "
            "'data.fit': 'crop', 'runtime.precision': 'bfloat16'"
            "}); dl.train(dl.Dataset.open(sys.argv[2]), r, to=sys.argv[3])"
        )
        subprocess.run([sys.executable, "-c", code, network, data, run], check=True, cwd=HERE)
    for each in EXPORTS if exports else ():
        engine, _, precision = each.partition(" ")
        if not (run / "exports" / f"{engine}-{precision}").is_dir():
            said = ["export", run, "--format", engine, "--precision", precision, "--data", data]
            subprocess.run([sys.executable, "-m", "delineate", *map(str, said)], check=False)


def has_gpu() -> bool:
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    main()
