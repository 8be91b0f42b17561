"""Frames of a video: of a file, of a sequence of images, or of a camera or stream as they come."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import ImageError, reason_of
from delineate.imaging import read_image
from delineate.prediction.runtimes.extras import needed

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv"}
)
# What FFmpeg is told to open for a camera, by its number, on Linux; and the schemes of streams.
_CAMERA, _DEVICE = "camera:", "/dev/video"
_STREAMS = ("rtsp://", "rtmp://", "udp://", "tcp://", "srt://", "http://", "https://")
# Frames per second of a source that does not say.
_USUAL = Fraction(25)
# Images of a sequence that are read ahead, and seconds to wait for a frame of a live source.
_AHEAD, _PATIENCE = 3, 10.0


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        number: From 0 on; those that were not taken count.
        seconds: Since the first one.
        image: (height, width, channels) uint8 or uint16.
        came: When it came from a live source, by ``time.perf_counter``; 0: not from one.
    """

    number: int
    seconds: float
    image: np.ndarray
    came: float = 0.0


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        name: For people.
        rate: Frames per second.
        count: How many there are, where that is known.
        frames: Yields them; of a live source the newest each time.
        live: Whether frames come by themselves.
    """

    name: str
    rate: Fraction
    count: int | None
    frames: Iterator[Frame]
    live: bool = False


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def is_live(given: str) -> bool:
    """Return whether an input names a camera (``camera:0``) or a stream (``rtsp://…``)."""
    return given.startswith((_CAMERA, *_STREAMS))


@contextmanager
def open_file(path: Path) -> Iterator[Source]:
    """Yield the frames of a video file, read ahead by a thread.

    Raises:
        ImageError: It cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    with _opened(str(path), str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = Fraction(stream.average_rate or _USUAL)
        frames = _decoded(container, str(path), rate)
        with _read_ahead(frames) as ahead:
            yield Source(str(path), rate, stream.frames or None, ahead)


@contextmanager
def open_sequence(paths: Sequence[Path], rate: Fraction) -> Iterator[Source]:
    """Yield images as the frames of a video.

    Args:
        paths: Their files, in order.
        rate: Frames per second.

    Raises:
        ImageError: One cannot be read.
    """
    numbered = enumerate(paths)
    frames = (Frame(number, float(number / rate), read_image(path)) for number, path in numbered)
    with _read_ahead(frames) as ahead:
        yield Source(f"{len(paths)} images", rate, len(paths), ahead)


@contextmanager
def open_live(given: str, *, seconds: float | None = None) -> Iterator[Source]:
    """Yield the newest frame of a camera or stream each time one is asked for.

    What ends by itself, as a file on a server does, is no live source: all of its frames come.

    Args:
        given: ``camera:NUMBER``, or the address of a stream.
        seconds: For how long; unset: until it ends.

    Raises:
        ImageError: It cannot be opened.
        MissingExtraError: PyAV is not installed.
    """
    place, kind = given, None
    if given.startswith(_CAMERA):
        place, kind = f"{_DEVICE}{given.removeprefix(_CAMERA)}", "v4l2"
    with _opened(place, given, format=kind, timeout=_PATIENCE) as container:
        stream = container.streams.video[0]
        rate = Fraction(stream.average_rate or _USUAL)
        if container.duration is not None:
            with _read_ahead(_decoded(container, given, rate)) as ahead:
                first = takewhile(lambda frame: seconds is None or frame.seconds < seconds, ahead)
                yield Source(given, rate, stream.frames or None, first)
            return
        stopped = threading.Event()
        frames = _decoded(container, given, rate, forgiving=True, stopped=stopped)
        newest = _Newest(frames, given, stopped)
        try:
            yield Source(given, rate, None, newest.frames(seconds), live=True)
        finally:
            newest.stop()


class _Newest:
    """The newest of the frames that come by themselves; the others are dropped.

    Args:
        frames: They come in a thread of their own.
        name: For errors.
        stopped: What ends them, also while none comes.
    """

    def __init__(self, frames: Iterator[Frame], name: str, stopped: threading.Event) -> None:
        self._frames, self._name, self._stopped = frames, name, stopped
        self._frame: Frame | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._pool = ThreadPoolExecutor(1, "camera")
        self._listening = self._pool.submit(self._listen)

    def frames(self, seconds: float | None) -> Iterator[Frame]:
        """Yield the newest frame each time, for so long."""
        begun = time.monotonic()
        while seconds is None or time.monotonic() - begun < seconds:
            with self._changed:
                self._changed.wait_for(lambda: self._frame is not None or self._ended, _PATIENCE)
                frame, self._frame, ended = self._frame, None, self._ended
            if frame is not None:
                yield frame
            elif ended:
                # How it has ended: by itself, or by an error, which is raised here.
                self._listening.result()
                return
            else:
                raise _silent(self._name)

    def stop(self) -> None:
        """Listen no longer."""
        self._stopped.set()
        self._pool.shutdown()

    def _listen(self) -> None:
        try:
            for frame in self._frames:
                if self._stopped.is_set():
                    return
                with self._changed:
                    self._frame = replace(frame, came=time.perf_counter())
                    self._changed.notify()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()


@contextmanager
def _opened(place: str, name: str, **options: Any) -> Iterator[Any]:
    av = needed("av", extra="video", of="Videos")
    try:
        container = av.open(place, **options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ImageError(
            f"Video '{name}' cannot be opened: {_reason(error)}.",
            hint="Check the path or address, and that it plays.",
        ) from error
    with container:
        if not container.streams.video:
            raise ImageError(f"'{name}' holds no video.", hint="Name a file with pictures.")
        yield container


def _decoded(
    container: Any,
    name: str,
    rate: Fraction,
    *,
    forgiving: bool = False,
    stopped: threading.Event | None = None,
) -> Iterator[Frame]:
    """Yield the frames of an opened video.

    Args:
        container: PyAV's own.
        name: For errors.
        rate: Frames per second, where frames do not say when they are shown.
        forgiving: Whether frames that came damaged are left out, as a network loses some.
        stopped: Ends them when it is set.
    """
    av = needed("av", extra="video", of="Videos")
    first = None
    # One for all frames: each would make its own.
    reformatter = av.video.reformatter.VideoReformatter()
    try:
        for number, frame in enumerate(_frames_of(container, stopped, forgiving=forgiving)):
            told = frame.time if frame.time is not None else float(number / rate)
            first = told if first is None else first
            image = reformatter.reformat(frame, format="rgb24").to_ndarray()
            # As it is shown: phones store videos lying on their side.
            turns = round(getattr(frame, "rotation", 0) / 90) % 4
            yield Frame(number, told - first, np.ascontiguousarray(np.rot90(image, turns)))
    except av.error.ExitError as error:
        raise _silent(name) from error
    except av.error.FFmpegError as error:
        raise ImageError(
            f"Video '{name}' is damaged: {_reason(error)}.", hint="Copy or export it again."
        ) from error


def _frames_of(
    container: Any, stopped: threading.Event | None, *, forgiving: bool
) -> Iterator[Any]:
    av = needed("av", extra="video", of="Videos")
    for packet in container.demux(video=0):
        # Here, since packets may come that hold no frame.
        if stopped is not None and stopped.is_set():
            return
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            if not forgiving:
                raise


def _silent(name: str) -> ImageError:
    return ImageError(
        f"'{name}' has sent no frame for {_PATIENCE:g} seconds.",
        hint="Check the camera or the network.",
    )


@contextmanager
def _read_ahead(frames: Iterator[Frame]) -> Iterator[Iterator[Frame]]:
    """Yield the frames, which a thread reads a few ahead."""
    with ThreadPoolExecutor(1, "reading") as pool:
        yield _each(pool, frames)


def _each(pool: ThreadPoolExecutor, frames: Iterator[Frame]) -> Iterator[Frame]:
    waiting: deque[Future[Frame | None]] = deque()
    while True:
        while len(waiting) < _AHEAD:
            waiting.append(pool.submit(next, frames, None))
        frame = waiting.popleft().result()
        if frame is None:
            return
        yield frame


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or reason_of(error)).rstrip(".")
