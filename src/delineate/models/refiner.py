"""The refiner: a U-Net that corrects a network's probabilities, and the critic that judges masks.

Isola, Zhu, Zhou and Efros, Image-to-Image Translation with Conditional Adversarial Networks
(pix2pix), CVPR 2017; for masks first Luc, Couprie, Chintala and Verbeek, Semantic Segmentation
using Adversarial Networks, NIPS workshop 2016.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from delineate.models.blocks import Style, block, double, halve, normalise, project
from delineate.recipe import Refiner

Tensor = Any

# The critic's channels double at most this often, as in pix2pix.
DOUBLINGS = 3
KERNEL = 4
SLOPE = 0.2


def build_refiner(
    *,
    channels: int,
    classes: int,
    output: str,
    settings: Refiner,
    largest: float,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Return the refiner: image, logits and probabilities in, refined logits and probabilities out.

    It is a U-Net that sees the image and the probabilities; its last layer is what it adds to the
    logits. That layer begins at zero, so that the refined probabilities begin as those that are
    given, and what the network knows need not be learnt again.

    It has no normalisation: what it says of a pixel does not depend on how far the image goes on
    around it, so that tiles fit, and it is the same function in training and prediction.

    Args:
        channels: Of the image.
        classes: Channels of the logits.
        output: "softmax" or "sigmoid": what makes probabilities of the logits.
        settings: The recipe's section `[refiner]`.
        largest: The largest value that a pixel can have.
        seed: Of the initial weights.
        dtype: A Keras dtype policy.

    Returns:
        A model whose outputs are the layers ``refiner_logits`` and ``refiner_probabilities``,
        float32 like its inputs. Sides have to divide by 2^depth.
    """
    style = Style(normalisation="none", seed=seed, dtype=dtype)
    image = layers.Input((None, None, channels), name="refiner_image")
    logits = layers.Input((None, None, classes), name="refiner_given_logits")
    given = layers.Input((None, None, classes), name="refiner_given")
    scaled = _between_minus_one_and_one(largest, "refiner_scale")(image)
    seen = layers.Concatenate(dtype="float32", name="refiner_join")([scaled, given])
    change = layers.Conv2D(
        classes, 1, kernel_initializer="zeros", dtype="float32", name="refiner_change"
    )(_unet(seen, settings, style))
    refined = layers.Add(dtype="float32", name="refiner_logits")([logits, change])
    end = layers.Activation(output, dtype="float32", name="refiner_probabilities")(refined)
    return keras.Model([image, logits, given], [refined, end], name="refiner")


def logits_and_probabilities(model: keras.Model) -> keras.Model:
    """Return the graph of a network to what is refined, sharing all its layers.

    Args:
        model: Ends in the layer ``probabilities``.
    """
    end = model.get_layer("probabilities")
    return keras.Model(model.input, [end.input, end.output], name=f"{model.name}_first")


def join(model: keras.Model, refiner: keras.Model) -> keras.Model:
    """Return one graph of plain layers: the image, the network, the refiner, refined probabilities.

    The layers are shared with both, and none is hidden in a model within the model.

    Args:
        model: Ends in the layer ``probabilities``.
        refiner: As from :func:`build_refiner`.
    """
    logits, probabilities = logits_and_probabilities(model).outputs
    _, refined = refiner.call([model.input, logits, probabilities])
    return keras.Model(model.input, refined, name=f"{model.name}_refined")


def build_critic(
    *,
    channels: int,
    classes: int,
    settings: Refiner,
    largest: float,
    seed: int = 0,
    dtype: str = "float32",
) -> keras.Model:
    """Return the critic: image and mask in, how real the mask looks out: a logit for each patch.

    A patch has 16, 34, 70, 142 … pixels a side at a depth of 1, 2, 3, 4 …; 70 is that of pix2pix.
    Its normalisation is by groups of channels of one image: statistics over a batch would tell it
    which masks come from the same source.

    Args:
        channels: Of the image.
        classes: Channels of the mask: probabilities, or ones and zeros.
        settings: The recipe's section `[refiner]`.
        largest: The largest value that a pixel can have.
        seed: Of the initial weights.
        dtype: A Keras dtype policy.
    """
    style = Style(normalisation="group", seed=seed, dtype=dtype)
    image = layers.Input((None, None, channels), name="image")
    mask = layers.Input((None, None, classes), name="mask")
    scaled = _between_minus_one_and_one(largest, "critic_scale")(image)
    found = layers.Concatenate(dtype="float32", name="critic_join")([scaled, mask])
    for depth in range(settings.critic_depth + 1):
        name = f"critic{depth}"
        strides = 2 if depth < settings.critic_depth else 1
        filters = settings.critic_filters * 2 ** min(depth, DOUBLINGS)
        found = project(found, filters, style=style, name=name, kernel_size=KERNEL, strides=strides)
        if depth:
            found = normalise(found, style=style, name=f"{name}_normalise")
        found = layers.LeakyReLU(SLOPE, dtype=style.dtype, name=f"{name}_activate")(found)
    verdict = project(found, 1, style=style, name="verdict", kernel_size=KERNEL)
    verdict = layers.Activation("linear", dtype="float32", name="verdict_float32")(verdict)
    return keras.Model([image, mask], verdict, name="critic")


def _between_minus_one_and_one(largest: float, name: str) -> layers.Layer:
    return layers.Rescaling(2 / largest, offset=-1.0, dtype="float32", name=name)


def _unet(image: Tensor, settings: Refiner, style: Style) -> Tensor:
    features = []
    for depth in range(settings.depth + 1):
        name = f"refiner_encoder{depth}"
        if depth:
            image = halve(image, how="max", style=style, name=f"{name}_halve")
        image = _block(image, depth, settings, style, name)
        features.append(image)
    for depth in reversed(range(settings.depth)):
        name = f"refiner_decoder{depth}"
        filters = settings.filters * 2**depth
        image = double(image, filters, how="transposed", style=style, name=f"{name}_double")
        joined = layers.Concatenate(dtype=style.dtype, name=f"{name}_join")
        image = _block(joined([image, features[depth]]), depth, settings, style, name)
    return image


def _block(image: Tensor, depth: int, settings: Refiner, style: Style, name: str) -> Tensor:
    return block(image, settings.filters * 2**depth, style=style, dropout=0.0, name=name)


def patch_of(depth: int) -> int:
    """Return the side, in pixels, of the patches that a critic of a depth judges."""
    side = 1
    for strides in (1, 1, *np.repeat(2, depth).tolist()):
        side = (side - 1) * strides + KERNEL
    return side
