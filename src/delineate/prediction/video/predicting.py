"""A video predicted frame by frame, with what it costs."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import cv2
import numpy as np

from delineate.bundle import Card
from delineate.errors import DataError, ImageError
from delineate.files import whole_file, write_whole
from delineate.imaging import likeliest, resize_image, resize_probabilities
from delineate.interrupt import StopRequest
from delineate.overlays import overlay
from delineate.prediction.cleaning import clean
from delineate.prediction.outputs import shares_of
from delineate.prediction.predictor import Predictor, cleaning_of, finish, without_averaging
from delineate.prediction.video.frames import Frame, Source
from delineate.prediction.video.writing import Video, other_size, write_video

Size = tuple[int, int]
_ENDINGS = {"mask": "_mask.mkv", "frames_file": "_frames.jsonl", "overlay": "_overlay.mp4"}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Watching:
    """How a video is predicted.

    Attributes:
        size: (height, width) at which frames are predicted; unset: their own.
        smoothing: Share of the earlier frames in each prediction, 0 to below 1: against flicker.
        overlay: Whether the masks are drawn on the frames.
        seconds: For how long a camera or stream is watched; unset: until it ends.
        rate: Images are the frames of a video with so many frames per second; unset: they are not.
    """

    size: Size | None = None
    smoothing: float = 0.0
    overlay: bool = False
    seconds: float | None = None
    rate: Fraction | None = None


@dataclass
class _Clock:
    """What frames have cost.

    Attributes:
        latencies: Seconds to its mask from when each frame was taken, of a live source from when
            it came.
        begun: When the first one was asked for.
        last: The number of the last one.
    """

    latencies: list[float] = field(default_factory=list)
    begun: float = field(default_factory=time.perf_counter)
    last: int = -1

    def summary(self) -> dict[str, Any]:
        """Return frames per second over all, and percentiles of the latency."""
        count, spent = len(self.latencies), time.perf_counter() - self.begun
        p50, p99 = (1000 * np.percentile(self.latencies, (50, 99))).tolist() if count else (0, 0)
        return {
            "frames": count,
            "dropped": self.last + 1 - count,
            "frames_per_second": round(count / spent, 2),
            "latency_ms": {"p50": round(p50, 2), "p99": round(p99, 2)},
        }


def predict_video(
    predictor: Predictor,
    source: Source,
    stem: Path,
    watching: Watching,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict the frames of a source into files, and return a summary.

    Beside ``stem`` it writes ``_mask.mkv`` (each pixel a class id, without loss), ``_frames.jsonl``
    (a line per frame), ``_overlay.mp4`` where that is wanted, and ``.json``, the summary. Frames
    are read and written while others are predicted. A live source may be ended by Ctrl-C, or by
    SIGTERM; where it fails, what it has shown is kept, and the summary says why it has ``ended``.
    Each frame is predicted once: averaging over flips, turns and sizes is for images.

    Args:
        predictor: An open bundle.
        source: The frames.
        stem: Where the files go: a path without suffix.
        watching: How they are predicted.
        progress: Called with (done, all) after each frame, where their number is known.

    Raises:
        ImageError: A frame cannot be read.
        DataError: Frames do not fit the bundle.
        MissingExtraError: PyAV is not installed.
        OSError: Something cannot be written.
        Terminated: A live source was ended by SIGTERM; all is written.
    """
    stop = StopRequest()
    try:
        summary = _written(predictor, source, stem, watching, progress, stop)
    except DataError:
        if not stop.urgent:
            raise
    if stop.urgent:
        stop.heed()
    return summary


def _written(
    predictor: Predictor,
    source: Source,
    stem: Path,
    watching: Watching,
    progress: Progress | None,
    stop: StopRequest,
) -> dict[str, Any]:
    """Write what is predicted, and return a summary; ``stop`` is open while a live source is."""
    predictor = without_averaging(predictor)
    files = {name: stem.with_name(f"{stem.name}{end}") for name, end in _endings(watching).items()}
    # It speaks for the files that are replaced now.
    stem.with_name(f"{stem.name}.json").unlink(missing_ok=True)
    clock, counts = _Clock(), np.zeros(len(predictor.card.classes), np.int64)
    ended = None
    with _opened(files, source, predictor.card) as keep:
        try:
            for frame, mask, latency in _until_told(predictor, source, watching, stop):
                clock.latencies.append(latency)
                clock.last = frame.number
                found = np.bincount(mask.ravel(), minlength=len(counts))
                counts += found
                keep(frame, mask, found, latency)
                if progress and source.count:
                    progress(len(clock.latencies), source.count)
        except ImageError as error:
            # A camera that is unplugged does not take with it what it has shown.
            if not source.live or not clock.latencies:
                raise
            ended = error.message
        if not clock.latencies:
            raise ImageError(f"'{source.name}' holds no frame.", hint="Check that it plays.")
    for end in _ENDINGS.values():
        if (earlier := stem.with_name(f"{stem.name}{end}")) not in files.values():
            earlier.unlink(missing_ok=True)
    summary = {
        "video": source.name,
        **predictor.engine,
        **{name: str(path) for name, path in files.items()},
        **clock.summary(),
        "classes": shares_of(counts, predictor.card),
        **({} if ended is None else {"ended": ended}),
    }
    write_whole(stem.with_name(f"{stem.name}.json"), json.dumps(summary, indent=1) + "\n")
    return summary


def _until_told(
    predictor: Predictor, source: Source, watching: Watching, stop: StopRequest
) -> Iterator[tuple[Frame, np.ndarray, float]]:
    """Yield what is predicted until the end; a live source, which has none, until Ctrl-C."""
    found = _predicted(predictor, source, watching)
    if not source.live:
        yield from found
        return
    with stop:
        for each in found:
            yield each
            if stop.asked:
                return


def _endings(watching: Watching) -> dict[str, str]:
    return {name: end for name, end in _ENDINGS.items() if name != "overlay" or watching.overlay}


def _predicted(
    predictor: Predictor, source: Source, watching: Watching
) -> Iterator[tuple[Frame, np.ndarray, float]]:
    """Yield each frame, its mask of its own size, and how long that has taken."""
    kept: np.ndarray | None = None
    first: Size | None = None
    for frame in source.frames:
        begun = frame.came or time.perf_counter()
        first = first or frame.image.shape[:2]
        if frame.image.shape[:2] != first:
            raise other_size(frame.image.shape[:2], first)
        image = predictor.accepted(frame.image)
        size = image.shape[0], image.shape[1]
        small = image if watching.size is None else resize_image(image, watching.size)
        raw = predictor.raw(small)
        if watching.smoothing and kept is not None and kept.shape == raw.shape:
            raw = cv2.addWeighted(kept, watching.smoothing, raw, 1 - watching.smoothing, 0)
            raw = raw.reshape(kept.shape)
        kept = raw
        yield frame, _mask_of(raw, predictor.card, size), time.perf_counter() - begun


def _mask_of(raw: np.ndarray, card: Card, size: Size) -> np.ndarray:
    """Return the class ids that a model's output stands for, at the size of the frame."""
    if raw.shape[:2] == size:
        return finish(raw, card).mask
    if card.objects or card.class_channels <= 2:
        return finish(resize_probabilities(raw, size), card).mask
    # Of many classes, all at full size are more than the network itself has to move.
    return clean(likeliest(raw, size), **cleaning_of(card.post))


Keep = Callable[[Frame, np.ndarray, np.ndarray, float], None]


@contextmanager
def _opened(files: dict[str, Path], source: Source, card: Card) -> Iterator[Keep]:
    """Yield what writes a frame and its mask, by a thread beside the one that predicts."""
    with ExitStack() as stack:
        masks = stack.enter_context(write_video(files["mask"], source.rate, lossless=True))
        shown = None
        if "overlay" in files:
            shown = stack.enter_context(write_video(files["overlay"], source.rate, lossless=False))
        lines = stack.enter_context(whole_file(files["frames_file"]))
        table = stack.enter_context(lines.open("w", encoding="utf-8"))
        pool = stack.enter_context(ThreadPoolExecutor(1, "writing"))
        waiting: list[Future[None]] = []

        def keep(frame: Frame, mask: np.ndarray, counts: np.ndarray, latency: float) -> None:
            # One frame is written while the next is predicted; what fails is told by the next.
            while waiting:
                waiting.pop().result()
            line = {
                "frame": frame.number,
                "seconds": round(frame.seconds, 4),
                "latency_ms": round(1000 * latency, 2),
                "pixels": dict(zip(card.names, counts.tolist(), strict=True)),
            }
            waiting.append(pool.submit(_write, masks, shown, table, (frame, mask, line), card))

        yield keep
        while waiting:
            waiting.pop().result()


def _write(
    masks: Video,
    shown: Video | None,
    table: TextIO,
    done: tuple[Frame, np.ndarray, dict[str, Any]],
    card: Card,
) -> None:
    frame, mask, line = done
    masks.add(mask, frame.seconds)
    if shown is not None:
        # Each frame as bright as it is: what is decided frame by frame flickers.
        shown.add(overlay(frame.image, mask, card.colours, brighten=False), frame.seconds)
    table.write(json.dumps(line) + "\n")
