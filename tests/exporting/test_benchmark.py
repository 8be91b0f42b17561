"""The benchmark: a row for the Keras model and for each export, each with what it costs."""

from importlib.util import find_spec

import numpy as np
import pytest

from delineate.exporting.benchmark import benchmark
from delineate.exporting.export import export
from tests.bundles import save_bundle
from tests.exporting.test_export import bundle, data, network, run  # noqa: F401


def test_each_export_is_beside_the_keras_model(run, data):  # noqa: F811
    if find_spec("openvino") is None:
        pytest.skip("openvino: not installed")
    export(run, data, format="openvino")
    said = []
    rows = benchmark(run, data, seconds=0.1, say=said.append)
    assert [row["format"] for row in rows] == ["keras", "openvino"]
    assert [str(run.best), str(run.exports / "openvino-float32")] == [
        line.removeprefix("measuring ") for line in said
    ]
    for row in rows:
        assert 0 < row["latency_ms"]["p50"] <= row["latency_ms"]["p99"]
        assert row["memory_mib"] > 50
        assert row["file_mib"] > 0
        assert row["precision"] == "float32"
    assert rows[0]["faster"] == 1
    assert rows[1]["mean_iou"] == pytest.approx(rows[0]["mean_iou"], abs=1e-3)


def test_memory_is_that_of_each_process_and_not_of_this_one(bundle):  # noqa: F811
    large = np.ones(3 * 2**29, np.uint8)
    (row,) = benchmark(bundle.folder, seconds=0.1)
    assert row["memory_mib"] < large.nbytes / 2**20


def test_without_data_there_are_times_and_no_scores(bundle):  # noqa: F811
    rows = benchmark(bundle.folder, seconds=0.1)
    assert len(rows) == 1
    assert rows[0]["mean_iou"] is None
    assert rows[0]["images_per_second"] > 0


def test_an_export_that_cannot_be_run_and_one_of_earlier_weights_are_told(run, data):  # noqa: F811
    if find_spec("openvino") is None:
        pytest.skip("openvino: not installed")
    export(run, data, format="openvino")
    export(run, data, format="openvino", precision="float16")
    (run.exports / "openvino-float16" / "model.bin").write_bytes(b"nothing")
    (run.exports / ".left").mkdir()
    save_bundle(run.best, network(filters=4))
    rows = benchmark(run, seconds=0.1)
    assert [row["format"] for row in rows] == ["keras", "openvino-float16", "openvino"]
    assert "damaged" in rows[1]["problem"] or "model.bin" in rows[1]["problem"]
    assert [rows[0]["stale"], rows[2]["stale"]] == [False, True]
