"""A training with a refiner through the command line, killed in the refiner's stage and resumed."""

import json
import os
import signal
from pathlib import Path

import keras

from tests.workflows.conftest import QUICK
from tests.workflows.test_kill_and_resume import start, weights_hash

REFINED = [
    *QUICK,
    "--set=training.epochs=1",
    "--set=callbacks.pictures=0",
    "--set=evaluation.cases=0",
    "--set=refiner.use=after",
    "--set=refiner.epochs=2",
    "--set=refiner.filters=4",
    "--set=refiner.depth=1",
    "--set=refiner.critic_filters=4",
    "--set=refiner.critic_depth=1",
]


def wait_for_step(process, folder):
    while process.poll() is None:
        if any(folder.glob("epoch*.npz")):
            return
        os.sched_yield()


def test_a_refiner_killed_and_resumed_is_compared_by_evaluate_and_joined_where_it_gains(
    delineate, nuclei, tmp_path
):
    code, out, err = delineate("train", nuclei, "--to", "whole", *REFINED, "--json")
    assert code == 0, err
    told = json.loads(out)["refiner"]
    assert f"the refiner is {'kept' if told['kept'] else 'left out'}" in err
    assert "refiner: epoch 2/2" in err

    process = start("train", nuclei, "--to", "cut", *REFINED, cwd=tmp_path)
    wait_for_step(process, tmp_path / "cut" / "refiner" / "last")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    code, out, _ = delineate("train", nuclei, "--to", "cut", "--resume", "--json")
    assert code == 0
    assert json.loads(out)["refiner"] == told
    for part in ("", "refiner"):
        assert weights_hash(Path("cut") / part) == weights_hash(Path("whole") / part)

    code, out, err = delineate("evaluate", "whole", nuclei, "--split", "validation", "--json")
    assert code == 0, err
    compared = json.loads(out)["refiner"]
    assert compared == {**told, "decided_by": "mean_iou"}
    code, out, _ = delineate("evaluate", "whole", nuclei)
    assert code == 0
    assert "refiner, " in out
    code, out, _ = delineate("show", "whole/refiner", "--json")
    assert [row["epoch"] for row in json.loads(out)["rows"]] == [1, 2]
    names = {layer.name for layer in keras.saving.load_model("whole/best/model.keras").layers}
    assert ("refiner_probabilities" in names) == told["kept"]
