"""What is read, how it is split, and how it is changed at random: chosen by what the data is."""

import math
from collections.abc import Collection, Sequence
from typing import Any

from delineate.planning.choice import Choice, Choices, Said, values_of
from delineate.planning.fingerprint import FEWEST, Fingerprint
from delineate.planning.window_choices import window_choices

# Windows in an epoch at the least: below, validations would outweigh the training.
EPOCH = 256
# A class with a smaller share of the pixels is rare; in an image of more windows some may be
# without any.
RARE, ROOMY = 0.01, 3.0
# Above, a picture has an above and a below.
UPRIGHT = 0.15
# Share of the range of a type below which most of it is unused, and the spread of exposures above
# which images are brought to one.
NARROW, SPREAD = 0.25, 2.0
# Fewer images than this need a larger part to validate on.
FEW = 100


def split_choices(images: int, own: Collection[str]) -> Choices:
    """Return how the images are split; known before any of them is looked at.

    Args:
        images: How many there are.
        own: The names of the splits that the data brings with it.
    """
    share, why = 0.1, f"{images} images: a tenth of them will do"
    if images < FEW:
        share, why = 0.2, f"{images} images: a tenth of them would say little; --folds says more"
    if "validation" in own:
        why = "of no effect: the data brings its own validation images"
    test = "chooses nothing, and so tells honestly how good the network is"
    if own:
        test = f"of no effect: the data is split already, into {', '.join(own)}"
    near = "an image that the network has all but seen would flatter its scores"
    return {
        "data.validation": Choice(share, why),
        "data.test": Choice(0.1, test),
        "data.near_duplicates": Choice("together", near),
        "data.kinds": Choice("balance", "each kind of picture is trained on and scored"),
    }


def data_choices(found: Fingerprint, said: Said) -> Choices:
    """Return the choices of the sections `[data]` and `[augment]`.

    Args:
        found: What the data set is.
        said: What the user has said already.
    """
    windows = window_choices(found, said)
    settled: dict[str, Any] = {**values_of(windows), **said}
    return {
        **windows,
        **_places(found, settled["data.fit"], settled["data.size"]),
        "data.oversample_kinds": Choice(0.0, "seeing rare ones more often gains nothing"),
        "data.normalise": _normalise(found),
        **_geometry(found),
        "augment.copy_paste": Choice(0.0, "objects in other places gain no more than chance"),
        **_intensity(found),
    }


def _places(found: Fingerprint, fit: str, size: Sequence[int]) -> Choices:
    """Return how many windows are taken of an image, and where."""
    if fit == "resize":
        whole = "each window is a whole image"
        return {"data.crops_per_image": Choice(1, whole), "data.oversample": Choice(0.0, whole)}
    return {"data.crops_per_image": _crops(found), "data.oversample": _oversample(found, size)}


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


def _oversample(found: Fingerprint, size: Sequence[int]) -> Choice:
    shares = [
        (share, name)
        for share, name in zip(found.shares[1:], found.classes[1:], strict=True)
        if share
    ]
    least, name = min(shares, default=(1.0, ""))
    if least < RARE:
        return Choice(0.33, f"'{name}' has {least:.2%} of the pixels: it is looked for")
    windows = math.prod(found.largest) / math.prod(size)
    if windows > ROOMY:
        why = f"the largest image has room for {windows:.0f} windows, where one at random may miss"
        return Choice(0.33, f"{why} '{name}', {least:.1%} of the pixels")
    return Choice(0.0, f"each class has {least:.1%} of the pixels or more")


def _geometry(found: Fingerprint) -> Choices:
    lies, why = _lies_any_way(found)
    if not lies:
        return {
            "augment.flip": Choice("left_right", why),
            "augment.quarter_turns": Choice(False, why),
            "augment.scale": Choice(0.4, "things are near and far"),
            "augment.rotation": Choice(5.0, why),
            "augment.elastic": Choice(0.0, "things may have a fixed shape"),
            "augment.warp_probability": Choice(0.8, "most windows, not all"),
            "augment.blur": Choice(0.0, "in focus, as photographs mostly are"),
        }
    return {
        "augment.flip": Choice(True, why),
        "augment.quarter_turns": Choice(True, why),
        "augment.scale": Choice(0.35, "other magnifications"),
        "augment.rotation": Choice(45.0, why),
        "augment.elastic": Choice(6.0, "objects without a fixed shape"),
        "augment.warp_probability": Choice(0.4, "the others keep their sharpness"),
        "augment.blur": Choice(1.0, "other focus"),
    }


def _lies_any_way(found: Fingerprint) -> tuple[bool, str]:
    """Return whether pictures have no above and no below, as far as is known, and why."""
    if found.upright is None:
        return False, f"fewer than {FEWEST} images: whether they stand upright is not known"
    why = f"top and bottom of the images differ by {found.upright:.0%}"
    if found.upright > UPRIGHT:
        return False, f"{why}: they stand upright"
    return True, f"{why}: they may lie any way"


def _intensity(found: Fingerprint) -> Choices:
    strong, why = _light_varies(found)
    share = Choice(0.2 if strong else 0.0, why)
    none = Choice(0.0, "no colours")
    colours = found.channels == 3
    kept = Choice(0.5, "the others keep theirs: most images to come look like these")
    return {
        "augment.light_probability": kept if strong else Choice(1.0, "small changes"),
        "augment.brightness": Choice(0.2 if strong else 0.12, why),
        "augment.contrast": Choice(0.4 if strong else 0.25, why),
        "augment.gamma": Choice(0.3 if strong else 0.2, why),
        "augment.hue": Choice(0.1 if strong else 0.02, why) if colours else none,
        "augment.grey": share if colours else none,
        "augment.invert": share,
        "augment.noise": Choice(0.03, "other sensors"),
    }


def _light_varies(found: Fingerprint) -> tuple[bool, str]:
    """Return whether stains, colours and light say little about what is shown, and why."""
    kinds = len(found.kinds)
    if kinds == 1:
        return False, "one kind of picture, in any light"
    if found.upright is not None and found.upright > UPRIGHT:
        return False, "what stands upright is of the world, whose colours tell of it"
    return True, f"{kinds} kinds of picture: none is to be known by its light"
