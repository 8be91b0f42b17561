"""What is read, at which size, and how it is changed at random: chosen by what the data set is."""

from collections.abc import Mapping

import numpy as np

from delineate.planning.choice import Choice, Choices
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
# Windows in an epoch at the least: below, validations would outweigh the training.
EPOCH = 256
# A class with a smaller share of the pixels is rare; an image of so many windows has empty ones.
RARE, ROOMY = 0.01, 3.0
# Above, a picture has an above and a below.
UPRIGHT = 0.15
# Share of the range of a type below which most of it is unused, and the spread of exposures above
# which images are brought to one.
NARROW, SPREAD = 0.25, 2.0
# Fewer images than this need a larger part to validate on.
FEW = 100


def data_choices(found: Fingerprint, said: Mapping[str, object]) -> Choices:
    """Return the choices of the sections `[data]` and `[augment]`.

    Args:
        found: What the data set is.
        said: What the user has said already, by "section.key".
    """
    fit, size = _fit_and_size(found)
    cropped = said.get("data.fit", fit.value) == "crop"
    chosen = {
        "data.fit": fit,
        "data.size": size,
        "data.normalise": _normalise(found),
        **_geometry(found),
        **_intensity(found),
    }
    if not cropped:
        return chosen
    return chosen | {
        "data.crops_per_image": _crops(found),
        "data.oversample": _oversample(found, size.value),
    }


def _fit_and_size(found: Fingerprint) -> tuple[Choice, Choice]:
    if found.diameter is not None and found.diameter > LARGE:
        scale = SHRUNK / found.diameter
        if scale * (found.smallest_diameter or 0.0) >= SMALL:
            why = f"objects of about {found.diameter:.0f} pixels: at native resolution a window "
            why += f"would hold no whole one; they become {SHRUNK} pixels"
            size = [_near(found.height * scale), _near(found.width * scale)]
            return Choice("resize", why), Choice(size, why)
    why = "native resolution: a mask that is made smaller and larger again loses its rim"
    return Choice("crop", why), _size(found)


def _size(found: Fingerprint) -> Choice:
    height, width = found.height, found.width
    alike = found.smallest == found.largest
    if alike and height * width <= WHOLE:
        size = [_down(height), _down(width)]
        return Choice(size, f"all images have {height}×{width} pixels: nearly the whole of each")
    wanted = _near(OBJECTS_ACROSS * (found.diameter or LARGEST_WINDOW))
    # Where half of the images are smaller, much of a larger window would be their reflection.
    side = min(max(wanted, USUAL_WINDOW), LARGEST_WINDOW, _up(min(height, width)))
    why = f"half of the images have at most {min(height, width)} pixels across"
    if found.diameter is not None:
        why = (
            f"half of the foreground lies in objects of {found.diameter:.0f} pixels or more; {why}"
        )
    return Choice([side, side], why)


def _down(side: float) -> int:
    return max(STRIDE, int(side // STRIDE) * STRIDE)


def _up(side: float) -> int:
    return int(-(-side // STRIDE) * STRIDE)


def _near(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)


def validation_choice(images: int) -> Choice:
    """Return which share of the images validates; known before any of them is looked at.

    Args:
        images: How many there are.
    """
    if images < FEW:
        return Choice(0.2, f"{images} images: a tenth of them would say little; --folds says more")
    return Choice(0.1, f"{images} images: a tenth of them will do")


def _crops(found: Fingerprint) -> Choice:
    count = max(1, -(-EPOCH // max(found.training, 1)))
    if count == 1:
        return Choice(1, f"{found.training} images make an epoch long enough")
    return Choice(count, f"{found.training} images: an epoch of at least {EPOCH} windows")


def _normalise(found: Fingerprint) -> Choice:
    used = f"an image uses {found.used_range:.0%} of the range of {found.dtype}"
    spread = f"bright images are {found.exposure:.1f} times as bright as dim ones"
    if found.dtype == "uint16" or found.used_range < NARROW:
        return Choice("percentile", f"{used}: stretched, all are of one brightness")
    if found.exposure > SPREAD:
        return Choice("percentile", f"{spread}: stretched, all are of one brightness")
    return Choice("none", f"{used}, and {spread}")


def _oversample(found: Fingerprint, size: object) -> Choice:
    shares = [
        (share, name)
        for share, name in zip(found.shares[1:], found.classes[1:], strict=True)
        if share
    ]
    least, name = min(shares, default=(1.0, ""))
    if least < RARE:
        return Choice(0.33, f"'{name}' has {least:.2%} of the pixels: it is looked for")
    windows = found.largest[0] * found.largest[1] / float(np.prod(np.array(size, float)))
    if windows > ROOMY:
        return Choice(0.33, f"the largest image has room for {windows:.0f} windows: some are empty")
    return Choice(0.0, f"each class has {least:.1%} of the pixels or more")


def _geometry(found: Fingerprint) -> Choices:
    if found.upright > UPRIGHT:
        why = f"top and bottom of the images differ by {found.upright:.0%}: they stand upright"
        return {
            "augment.flip": Choice("left_right", why),
            "augment.quarter_turns": Choice(False, why),
            "augment.scale": Choice(0.4, "things are near and far"),
            "augment.rotation": Choice(5.0, why),
            "augment.warp_probability": Choice(0.8, "most windows, not all"),
        }
    why = f"top and bottom of the images differ by {found.upright:.0%}: they may lie any way"
    return {
        "augment.flip": Choice(True, why),
        "augment.quarter_turns": Choice(True, why),
        "augment.scale": Choice(0.35, "other magnifications"),
        "augment.rotation": Choice(45.0, why),
        "augment.elastic": Choice(6.0, "objects without a fixed shape"),
        "augment.warp_probability": Choice(0.6, "the others keep their sharpness"),
        "augment.copy_paste": _copy_paste(found),
    }


def _copy_paste(found: Fingerprint) -> Choice:
    if not found.objects:
        return Choice(0.0, "the data has no objects of its own")
    return Choice(0.3, "objects in new places, touching and covering others")


def _intensity(found: Fingerprint) -> Choices:
    kinds = len(found.kinds)
    many = f"{kinds} kinds of picture: none is to be known by its light"
    one = "one kind of picture, in any light"
    why = many if kinds > 1 else one
    strong = kinds > 1
    return {
        "augment.brightness": Choice(0.2 if strong else 0.12, why),
        "augment.contrast": Choice(0.4 if strong else 0.25, why),
        "augment.gamma": Choice(0.3 if strong else 0.2, why),
        "augment.hue": Choice(_hue(found), why if found.channels == 3 else "no colours"),
        "augment.grey": Choice(0.2 if strong and found.channels == 3 else 0.0, why),
        "augment.invert": Choice(0.2 if strong else 0.0, why),
        "augment.blur": Choice(1.0 if found.upright <= UPRIGHT else 0.0, "other focus"),
        "augment.noise": Choice(0.03, "other sensors"),
    }


def _hue(found: Fingerprint) -> float:
    if found.channels != 3:
        return 0.0
    return 0.1 if len(found.kinds) > 1 else 0.02
