"""Video files: masks without loss, and pictures for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import ImageError
from delineate.files import whole_file
from delineate.prediction.runtimes.extras import needed

_Codec = tuple[str, str, dict[str, str]]

# Codec, pixel format and options. FFV1 keeps each class id; the others any player shows.
_LOSSLESS: tuple[_Codec, ...] = (("ffv1", "gray", {}),)
_SHOWN: tuple[_Codec, ...] = (
    ("libx264", "yuv420p", {"preset": "veryfast", "crf": "20"}),
    ("mpeg4", "yuv420p", {"qscale": "3"}),
)


class Video:
    """A video that is being written; opened by :func:`write_video`."""

    def __init__(self, container: Any, rate: Fraction, *, lossless: bool) -> None:
        self._container, self._rate, self._lossless = container, rate, lossless
        self._stream: Any = None
        self._size = (0, 0)
        self._last = -1

    def add(self, picture: np.ndarray, seconds: float | None = None) -> None:
        """Write the next frame.

        Args:
            picture: (height, width) uint8 class ids where it is lossless, else (height, width, 3)
                uint8 RGB.
            seconds: When it is shown, since the first one; unset: right after the one before.

        Raises:
            ImageError: It has another size than the first one.
        """
        av = needed("av", extra="video", of="Videos")
        size = picture.shape[0], picture.shape[1]
        if self._stream is None:
            self._stream, self._size = self._begun(picture), size
        if size != self._size:
            # It would be enlarged or made smaller without a word, and class ids mixed.
            raise other_size(size, self._size)
        # Players show colours at half resolution, of even sizes.
        if not self._lossless:
            picture = picture[: self._stream.height, : self._stream.width]
        kind = "gray" if self._lossless else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=kind)
        place = self._last + 1 if seconds is None else round(seconds * self._rate)
        self._last = max(self._last + 1, place)
        frame.pts, frame.time_base = self._last, 1 / self._rate
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the codec has kept back."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))

    def _begun(self, picture: np.ndarray) -> Any:
        av = needed("av", extra="video", of="Videos")
        known = _LOSSLESS if self._lossless else _SHOWN
        name, pixels, options = next(each for each in known if each[0] in av.codecs_available)
        stream = self._container.add_stream(name, rate=self._rate, options=options)
        height, width = picture.shape[:2]
        even = 1 if self._lossless else 2
        stream.height, stream.width = height - height % even, width - width % even
        stream.pix_fmt = pixels
        return stream


def other_size(size: tuple[int, int], first: tuple[int, int]) -> ImageError:
    """Return the error about a frame, (height, width), that is not as large as the first one."""
    return ImageError(
        f"A frame has {size[0]}×{size[1]} pixels, the first one {first[0]}×{first[1]}.",
        hint="Give frames of one size.",
    )


@contextmanager
def write_video(path: Path, rate: Fraction, *, lossless: bool) -> Iterator[Video]:
    """Yield a video to add frames to; the file is there once the block has ended well.

    Args:
        path: The file: ``.mkv`` where it is lossless, else ``.mp4``.
        rate: Frames per second.
        lossless: Whether it holds class ids, each of which stays as it is.

    Raises:
        MissingExtraError: PyAV is not installed.
        OSError: It cannot be written.
    """
    av = needed("av", extra="video", of="Videos")
    with whole_file(path) as temporary, av.open(str(temporary), "w") as container:
        video = Video(container, rate, lossless=lossless)
        yield video
        video.finish()
