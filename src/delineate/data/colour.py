"""Random changes of an image's intensities, in the order in which a picture comes about.

Stain (no colours, bright for dark), optics (blur), exposure (tone, hue), sensor (noise), file
(compression).
"""

import math

import cv2
import numpy as np
from scipy.special import ndtri

from delineate.recipe import Augment

# Lowest and highest quality of a random JPEG, of 100.
_QUALITY = (30, 95)


def _normal_table() -> np.ndarray:
    """Return 256 equally likely values of mean 0 and variance 1 that are distributed normally."""
    quantiles = ndtri((np.arange(256) + 0.5) / 256)
    return np.asarray(quantiles / quantiles.std(), np.float32)


# Looking up random bytes is five times as fast as drawing normal numbers.
_NORMAL = _normal_table()


def alter_intensity(image: np.ndarray, settings: Augment, rng: np.random.Generator) -> np.ndarray:
    """Return an image with its intensities changed at random; shape and dtype stay.

    The settings are shares of a value range: 255 for uint8; for uint16 the image's own largest
    value, since 12- and 14-bit cameras leave most of 65535 unused. Results are clipped to what the
    dtype holds. Contrast is changed about the image's mean, and brightness never so far that the
    mean would leave the range.

    Args:
        image: (height, width, channels) uint8 or uint16; three channels are taken for RGB. Not
            changed in place, and returned itself where nothing is drawn.
        settings: ``light_probability``: the share of images that are changed at all; and the
            bounds: ``grey`` (three channels only), ``invert``, ``brightness``,
            ``contrast``, ``gamma``, ``hue`` (three channels only), ``blur``, ``noise``,
            ``compression`` (uint8 of one or three channels only).
        rng: All randomness comes from here.

    Example:
        >>> image = np.full((8, 8, 3), 100, np.uint8)
        >>> altered = alter_intensity(image, Augment(brightness=0.2), np.random.default_rng(0))
        >>> altered.shape, altered.dtype, bool((altered == image).all())
        ((8, 8, 3), dtype('uint8'), False)
    """
    if settings.light_probability < 1 and rng.random() >= settings.light_probability:
        return image
    channels = image.shape[2]
    top = 255.0 if image.dtype == np.uint8 else float(max(1, image.max()))
    altered = image
    if settings.grey and channels == 3 and rng.random() < settings.grey:
        altered = _grey(altered)
    if settings.invert and rng.random() < settings.invert:
        # Nothing is below 0: 16-bit values of a dim camera are turned within its own range.
        altered = np.asarray(top, image.dtype) - altered
    if settings.blur:
        altered = _blur(altered, rng.uniform(0, settings.blur))
    if settings.brightness or settings.contrast or settings.gamma:
        altered = _retone(altered, top, settings, rng)
    if settings.hue and channels == 3:
        altered = _turn_hue(altered, rng.uniform(-settings.hue, settings.hue))
    if settings.noise:
        altered = _add_noise(altered, rng.uniform(0, settings.noise) * top, rng)
    if rng.random() < settings.compression and image.dtype == np.uint8 and channels in (1, 3):
        altered = _compress(altered, int(rng.integers(_QUALITY[0], _QUALITY[1] + 1)))
    return altered


def _grey(image: np.ndarray) -> np.ndarray:
    """Return RGB without colours: in each channel the luminance of ITU-R BT.601."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return an image under a Gaussian of ``sigma`` pixels; below 0.1 nothing would change."""
    if sigma < 0.1:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma)).reshape(image.shape)


def _retone(
    image: np.ndarray, top: float, settings: Augment, rng: np.random.Generator
) -> np.ndarray:
    """Return an image under one random curve: gamma, then contrast, then brightness."""
    factor = _around_one(settings.contrast, rng)
    exponent = _around_one(settings.gamma, rng)
    pivot = (float(image.mean()) / top) ** exponent
    # A dim picture would otherwise turn black, and a pale one white, with all its objects.
    lowest, highest = min(settings.brightness, pivot), min(settings.brightness, 1 - pivot)
    share = rng.uniform(-1, 1)
    shift = share * (lowest if share < 0 else highest)

    def curve(values: np.ndarray) -> np.ndarray:
        toned = (values.astype(np.float32) / top) ** exponent
        stretched = toned * (factor * top) + (pivot * (1 - factor) + shift) * top
        clipped = np.clip(np.rint(stretched), 0, np.iinfo(image.dtype).max)
        return np.asarray(clipped, image.dtype)

    if image.dtype == np.uint8:
        return np.asarray(cv2.LUT(image, curve(np.arange(256)))).reshape(image.shape)
    return curve(image)


def _around_one(bound: float, rng: np.random.Generator) -> float:
    """Return a factor between 1 - bound and 1 / (1 - bound), as often above as below 1."""
    largest = -math.log1p(-bound)
    return math.exp(rng.uniform(-largest, largest))


def _turn_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Return RGB turned about the grey axis: greys, and the mean of the channels, stay.

    A third of a turn takes red to green. The matrix is Rodrigues' rotation formula.
    """
    cosine, sine = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    matrix = cosine * np.eye(3) + (1 - cosine) / 3 + sine / math.sqrt(3) * cross
    return np.asarray(cv2.transform(image, matrix))


def _add_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Return an image with independent normal noise of ``deviation`` in each value."""
    flat = image.reshape(image.shape[0], -1)
    draws = np.frombuffer(rng.bytes(flat.size), np.uint8).reshape(flat.shape)
    noise = cv2.LUT(draws, _NORMAL * np.float32(deviation))
    depth = cv2.CV_8U if image.dtype == np.uint8 else cv2.CV_16U
    return np.asarray(cv2.add(flat, noise, dtype=depth)).reshape(image.shape)


def _compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Return an image after a JPEG file of a quality between 0 and 100."""
    colour = image.shape[2] == 3
    # JPEG keeps green and red better than blue, so the order matters to what is lost.
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if colour else image
    _, data = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
    restored = cv2.cvtColor(found, cv2.COLOR_BGR2RGB) if colour else found
    return np.asarray(restored).reshape(image.shape)
