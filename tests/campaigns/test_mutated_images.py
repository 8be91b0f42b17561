"""A picture that takes the memory is told, although an error of ours comes of it."""

from pathlib import Path

import pytest

from delineate.errors import ImageError
from tests.campaigns import mutated_images as campaign


def failing(cause):
    """Return a reader that refuses a file because of another error."""

    def read(path):
        try:
            raise cause
        except type(cause) as error:
            raise ImageError(f"{path} is damaged.", hint="Get it again.") from error

    return read


@pytest.mark.parametrize(
    "cause", [MemoryError(), RuntimeError("OpenCV: Failed to allocate 20000000000 bytes")]
)
def test_a_picture_that_asks_for_more_memory_than_there_is_is_not_refused(cause):
    with pytest.raises(AssertionError, match="more memory than there is"):
        campaign._is_read(failing(cause), Path("x.png"))


def test_a_damaged_picture_is_refused():
    assert campaign._is_read(failing(ValueError("damaged")), Path("x.png")) is False


def test_the_memory_of_each_input_is_counted_anew(monkeypatch):
    if not campaign._peak():
        pytest.skip("asks Linux for the most memory of a while")
    had = campaign._peak(anew=True)
    held = bytearray(b"x") * (100 << 20)
    assert campaign._peak() - had >= 100
    del held
    assert campaign._peak(anew=True) < had + 50
