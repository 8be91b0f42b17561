"""The losses once more, from their papers: in NumPy, pixel by pixel and set by set, in double precision.

Each takes the truth (batch, height, width), logits (batch, height, width, channels), the output and
the options, and returns a number. Where all pixels are ignored it is not asked.
"""

from itertools import pairwise

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.special import expit, log_expit, log_softmax, softmax

IGNORE = 255


def shares_of(logits, output):
    logits = logits.astype(np.float64)
    return expit(logits) if output == "sigmoid" else softmax(logits, axis=-1)


def targets_of(truth, channels):
    first = 1 if channels == 1 else 0
    return np.stack([truth == first + number for number in range(channels)], axis=-1)


def weights_of(options, classes):
    return np.ones(classes) if options.class_weights is None else np.array(options.class_weights)


def foreground_of(channels):
    return range(0 if channels == 1 else 1, channels)


def mean_over_classes(losses, options, channels, numbers):
    """The mean of losses of some channels, by the weights of their classes."""
    weights = np.ones(1) if channels == 1 else weights_of(options, channels)
    return np.average(losses, weights=[weights[number] for number in numbers])


def softmax_reference(truth, logits, output, options, gamma=0.0):
    classes = logits.shape[-1]
    weights = weights_of(options, classes)
    counted = truth != IGNORE
    total = size = 0.0
    for label, row in zip(truth[counted], logits[counted].astype(np.float64), strict=True):
        spread = np.full(classes, options.label_smoothing / classes)
        spread[label] += 1 - options.label_smoothing
        total -= (weights * spread * (1 - softmax(row)) ** gamma * log_softmax(row)).sum()
        size += weights[label]
    return total / size


def sigmoid_reference(truth, logits, output, options, gamma=0.0):
    channels = logits.shape[-1]
    weights = weights_of(options, max(channels, 2))
    counted = truth != IGNORE
    total = size = 0.0
    for label, row in zip(truth[counted], logits[counted].astype(np.float64), strict=True):
        for number, logit in enumerate(row):
            yes = label == (1 if channels == 1 else number)
            share = yes * (1 - options.label_smoothing) + options.label_smoothing / 2
            loss = -share * expit(-logit) ** gamma * log_expit(logit)
            loss -= (1 - share) * expit(logit) ** gamma * log_expit(-logit)
            total += weights[label] * loss / channels
        size += weights[label]
    return total / size


def focal_reference(truth, logits, output, options):
    of_output = sigmoid_reference if output == "sigmoid" else softmax_reference
    return of_output(truth, logits, output, options, gamma=options.focal_gamma)


def dice_of(inside, share):
    return (2 * share[inside].sum() + 1) / (inside.sum() + share.sum() + 1)


def dice_per_class_reference(truth, logits, output, options):
    counted, channels = truth != IGNORE, logits.shape[-1]
    targets = targets_of(truth, channels)[counted]
    shares = shares_of(logits, output)[counted]
    numbers = foreground_of(channels)
    losses = [1 - dice_of(targets[:, number], shares[:, number]) for number in numbers]
    return mean_over_classes(losses, options, channels, numbers)


def dice_per_image_reference(truth, logits, output, options):
    images = [
        dice_per_class_reference(mask, image, output, options)
        for mask, image in zip(truth, logits, strict=True)
        if (mask != IGNORE).any()
    ]
    return np.mean(images)


def dice_over_batch_reference(truth, logits, output, options):
    counted, channels = truth != IGNORE, logits.shape[-1]
    targets = targets_of(truth, channels)[counted]
    shares = shares_of(logits, output)[counted]
    numbers = foreground_of(channels)
    weights = np.ones(1) if channels == 1 else weights_of(options, channels)
    weights = weights / np.mean([weights[number] for number in numbers])
    common = sum(weights[n] * shares[targets[:, n], n].sum() for n in numbers)
    either = sum(weights[n] * (targets[:, n].sum() + shares[:, n].sum()) for n in numbers)
    return 1 - (2 * common + 1) / (either + 1)


def tversky_losses(truth, logits, output, options):
    counted, channels = truth != IGNORE, logits.shape[-1]
    targets = targets_of(truth, channels)[counted]
    shares = shares_of(logits, output)[counted]
    for number in foreground_of(channels):
        inside, share = targets[:, number], shares[:, number]
        hits, false_alarms, misses = (
            share[inside].sum(),
            share[~inside].sum(),
            (1 - share)[inside].sum(),
        )
        wrong = options.tversky_false_positives * false_alarms
        wrong += options.tversky_false_negatives * misses
        yield 1 - (hits + 0.5) / (hits + wrong + 0.5)


def tversky_reference(truth, logits, output, options, exponent=1.0):
    losses = [loss**exponent for loss in tversky_losses(truth, logits, output, options)]
    channels = logits.shape[-1]
    return mean_over_classes(losses, options, channels, foreground_of(channels))


def focal_tversky_reference(truth, logits, output, options):
    exponent = options.focal_tversky_exponent
    return tversky_reference(truth, logits, output, options, exponent=exponent)


def extension(errors, inside):
    """The Lovász extension by its definition: the integral of 1 - IoU over all thresholds.

    At each threshold, the pixels whose error is larger are those that are wrong.
    """
    thresholds = np.unique(np.append(errors, 0.0))
    total = 0.0
    for low, high in pairwise(thresholds):
        wrong = errors >= high
        union = (inside | wrong).sum()
        total += (high - low) * (1 - (inside & ~wrong).sum() / union)
    return total


def lovasz_reference(truth, logits, output, options):
    counted, channels = truth != IGNORE, logits.shape[-1]
    targets = targets_of(truth, channels)[counted]
    if output == "sigmoid":
        signs = np.where(targets, 1.0, -1.0)
        errors = np.maximum(1 - logits[counted].astype(np.float64) * signs, 0)
        numbers = list(range(channels))
    else:
        errors = np.abs(targets - shares_of(logits, output)[counted])
        numbers = [number for number in range(channels) if targets[:, number].any()]
    losses = [extension(errors[:, number], targets[:, number]) for number in numbers]
    return mean_over_classes(losses, options, channels, numbers)


def outline_of(inside, counted):
    outside = (1 - inside) * counted
    return (maximum_filter(outside, 3, mode="constant") - outside) * counted


def boundary_reference(truth, logits, output, options):
    channels = logits.shape[-1]
    numbers = foreground_of(channels)
    images = []
    for mask, shares in zip(truth, shares_of(logits, output), strict=True):
        if (mask == IGNORE).all():
            continue
        losses = []
        for number in numbers:
            inside = targets_of(mask, channels)[..., number].astype(float)
            true = outline_of(inside, mask != IGNORE)
            found = outline_of(shares[..., number], mask != IGNORE)
            near_true = maximum_filter(true, 5, mode="constant")
            near_found = maximum_filter(found, 5, mode="constant")
            precision = ((found * near_true).sum() + 1) / (found.sum() + 1)
            recall = ((true * near_found).sum() + 1) / (true.sum() + 1)
            losses.append(1 - 2 * precision * recall / (precision + recall))
        images.append(mean_over_classes(losses, options, channels, numbers))
    return np.mean(images)


REFERENCES = {
    "binary_crossentropy": sigmoid_reference,
    "boundary": boundary_reference,
    "categorical_crossentropy": softmax_reference,
    "dice_over_batch": dice_over_batch_reference,
    "dice_per_class": dice_per_class_reference,
    "dice_per_image": dice_per_image_reference,
    "focal": focal_reference,
    "focal_tversky": focal_tversky_reference,
    "lovasz": lovasz_reference,
    "sparse_categorical_crossentropy": softmax_reference,
    "tversky": tversky_reference,
}
