"""What the properties are tried on: small pictures, masks and label images, and settings."""

import numpy as np
from hypothesis import strategies as st

from delineate.data.windows import Turn
from delineate.recipe import Augment

seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)
turns = st.builds(Turn, st.booleans(), st.booleans(), st.integers(0, 3))
colours = st.tuples(*[st.integers(0, 255)] * 3)


def sizes(most=12, *, least=1):
    """(height, width)."""
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def noise(draw, shape, kind=np.uint8):
    """An array of a shape and a type that holds anything."""
    length = int(np.prod(shape)) * np.dtype(kind).itemsize
    content = draw(st.binary(min_size=length, max_size=length))
    return np.frombuffer(content, kind).reshape(shape).copy()


@st.composite
def images(draw, most=12, *, least=1, channels=(1, 3), kinds=(np.uint8, np.uint16)):
    """(height, width, channels), any values."""
    shape = (*draw(sizes(most, least=least)), draw(st.sampled_from(channels)))
    return draw(noise(shape, draw(st.sampled_from(kinds))))


@st.composite
def rectangles(draw, size, most):
    """Objects 1 to ``most``, int32: each some rectangles, of which the later ones lie on top."""
    corner = st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1))
    extent = st.tuples(st.integers(1, size[0]), st.integers(1, size[1]))
    drawn = st.lists(st.tuples(corner, extent, st.integers(0, most)), max_size=8)
    picture = np.zeros(size, np.int32)
    for (row, column), (height, width), number in draw(drawn):
        picture[row : row + height, column : column + width] = number
    return picture


@st.composite
def label_images(draw, most=5, *, side=12, size=None):
    """(height, width) int32, 0 to ``most``: rectangles, or another number in each pixel."""
    size = draw(sizes(side)) if size is None else size
    if draw(st.booleans()):
        return draw(rectangles(size, most))
    return draw(noise(size)).astype(np.int32) % (most + 1)


@st.composite
def masks(draw, classes=4, *, side=12, size=None, ignored=False):
    """(height, width) uint8 class ids, and 255 where pixels may be ignored."""
    ids = draw(label_images(classes if ignored else classes - 1, side=side, size=size))
    return np.where(ids == classes, 255, ids).astype(np.uint8)


@st.composite
def mask_pairs(draw, classes=4, *, side=10, ignored=False):
    """A truth and a prediction."""
    truth = draw(masks(classes, side=side, ignored=ignored))
    return truth, draw(masks(classes, size=truth.shape))


@st.composite
def label_pairs(draw, most=5, *, side=10, size=None):
    """The objects of a truth and those of a prediction."""
    truth = draw(label_images(most, side=side, size=size))
    return truth, draw(label_images(most, size=truth.shape))


@st.composite
def samples(draw, most=16, *, classes=4):
    """An image of three channels, its mask and its objects, which need not lie where the mask is."""
    size = draw(sizes(most))
    return (
        draw(noise((*size, 3))),
        draw(masks(classes, size=size)),
        draw(label_images(size=size)),
    )


def movements(scale=0.9):
    """Random changes of place, and none of intensity."""
    return st.builds(
        Augment,
        flip=st.sampled_from([True, False, "left_right", "up_down"]),
        quarter_turns=st.booleans(),
        scale=st.floats(0, scale),
        rotation=st.floats(0, 180),
        shear=st.floats(0, 45),
        elastic=st.floats(0, 100),
        warp_probability=st.sampled_from([0.0, 0.5, 1.0]),
    )
