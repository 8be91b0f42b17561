"""Which network, and what it minimises: chosen by the data set, the time and what is at hand."""

from delineate.catalog import ENCODERS
from delineate.errors import RecipeError
from delineate.models.pairing import strides_of
from delineate.models.weights.downloads import at_hand
from delineate.planning.choice import Choice, Choices, Said
from delineate.planning.fingerprint import Fingerprint
from delineate.recipe import Model

# Encoders in the order in which a plan takes one whose weights are at hand.
PREFERRED = ("mobilenetv2", "efficientnetv2b0", "efficientnetb0", "resnet50", "densenet121")
# How often these halve the resolution, at the most and where nobody says.
DEEPEST = 5
# Channels of a decoder's stage, and of the feature that is joined there, by the stage's stride: the
# cost lies at high resolution.
STAGES = {16: (192, 96), 8: (96, 48), 4: (48, 24), 2: (32, 16)}
# A larger share of touching objects makes it worth while to learn where they touch.
TOUCHING = 0.02


def model_choices(found: Fingerprint, said: Said) -> Choices:
    """Return the choices of the sections `[model]` and `[loss]`.

    Args:
        found: What the data set is.
        said: What the user has said already.
    """
    _refuse_weights_of_nothing(said)
    encoder = _encoder(found, said)
    name = str(said.get("model.encoder", encoder.value))
    network = _plain() if name == "plain" else _with_weights(name, said)
    output = _output(said)
    loss = _loss(found, str(said.get("model.output", output.value)))
    return {
        "model.encoder": encoder,
        "model.decoder": Choice("unet", "features of all strides joined again"),
        "model.upsampling": Choice("bilinear", "without the pattern of transposed convolutions"),
        **network,
        "model.output": output,
        "model.objects": _objects(found, said),
        **loss,
    }


def _refuse_weights_of_nothing(said: Said) -> None:
    if said.get("model.weights") and not said.get("model.encoder"):
        raise RecipeError(
            f"model.weights = '{said['model.weights']}' does not say of which encoder they are.",
            hint="Set model.encoder too.",
        )


def _encoder(found: Fingerprint, said: Said) -> Choice:
    """Return an encoder whose weights are at hand, where one fits; else a plain one."""
    why = _obstacle(found, said)
    if why is not None:
        return Choice("plain", why)
    width = said.get("model.width", 1.0)
    for name in PREFERRED:
        if name in ENCODERS and at_hand(name, width):
            return Choice(name, "its pretrained weights are at hand, and it is fast")
    why = "no pretrained weights are at hand; model.encoder = mobilenetv2 with model.weights = "
    return Choice("plain", f"{why}imagenet would download some")


def _obstacle(found: Fingerprint, said: Said) -> str | None:
    """Return why no pretrained encoder fits, or None."""
    if "model.weights" in said and said["model.weights"] is None:
        return "without weights, a small network is learnt faster"
    channels = said.get("data.channels") or found.channels
    if channels not in (1, 3):
        return f"pretrained weights know one or three channels, not {channels}"
    depth, size = said.get("model.depth") or DEEPEST, said.get("data.size", ())
    if depth > DEEPEST:
        return f"no pretrained encoder is of depth {depth}"
    if any(side % 2**depth for side in size):
        return f"windows of {size[0]}×{size[1]} do not divide by {2**depth}, as pretrained ones ask"
    return None


def _plain() -> Choices:
    return {
        "model.depth": Choice(4, "sees some 200 pixels around each"),
        "model.filters": Choice(16, "2 million weights: narrow and fast"),
        "model.largest_filters": Choice(256, "16 doubled at each depth"),
    }


def _with_weights(encoder: str, said: Said) -> Choices:
    begin = {"model.weights": Choice("none", f"no weights of {encoder} are at hand")}
    if _are_known(encoder, said):
        begin = {
            "model.weights": Choice("imagenet", "fewer images are needed, and less time"),
            "model.statistics": Choice("frozen", "those of the weights, not of a few batches"),
        }
    return {
        **begin,
        **_stages(encoder, said),
        "model.convolutions": Choice(1, "the encoder has the depth"),
    }


def _are_known(encoder: str, said: Said) -> bool:
    """Return whether the encoder begins with pretrained weights."""
    if "model.weights" in said:
        return said["model.weights"] is not None
    return at_hand(encoder, said.get("model.width", 1.0))


def _stages(encoder: str, said: Said) -> Choices:
    """Return the channels of a U-Net's stages, from below the encoder's deepest stride up to 2."""
    # At which strides an encoder of the user's own has features is known once it is built.
    if said.get("model.decoder", "unet") != "unet" or encoder not in ENCODERS:
        return {}
    strides = strides_of(Model(encoder=encoder, depth=said.get("model.depth")))
    stages = [stride for stride in STAGES if stride < strides[-1]]
    made = stages[: len(said.get("model.decoder_filters") or stages)]
    filters = [STAGES[stride][0] for stride in stages]
    skips = [STAGES[stride][1] for stride in made if stride in strides]
    return {
        "model.decoder_filters": Choice(filters, "the cost lies at high resolution"),
        "model.skip_filters": Choice(skips, "as wide as what they are joined to, half"),
    }


def _output(said: Said) -> Choice:
    if "binary_crossentropy" in said.get("loss.terms", ()):
        return Choice("sigmoid", "what binary_crossentropy is of")
    return Choice("softmax", "each pixel has one class")


def _objects(found: Fingerprint, said: Said) -> Choice:
    if not found.objects:
        return Choice("none", "the data has no objects of its own")
    if said.get("refiner.use", "none") != "none":
        return Choice("none", "a refiner corrects classes only")
    touching = found.touching or 0.0
    if touching >= TOUCHING:
        why = f"{touching:.0%} of the objects touch another; validation chooses between the two"
        return Choice("both", why)
    parted = said.get("post.objects_by")
    if parted not in (None, "connected"):
        return Choice(parted, f"what post.objects_by = {parted} needs")
    return Choice("none", f"{touching:.1%} of the objects touch another: connected parts will do")


def _loss(found: Fingerprint, output: str) -> Choices:
    pixels = "binary_crossentropy" if output == "sigmoid" else "sparse_categorical_crossentropy"
    if len(found.classes) == 2:
        both = {pixels: 1.0, "dice_per_image": 1.0}
        return {
            "loss.terms": Choice(both, "each pixel, and the overlap of each image alike"),
            "loss.class_weights": Choice("none", "the overlap counts a small foreground, too"),
        }
    terms = Choice({pixels: 1.0}, "each class against all others")
    if output == "softmax":
        terms = Choice({pixels: 1.0, "lovasz": 1.0}, "each pixel, and the IoU of each class alike")
    least, most = min(found.shares), max(found.shares)
    why = f"shares of the classes from {least:.2%} to {most:.0%}: rare ones count more"
    return {
        "loss.terms": terms,
        "loss.class_weights": Choice("root_inverse", why),
    }
