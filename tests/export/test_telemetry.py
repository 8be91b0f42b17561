"""Engines connect to nobody, in a process as plain as a user's."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

# NNCF reports nothing under pytest, and so has to be tried outside of it.
SCRIPT = """
import sys

tried = []

def heard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        tried.append((event, arguments))
        raise OSError("nobody may connect")

sys.addaudithook(heard)

import keras
import numpy as np
from pathlib import Path
from delineate.export.formats import OPENVINO
from delineate.prediction.runtimes.openvino import OpenVinoRuntime

image = keras.Input((None, None, 3))
model = keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(image))
samples = [np.random.default_rng(0).random((1, 8, 8, 3), np.float32) for _ in range(4)]
OPENVINO.write(model, Path(sys.argv[1]) / "model.xml", "int8", samples)
OpenVinoRuntime.open(Path(sys.argv[1]) / "model.xml").run(samples[0])
print("telemetry" if sys.modules.get("openvino_telemetry") else "none", tried)
"""


def test_quantizing_and_converting_try_no_connection(tmp_path):
    # Looked for without an import, which would report.
    if not all(map(find_spec, ("openvino", "nncf"))):
        pytest.skip("openvino and nncf are not installed")
    (tmp_path / "home").mkdir()
    (tmp_path / "out").mkdir()
    home = {
        "HOME": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
    }
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "out")],
        env={**home, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "none []"
    assert not (tmp_path / "home" / "intel").exists(), "somebody has left a mark of consent"
