"""The licences of published weights, as their authors state them."""

UNKNOWN = "unknown: that of the file's author"

# By the beginnings of the encoders' names, the longest first.
_IMAGENET = {
    "mobilenet": "Apache-2.0",
    "efficientnet": "Apache-2.0",
    "convnext": "Apache-2.0",
    "densenet": "BSD-3-Clause",
    "resnet": "MIT",
    "vgg": "CC BY 4.0",
}


def licence_of(encoder: str) -> str:
    """Return the licence of the ImageNet weights that keras.applications publishes.

    The pictures of ImageNet themselves may be used for research only; whether that bears on weights
    learnt from them is an open question, which no licence of the weights settles.
    """
    found = [licence for start, licence in _IMAGENET.items() if encoder.startswith(start)]
    return found[0] if found else UNKNOWN
