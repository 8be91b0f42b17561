"""Engines connect to nobody, in a process as plain as a user's."""

import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

STRACE = shutil.which("strace")
# NNCF reports nothing under pytest, and so has to be tried outside of it.
BEGIN = """
import sys
from pathlib import Path

tried = []

def heard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        tried.append((event, arguments))
        raise OSError("nobody may connect")

sys.addaudithook(heard)

import numpy as np

folder = Path(sys.argv[1])
samples = [np.random.default_rng(0).random((1, 8, 8, 3), np.float32) for _ in range(4)]
"""
EXPORT = """
import keras
from delineate.catalog import find
from delineate.exporting.calibration import Calibration

image = keras.Input((None, None, 3))
model = keras.Model(image, keras.layers.Conv2D(2, 3, padding="same")(image))
# Whoever is imported first has to be silent.
find("formats", {name!r}).engine_version()
for precision in sorted({{"float32", {precision!r}}}):
    file = folder / precision / find("formats", {name!r}).file
    file.parent.mkdir(parents=True)
    find("formats", {name!r}).write(model, file, precision, Calibration(samples))
    find("runtimes", {name!r}).open(file).run(samples[0])
"""
VIDEO = """
from fractions import Fraction
from delineate.prediction.video.frames import open_file
from delineate.prediction.video.writing import write_video

with write_video(folder / "a.mp4", Fraction(20), lossless=False) as file:
    file.add(np.zeros((32, 32, 3), np.uint8))
with open_file(folder / "a.mp4") as source:
    assert len(list(source.frames)) == 1
"""
END = """
print("telemetry" if sys.modules.get("openvino_telemetry") else "none", tried)
"""
SCRIPTS = {
    "openvino": (("openvino", "nncf"), EXPORT.format(name="openvino", precision="int8")),
    "onnx": (("onnxruntime", "tf2onnx"), EXPORT.format(name="onnx", precision="int8")),
    "litert": (("ai_edge_litert",), EXPORT.format(name="litert", precision="int8")),
    "savedmodel": ((), EXPORT.format(name="savedmodel", precision="float32")),
    "video": (("av",), VIDEO),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_engines_try_no_connection(tmp_path, name):
    modules, script = SCRIPTS[name]
    if name == "video" and not STRACE:
        pytest.skip("strace: not installed, and FFmpeg's connections are seen by nothing else")
    # Looked for without an import, which would report.
    if not all(map(find_spec, (*modules, "tensorflow"))):
        pytest.skip(f"{', '.join(modules)}: not installed")
    (tmp_path / "home").mkdir()
    (tmp_path / "out").mkdir()
    home = {
        "HOME": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
    }
    command = [sys.executable, "-c", BEGIN + script + END, str(tmp_path / "out")]
    calls = tmp_path / "calls"
    if STRACE:
        # Engines have sockets of their own, of which Python hears nothing.
        traced = "trace=connect,sendto,sendmsg"
        command = [STRACE, "-f", "-qq", "-e", traced, "-o", str(calls), *command]
    result = subprocess.run(
        command,
        env={**home, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "none []"
    assert not STRACE or "AF_INET" not in calls.read_text()
    assert not (tmp_path / "home" / "intel").exists(), "somebody has left a mark of consent"
