"""What the network sees at once: a part of an image or all of it, and at which size."""

import math

from delineate.planning.choice import Choice, Choices, Said
from delineate.planning.fingerprint import Fingerprint

# The strides of the networks that a plan chooses divide this.
STRIDE = 32
# Sides of a window in pixels: what a U-Net of depth 4 sees around a pixel, and what is slow.
USUAL_WINDOW, LARGEST_WINDOW = 256, 512
# A window should hold several objects and some of what is around them.
OBJECTS_ACROSS = 8
# Objects that are larger, in pixels, are made smaller, to this size; the small ones not below that.
LARGE, SHRUNK, SMALL = 256, 128, 6
# Pixels of a whole image up to which it is one window.
WHOLE = 200_000


def window_choices(found: Fingerprint, said: Said) -> Choices:
    """Return the choices of `data.fit` and `data.size`.

    Args:
        found: What the data set is.
        said: What the user has said already.
    """
    stride = max(STRIDE, 2 ** (said.get("model.depth") or 0))
    fit = _fit(found, said, stride)
    whole = said.get("data.fit", fit.value) == "resize"
    return {"data.fit": fit, "data.size": (_resized if whole else _cropped)(found, stride)}


def _fit(found: Fingerprint, said: Said, stride: int) -> Choice:
    if said.get("data.oversample"):
        return Choice("crop", "a window is laid around a class only where it is a part of an image")
    shrunk = _shrunk(found, stride)
    if shrunk is None:
        why = "native resolution: a mask that is made smaller and larger again loses its rim"
        return Choice("crop", why)
    why = f"objects of about {found.diameter:.0f} pixels"
    if math.prod(shrunk) > LARGEST_WINDOW**2:
        size = f"{shrunk[0]}×{shrunk[1]}"
        return Choice("crop", f"{why}: an image that has them at {SHRUNK} is too large at {size}")
    why += f": at native resolution a window would hold few whole ones; they become {SHRUNK} pixels"
    return Choice("resize", why)


def _shrunk(found: Fingerprint, stride: int) -> list[int] | None:
    """Return the size of an image whose objects are made smaller; None: they are not too large."""
    if found.diameter is None or found.diameter <= LARGE:
        return None
    scale = SHRUNK / found.diameter
    if scale * (found.smallest_diameter or 0.0) < SMALL:
        return None
    return [_near(found.height * scale, stride), _near(found.width * scale, stride)]


def _resized(found: Fingerprint, stride: int) -> Choice:
    height, width = found.height, found.width
    shrunk = _shrunk(found, stride)
    if shrunk is not None and math.prod(shrunk) <= LARGEST_WINDOW**2:
        return Choice(shrunk, f"objects of about {found.diameter:.0f} pixels become {SHRUNK}")
    scale = min(1.0, LARGEST_WINDOW / math.sqrt(height * width))
    size = [_down(height * scale, stride), _down(width * scale, stride)]
    most = f"with the pixels of {LARGEST_WINDOW}×{LARGEST_WINDOW} at most, since more are slow"
    return Choice(size, f"in the shape of images of {height}×{width}, {most}")


def _cropped(found: Fingerprint, stride: int) -> Choice:
    height, width = found.height, found.width
    if found.smallest == found.largest and height * width <= WHOLE:
        size = [_down(height, stride), _down(width, stride)]
        return Choice(size, f"all images have {height}×{width} pixels: nearly the whole of each")
    across = min(height, width)
    # Where half of the images are smaller, much of a larger window would be their reflection.
    bounds = [
        (_up(across, stride), f"half of the images have at most {across} pixels across"),
        (LARGEST_WINDOW, "larger windows are slow"),
        _wanted(found, stride),
    ]
    side, why = min(bounds, key=lambda bound: bound[0])
    return Choice([side, side], why)


def _wanted(found: Fingerprint, stride: int) -> tuple[int, str]:
    """Return the side of a window that holds enough, and why."""
    if found.diameter is None:
        return LARGEST_WINDOW, "there are no objects to go by"
    side = _near(OBJECTS_ACROSS * found.diameter, stride)
    why = f"half of the foreground lies in objects of {found.diameter:.0f} pixels or more"
    if side >= USUAL_WINDOW:
        return side, f"{OBJECTS_ACROSS} objects across: {why}"
    return USUAL_WINDOW, f"what the network sees around a pixel is enough: {why}"


def _down(side: float, stride: int) -> int:
    return max(stride, int(side // stride) * stride)


def _up(side: float, stride: int) -> int:
    return math.ceil(side / stride) * stride


def _near(side: float, stride: int) -> int:
    return max(stride, round(side / stride) * stride)
