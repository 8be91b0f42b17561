"""kill -9 in the middle of `delineate train`, then --resume, in processes of their own."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from delineate.training import checkpoint
from tests.workflows.conftest import QUICK


def start(*arguments, cwd):
    command = [sys.executable, "-m", "delineate", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def weights_hash(folder):
    digest = hashlib.sha256()
    for array in checkpoint.load(Path(folder) / "last").arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def wait_for_point(process, folder):
    """Wait until the first resume point in mid-epoch stands; no clock decides."""
    while process.poll() is None:
        if any(path.name != "epoch000001-step00000000.npz" for path in folder.glob("epoch*.npz")):
            return
        os.sched_yield()


def test_killed_and_resumed_equals_uninterrupted_through_the_command_line(
    delineate, nuclei, tmp_path
):
    assert delineate("train", nuclei, "--to", "whole", *QUICK)[0] == 0
    process = start("train", nuclei, "--to", "cut", *QUICK, cwd=tmp_path)
    wait_for_point(process, tmp_path / "cut" / "last")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert delineate("train", nuclei, "--to", "cut", "--resume")[0] == 0
    assert weights_hash(tmp_path / "cut") == weights_hash(tmp_path / "whole")
    cards = [
        json.loads((tmp_path / run / "best" / "card.json").read_text()) for run in ("cut", "whole")
    ]
    assert cards[0]["scores"]["val_loss"] == cards[1]["scores"]["val_loss"]


def test_ctrl_c_exits_with_130_and_says_how_to_go_on(delineate, nuclei, tmp_path):
    process = start("train", nuclei, "--to", "cut", *QUICK, cwd=tmp_path)
    wait_for_point(process, tmp_path / "cut" / "last")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err.decode()
    assert "--to cut --resume" in err.decode()
    assert "Traceback" not in err.decode()
    assert delineate("train", nuclei, "--to", "cut", "--resume")[0] == 0
    assert checkpoint.load(tmp_path / "cut" / "last").finished
