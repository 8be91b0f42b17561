"""What `delineate predict` does with frames: its options for videos reach the prediction."""

import json

import numpy as np
import pytest

from delineate.cli import main as cli
from delineate.imaging import write_png
from tests.bundles import pointwise_model, save_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    model = pointwise_model([0.5], channels=3)
    return save_bundle(tmp_path_factory.mktemp("bundles") / "one", model).folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four frames in which the whole picture is now bright and now dark."""
    folder = tmp_path_factory.mktemp("frames")
    for number in range(4):
        value = 220 if number % 2 == 0 else 40
        write_png(folder / f"{number}.png", np.full((32, 48, 3), value, np.uint8))
    return folder


def predict(bundle, images, to, *options):
    return cli.run(["predict", str(bundle), str(images), "--to", str(to), *options])


@pytest.mark.parametrize(("smoothing", "bright"), [("0", [1, 0, 1, 0]), ("0.9", [1, 1, 1, 1])])
def test_images_become_a_video_with_its_own_size_and_smoothing(
    bundle, images, tmp_path, capsys, smoothing, bright
):
    av = pytest.importorskip("av")
    options = ["--rate", "5", "--size", "16x24", "--smoothing", smoothing, "--overlay", "--json"]
    assert predict(bundle, images, tmp_path, *options) == 0
    told = json.loads(capsys.readouterr().out)["predictions"][0]
    assert told["frames"] == 4
    with av.open(told["mask"]) as container:
        assert container.streams.video[0].average_rate == 5
        masks = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert [mask.shape for mask in masks] == [(32, 48)] * 4
    assert [int(mask.mean()) for mask in masks] == bright
    lines = (tmp_path / "sequence_frames.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seconds"] for line in lines] == pytest.approx([0, 0.2, 0.4, 0.6])
    assert (tmp_path / "sequence_overlay.mp4").is_file()


@pytest.mark.parametrize("size", ["288", "0x512", "00x512", "288x", "a x b"])
def test_a_size_that_is_none_is_refused(bundle, images, tmp_path, capsys, size):
    assert predict(bundle, images, tmp_path / "out", "--size", size) == 2
    told = capsys.readouterr()
    assert f"--size {size} is no size" in told.err
    assert "hint: Say height and width, such as 288x512." in told.err
    assert not (tmp_path / "out").exists()
