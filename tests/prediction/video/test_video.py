"""Videos: each frame predicted as the image that it is, and masks kept without loss."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.errors import ImageError
from delineate.prediction.many import predict_files
from delineate.prediction.outputs import Wanted
from delineate.prediction.predictor import Predictor
from delineate.prediction.video.frames import Frame, Source, is_live, open_file, open_live
from delineate.prediction.video.predicting import Watching, predict_video
from delineate.prediction.video.writing import write_video

av = pytest.importorskip("av")

SIZE = (48, 64)
BOUNDS = [0.3, 0.7]


def picture(number):
    """A bright bar that moves over a dark ground."""
    image = np.full((*SIZE, 3), 20, np.uint8)
    image[:, 4 * number : 4 * number + 16] = 240
    return image


@pytest.fixture
def video(tmp_path):
    with write_video(tmp_path / "in" / "bar.mp4", Fraction(20), lossless=False) as file:
        for number in range(10):
            file.add(picture(number))
    return tmp_path / "in" / "bar.mp4"


def frames_of(path, kind="gray"):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=kind) for frame in container.decode(video=0)]


def test_each_frame_of_a_file_gives_a_mask_a_line_and_a_picture(tmp_path, colour_bundle, video):
    done = predict_files(
        colour_bundle.folder, [str(video)], to=tmp_path / "out", wanted=Wanted(overlay=True)
    )
    assert not done.failures
    summary = done.written[0]
    assert (summary["frames"], summary["dropped"]) == (10, 0)
    assert summary["latency_ms"]["p99"] >= summary["latency_ms"]["p50"] > 0
    assert summary == json.loads((tmp_path / "out" / "bar.json").read_text())
    predictor = Predictor.open(colour_bundle.folder)
    masks, seen = frames_of(summary["mask"]), frames_of(video, "rgb24")
    for mask, image in zip(masks, seen, strict=True):
        np.testing.assert_array_equal(mask, predictor.predict(image).mask)
    lines = [json.loads(line) for line in Path(summary["frames_file"]).read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(10))
    assert lines[3]["seconds"] == pytest.approx(3 / 20, abs=0.001)
    assert sum(lines[3]["pixels"].values()) == SIZE[0] * SIZE[1]
    assert frames_of(summary["overlay"], "rgb24")[0].shape == (*SIZE, 3)


def test_class_ids_are_kept_as_they_are(tmp_path):
    masks = [np.random.default_rng(n).integers(0, 256, (37, 51), dtype=np.uint8) for n in range(3)]
    with write_video(tmp_path / "mask.mkv", Fraction(30), lossless=True) as file:
        for mask in masks:
            file.add(mask)
    np.testing.assert_array_equal(frames_of(tmp_path / "mask.mkv"), masks)


def test_images_in_order_may_be_the_frames_of_a_video(tmp_path, colour_bundle):
    for number in range(4):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(picture(number)).save(tmp_path / "in" / f"{number}.png")
    done = predict_files(
        colour_bundle.folder,
        [str(tmp_path / "in")],
        to=tmp_path / "out",
        watching=Watching(rate=Fraction(5)),
    )
    assert done.written[0]["frames"] == 4
    predictor = Predictor.open(colour_bundle.folder)
    masks = frames_of(tmp_path / "out" / "sequence_mask.mkv")
    for number, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, predictor.predict(picture(number)).mask)


def test_frames_may_be_predicted_at_another_size(tmp_path, colour_bundle, video):
    predictor = Predictor.open(colour_bundle.folder)
    seen = []

    class Engine:
        granularity = 1

        def run(self, images):
            seen.append(images.shape)
            return predictor.runtimes[0].run(images)

    with open_file(video) as source:
        summary = predict_video(
            replace(predictor, runtimes=[Engine()]), source, tmp_path / "a", Watching(size=(24, 32))
        )
    assert set(seen) == {(1, 24, 32, 3)}
    assert frames_of(summary["mask"])[0].shape == SIZE


def test_smoothing_lets_earlier_frames_count(tmp_path, colour_bundle):
    predictor = Predictor.open(colour_bundle.folder)

    def masks(smoothing):
        shown = iter([Frame(0, 0.0, picture(0)), Frame(1, 0.05, picture(8))])
        source = Source("two", Fraction(20), 2, shown)
        predict_video(predictor, source, tmp_path / f"s{smoothing}", Watching(smoothing=smoothing))
        return frames_of(tmp_path / f"s{smoothing}_mask.mkv")

    plain, smooth = masks(0.0), masks(0.8)
    np.testing.assert_array_equal(plain[1], predictor.predict(picture(8)).mask)
    np.testing.assert_array_equal(smooth[0], plain[0])
    np.testing.assert_array_equal(smooth[1], plain[0])


def test_of_a_live_source_the_newest_frame_is_taken(tmp_path, colour_bundle, video):
    """A file that is opened as a stream is decoded at once: all but the newest frame is dropped."""
    predictor = Predictor.open(colour_bundle.folder)
    with open_live(str(video)) as source:
        assert source.live
        newest = source.frames
        next(newest)
        rest = [frame.number for frame in newest]
    assert rest == sorted(set(rest))
    shown = iter([Frame(0, 0.0, picture(0)), Frame(7, 0.3, picture(1))])
    summary = predict_video(
        predictor,
        Source("camera", Fraction(20), None, shown, live=True),
        tmp_path / "c",
        Watching(),
    )
    assert (summary["frames"], summary["dropped"]) == (2, 6)


def test_a_live_source_may_be_ended_by_hand_and_a_file_may_not(tmp_path, colour_bundle):
    predictor = Predictor.open(colour_bundle.folder)

    def until_interrupted():
        yield Frame(0, 0.0, picture(0))
        raise KeyboardInterrupt

    source = Source("camera", Fraction(20), None, until_interrupted(), live=True)
    assert predict_video(predictor, source, tmp_path / "a", Watching())["frames"] == 1
    source = Source("file", Fraction(20), None, until_interrupted())
    with pytest.raises(KeyboardInterrupt):
        predict_video(predictor, source, tmp_path / "b", Watching())
    assert not list(tmp_path.glob("b*"))


def test_cameras_and_streams_are_told_by_their_names():
    assert is_live("camera:0")
    assert is_live("rtsp://127.0.0.1/a")
    assert not is_live("camera.mp4")


def test_what_is_no_video_is_refused_and_the_others_are_done(tmp_path, colour_bundle, video):
    (video.parent / "broken.mp4").write_bytes(b"no video at all")
    done = predict_files(colour_bundle.folder, [str(video.parent)], to=tmp_path / "out")
    assert len(done.written) == 1
    assert "broken.mp4' cannot be opened" in done.failures[0].message
    with pytest.raises(ImageError, match="cannot be opened"):
        predict_files(colour_bundle.folder, ["camera:99"], to=tmp_path / "out")
