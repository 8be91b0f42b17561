"""Videos: each frame predicted as the image that it is, and masks kept without loss."""

import json
import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from delineate.cli import main as cli
from delineate.errors import ImageError, UsageError
from delineate.imaging import likeliest, resize_probabilities, write_png
from delineate.interrupt import Terminated
from delineate.prediction import many
from delineate.prediction.many import predict_files
from delineate.prediction.outputs import Wanted
from delineate.prediction.predictor import Predictor
from delineate.prediction.video import frames
from delineate.prediction.video.frames import Frame, Source, _Newest, is_live, open_file
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


def test_of_a_live_source_the_newest_frame_is_taken(tmp_path, colour_bundle):
    """Five frames come while one is worked on: the fifth of them is the next one."""
    predictor = Predictor.open(colour_bundle.folder)
    more, there = threading.Semaphore(0), threading.Semaphore(0)

    def shown():
        for number in range(7):
            more.acquire(timeout=60)
            yield Frame(number, number / 20, picture(number))
            there.release()

    newest = _Newest(shown(), "camera", threading.Event())
    shown_ones = newest.frames(None)
    more.release()
    assert next(shown_ones).number == 0
    there.acquire(timeout=60)
    for _ in range(5):
        more.release()
        there.acquire(timeout=60)
    # Asked for the seventh, it has taken the sixth.
    assert next(shown_ones).number == 5
    more.release()
    assert [frame.number for frame in shown_ones] == [6]
    newest.stop()
    shown = iter([Frame(0, 0.0, picture(0)), Frame(7, 0.3, picture(1))])
    summary = predict_video(
        predictor,
        Source("camera", Fraction(20), None, shown, live=True),
        tmp_path / "c",
        Watching(),
    )
    assert (summary["frames"], summary["dropped"]) == (2, 6)


def until_told(told):
    for number in range(100):
        yield Frame(number, number / 20, picture(number % 8))
        if number == 1:
            # While the second one is written, at the latest.
            signal.raise_signal(told)


def test_a_live_source_may_be_ended_by_hand_and_a_file_may_not(tmp_path, colour_bundle):
    predictor = Predictor.open(colour_bundle.folder)

    def until_interrupted():
        yield Frame(0, 0.0, picture(0))
        raise KeyboardInterrupt

    source = Source("camera", Fraction(20), None, until_told(signal.SIGINT), live=True)
    summary = predict_video(predictor, source, tmp_path / "a", Watching())
    assert summary["frames"] == len(frames_of(summary["mask"])) == 3
    source = Source("file", Fraction(20), None, until_interrupted())
    with pytest.raises(KeyboardInterrupt):
        predict_video(predictor, source, tmp_path / "b", Watching())
    assert not list(tmp_path.glob("b*"))


@pytest.fixture
def cameras(monkeypatch):
    """The names of cameras that were opened; each is ended by a signal, the third shows nothing."""
    opened = []

    def silent():
        signal.raise_signal(signal.SIGTERM)
        raise ImageError("No frame has come.", hint="Check the camera.")
        yield

    @contextmanager
    def open_fake(given, *, seconds):
        opened.append(given)
        told = signal.SIGINT if given == "camera:0" else signal.SIGTERM
        shown = silent() if given == "camera:2" else until_told(told)
        yield Source(given, Fraction(20), None, shown, live=True)

    monkeypatch.setattr(many, "open_live", open_fake)
    return opened


def test_a_sigterm_ends_one_camera_and_those_that_would_follow(tmp_path, colour_bundle, cameras):
    for number in range(2):
        write_png(tmp_path / "in" / f"{number}.png", picture(number))
    inputs = [str(tmp_path / "in"), "camera:0", "camera:1", "camera:3"]
    with pytest.raises(Terminated):
        predict_files(colour_bundle.folder, inputs, to=tmp_path / "out")
    # Of Ctrl-C the next one begins.
    assert cameras == ["camera:0", "camera:1"]
    for number in range(2):
        said = json.loads((tmp_path / "out" / f"live-{number}.json").read_text())
        assert said["frames"] == len(frames_of(said["mask"])) == 3
    assert (tmp_path / "out" / "review.csv").is_file()


def test_a_sigterm_before_the_first_frame_is_heeded_too(tmp_path, colour_bundle, cameras):
    with pytest.raises(Terminated):
        predict_files(colour_bundle.folder, ["camera:2", "camera:3"], to=tmp_path / "out")
    assert cameras == ["camera:2"]


def test_a_command_that_a_sigterm_has_ended_says_so(tmp_path, colour_bundle, cameras, capsys):
    command = ["predict", str(colour_bundle.folder), "--to", str(tmp_path / "out")]
    assert cli.run([*command, "camera:1", "camera:3"]) == 143
    assert "asked to end" in capsys.readouterr().err
    assert (tmp_path / "out" / "live-0.json").is_file()


def test_what_a_live_source_has_shown_outlives_its_failure(tmp_path, colour_bundle):
    predictor = Predictor.open(colour_bundle.folder)

    def unplugged(count):
        for number in range(count):
            yield Frame(number, number / 20, picture(number))
        raise ImageError("Nothing comes any more.", hint="Check the camera.")

    source = Source("camera", Fraction(20), None, unplugged(2), live=True)
    summary = predict_video(predictor, source, tmp_path / "a", Watching())
    assert (summary["frames"], summary["ended"]) == (2, "Nothing comes any more.")
    assert len(frames_of(summary["mask"])) == 2
    for name, live, count in (("b", True, 0), ("c", False, 2)):
        source = Source("camera", Fraction(20), None, unplugged(count), live=live)
        with pytest.raises(ImageError, match="any more"):
            predict_video(predictor, source, tmp_path / name, Watching())
    assert not [*tmp_path.glob("b*"), *tmp_path.glob("c*")]


def test_how_a_stream_has_ended_is_told():
    def broken():
        yield Frame(0, 0.0, picture(0))
        raise ImageError("The stream is damaged.", hint="Check the camera.")

    newest = _Newest(broken(), "camera", threading.Event())
    with pytest.raises(ImageError, match="damaged"):
        list(newest.frames(None))
    newest.stop()


def test_a_source_that_sends_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(frames, "_PATIENCE", 0.01)
    go_on = threading.Event()

    def silent():
        go_on.wait(timeout=60)
        yield from ()

    newest = _Newest(silent(), "camera:0", threading.Event())
    with pytest.raises(ImageError, match="no frame for"):
        next(newest.frames(None))
    go_on.set()
    newest.stop()


def test_a_stream_whose_packets_hold_no_frame_is_given_up(monkeypatch):
    monkeypatch.setattr(frames, "_PATIENCE", 0.01)
    packet = SimpleNamespace(decode=list)
    container = SimpleNamespace(demux=lambda **_: repeat(packet))
    stopped = threading.Event()
    found = frames._decoded(container, "x", Fraction(20), forgiving=True, stopped=stopped)
    newest = _Newest(found, "x", stopped)
    with pytest.raises(ImageError, match="no frame for"):
        next(newest.frames(None))
    newest.stop()


def test_no_frame_at_all_is_an_error_and_leaves_nothing(tmp_path, colour_bundle):
    source = Source("camera", Fraction(20), None, iter(()), live=True)
    with pytest.raises(ImageError, match="holds no frame"):
        predict_video(Predictor.open(colour_bundle.folder), source, tmp_path / "a", Watching())
    assert not list(tmp_path.glob("a*"))


def test_frames_of_another_size_are_refused_rather_than_made_to_fit(tmp_path, colour_bundle):
    other = np.zeros((SIZE[0] + 2, SIZE[1], 3), np.uint8)
    shown = iter([Frame(0, 0.0, picture(0)), Frame(1, 0.05, other)])
    with pytest.raises(ImageError, match="50×64 pixels, the first one 48×64"):
        predict_video(
            Predictor.open(colour_bundle.folder),
            Source("two", Fraction(20), 2, shown),
            tmp_path / "a",
            Watching(),
        )


def test_a_camera_that_changes_the_size_of_its_frames_has_ended(tmp_path, colour_bundle):
    other = np.zeros((SIZE[0] + 2, SIZE[1], 3), np.uint8)
    shown = iter([Frame(0, 0.0, picture(0)), Frame(1, 0.05, picture(1)), Frame(2, 0.1, other)])
    source = Source("camera", Fraction(20), None, shown, live=True)
    predictor = Predictor.open(colour_bundle.folder)
    summary = predict_video(predictor, source, tmp_path / "a", Watching())
    assert "50×64 pixels" in summary["ended"]
    assert summary["frames"] == len(frames_of(summary["mask"])) == 2


def test_a_video_replaces_no_other_one(tmp_path, colour_bundle, video):
    shown = video.with_name("bar_overlay.mp4")
    shown.write_bytes(video.read_bytes())
    inputs = [str(video), str(shown)]
    wanted = Wanted(overlay=True)
    with pytest.raises(UsageError, match="would replace"):
        predict_files(colour_bundle.folder, inputs, to=video.parent, wanted=wanted)
    assert shown.read_bytes() == video.read_bytes()


def test_what_a_video_has_none_of_is_refused(tmp_path, colour_bundle, video):
    wanted = Wanted(instances=True)
    done = predict_files(colour_bundle.folder, [str(video)], to=tmp_path / "out", wanted=wanted)
    assert "no objects" in done.failures[0].message
    assert not list((tmp_path / "out").glob("bar*"))
    for inputs, watching in ((["camera:0"], None), ([str(video)], Watching(rate=Fraction(5)))):
        with pytest.raises(UsageError, match="no objects"):
            predict_files(
                colour_bundle.folder,
                inputs,
                to=tmp_path / "out",
                wanted=wanted,
                watching=watching,
            )


def test_frames_are_shown_when_they_came(tmp_path):
    with write_video(tmp_path / "a.mkv", Fraction(20), lossless=True) as file:
        for number in (0, 4, 5, 19):
            file.add(np.full(SIZE, number, np.uint8), number / 20)
    with av.open(str(tmp_path / "a.mkv")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([0, 0.2, 0.25, 0.95], abs=0.002)


def test_beside_a_sequence_nothing_else_is_predicted(tmp_path, colour_bundle, video):
    rate = Watching(rate=Fraction(5))
    for inputs in ([str(video)], ["camera:0"]):
        with pytest.raises(UsageError, match="has no place"):
            predict_files(colour_bundle.folder, inputs, to=tmp_path / "out", watching=rate)


def test_cameras_and_streams_are_told_by_their_names():
    assert is_live("camera:0")
    assert is_live("rtsp://127.0.0.1/a")
    assert not is_live("camera.mp4")


def test_what_is_no_video_is_refused_and_the_others_are_done(tmp_path, colour_bundle, video):
    (video.parent / "broken.mp4").write_bytes(b"no video at all")
    done = predict_files(colour_bundle.folder, [str(video.parent)], to=tmp_path / "out")
    assert len(done.written) == 1
    assert "broken.mp4' cannot be opened" in done.failures[0].message
    done = predict_files(colour_bundle.folder, ["camera:99"], to=tmp_path / "out")
    assert "cannot be opened" in done.failures[0].message


def test_a_pipe_is_no_video_and_is_not_waited_for(tmp_path, colour_bundle):
    os.mkfifo(tmp_path / "a.mp4")
    done = predict_files(colour_bundle.folder, [str(tmp_path / "a.mp4")], to=tmp_path / "out")
    assert "a.mp4' is not a regular file" in done.failures[0].message
    opened = open_file(tmp_path / "none.mp4")
    with pytest.raises(ImageError, match=r"none\.mp4' cannot be opened: No such file"), opened:
        pass


def test_a_name_with_a_colon_is_a_file_and_no_address(tmp_path, video, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:bar.mp4", "concat:bar.mp4|bar.mp4", "file:bar.mp4", "data:,bar.mp4"):
        path = Path(name)
        path.write_bytes(video.read_bytes())
        with open_file(path) as source:
            assert sum(1 for _ in source.frames) == 10


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {other}\n",
        "[playlist]\nFile1=http://127.0.0.1:9/a.mp4\n",
    ],
)
def test_a_list_of_other_files_is_no_video(tmp_path, video, text):
    (tmp_path / "list.mp4").write_text(text.format(other=video))
    opened = open_file(tmp_path / "list.mp4")
    with pytest.raises(ImageError, match=r"list\.mp4' cannot be opened"), opened:
        pass


def test_frames_that_are_too_large_are_refused_before_they_are_decoded(video, monkeypatch):
    monkeypatch.setattr(frames, "MAX_FRAME", SIZE[0] * SIZE[1] - 1)
    words = "cannot be opened|is damaged|64 x 48 pixels; the limit is 3071"
    with pytest.raises(ImageError, match=words), open_file(video) as source:
        next(source.frames)
    with pytest.raises(ImageError, match="64 x 48 pixels; the limit is 3071"):
        frames._check_frame("a.mp4", *SIZE)
    monkeypatch.setattr(frames, "MAX_FRAME", SIZE[0] * SIZE[1])
    with open_file(video) as source:
        assert next(source.frames).image.shape == (*SIZE, 3)


def test_what_an_earlier_prediction_has_left_does_not_stay_beside_a_later_one(
    tmp_path, colour_bundle
):
    predictor, stem = Predictor.open(colour_bundle.folder), tmp_path / "a"

    def source(*numbers):
        shown = [Frame(n, n / 20, picture(n)) for n in numbers]
        return Source("few", Fraction(20), len(shown), iter(shown))

    predict_video(predictor, source(0, 1), stem, Watching(overlay=True))
    assert (tmp_path / "a_overlay.mp4").is_file()
    summary = predict_video(predictor, source(2), stem, Watching())
    assert not (tmp_path / "a_overlay.mp4").exists()
    assert summary == json.loads((tmp_path / "a.json").read_text())

    def broken():
        yield Frame(0, 0.0, picture(0))
        raise ImageError("It is damaged.", hint="Copy it again.")

    with pytest.raises(ImageError):
        predict_video(predictor, Source("b", Fraction(20), 2, broken()), stem, Watching())
    # The summary would speak for files that a later one may have replaced.
    assert not (tmp_path / "a.json").exists()


def test_frames_that_come_damaged_are_left_out_of_a_stream_and_end_a_file(video):
    content = bytearray(video.read_bytes())
    data = content.index(b"mdat") + 8
    with av.open(str(video)) as container:
        packets = [packet.size for packet in container.demux(video=0) if packet.size]
    begin = data + sum(packets[:4])
    content[begin : begin + packets[4]] = b"\xff" * packets[4]
    video.write_bytes(content)

    def numbers(forgiving):
        with av.open(str(video)) as container:
            found = frames._decoded(container, "x", Fraction(20), forgiving=forgiving)
            return [frame.number for frame in found]

    assert 0 < len(numbers(True)) < 10
    with pytest.raises(ImageError, match="damaged"):
        numbers(False)


def test_the_latency_of_a_live_source_begins_when_a_frame_comes():
    newest = _Newest(iter([Frame(0, 0.0, picture(0))]), "camera", threading.Event())
    (frame,) = newest.frames(None)
    newest.stop()
    assert frame.came > 0


def test_many_classes_at_another_size_are_those_of_all_probabilities():
    raw = np.random.default_rng(0).random((30, 40, 7), dtype=np.float32)
    for size in ((61, 90), (17, 80), (30, 40)):
        expected = resize_probabilities(raw, size).argmax(axis=-1)
        np.testing.assert_array_equal(likeliest(raw, size), expected)
