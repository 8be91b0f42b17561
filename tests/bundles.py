"""Small models and bundles whose predictions one can work out by hand."""

import keras
import numpy as np

from delineate.bundle import Bundle, Card, Category, Member
from delineate.imaging import PALETTE

# How sharply one class gives way to the next: a logit per brightness of 1.
STEEPNESS = 40.0


def pointwise_model(bounds, *, channels=1, scale=1 / 255):
    """Return a model that tells classes by each pixel's own brightness.

    One bound gives a sigmoid of one channel, several a softmax: class n is above n bounds.
    """
    image = keras.Input((None, None, channels), name="image")
    scaled = keras.layers.Rescaling(scale)(image)
    outputs = 1 if len(bounds) == 1 else len(bounds) + 1
    conv = keras.layers.Conv2D(outputs, 1, name="logits")
    activation = "sigmoid" if outputs == 1 else "softmax"
    model = keras.Model(
        image, keras.layers.Activation(activation, name="probabilities")(conv(scaled))
    )
    slopes = np.array([1.0]) if outputs == 1 else np.arange(outputs)
    kernel = STEEPNESS * np.tile(slopes / channels, (channels, 1))
    offsets = -STEEPNESS * np.cumsum([0.0, *bounds])[-outputs:]
    conv.set_weights([kernel.reshape(1, 1, channels, outputs), offsets])
    return model


def classes_of(image, bounds, *, scale=1 / 255):
    """Return what :func:`pointwise_model` says of an image, (height, width) uint8."""
    brightness = image.astype(np.float64).mean(axis=-1) * scale
    return np.sum([brightness >= bound for bound in bounds], axis=0).astype(np.uint8)


def save_bundle(folder, model, **changes):
    """Return the bundle that holds a model."""
    channels = model.output.shape[-1] - len(changes.get("objects", ()))
    count = 2 if channels == 1 else channels
    names = ("background", "cell", "vessel", "fibre")[:count]
    values = {
        "members": (Member(file="model.keras"),),
        "classes": tuple(
            Category(name=name, colour=colour) for name, colour in zip(names, PALETTE, strict=False)
        ),
        "channels": model.input.shape[-1],
        "dtype": "uint8",
        "fit": "crop",
        "size": (16, 16),
        "stride": 2,
        "output": "sigmoid" if channels == 1 else "softmax",
    }
    card = Card(**(values | changes))

    def write(place):
        for member in card.members:
            model.save(place / member.file)

    return Bundle.save(folder, card, write)
