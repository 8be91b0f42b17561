"""Which network, and what it minimises: chosen by the data set, the time and what is at hand."""

from collections.abc import Mapping

from delineate.catalog import ENCODERS
from delineate.errors import RecipeError
from delineate.models.weights.downloads import at_hand
from delineate.planning.choice import Choice, Choices
from delineate.planning.fingerprint import Fingerprint

# Encoders in the order in which a plan takes one whose weights are at hand.
PREFERRED = ("mobilenetv2", "efficientnetv2b0", "efficientnetb0", "resnet50", "densenet121")
# A larger share of touching objects makes it worth while to learn where they touch.
TOUCHING = 0.02


def model_choices(found: Fingerprint, said: Mapping[str, object]) -> Choices:
    """Return the choices of the sections `[model]` and `[loss]`.

    Args:
        found: What the data set is.
        said: What the user has said already, by "section.key".
    """
    _refuse_weights_of_nothing(said)
    encoder = str(said.get("model.encoder") or _encoder(found))
    known = bool(said.get("model.weights")) or at_hand(encoder)
    network = _plain(found) if encoder == "plain" else _with_weights(encoder, known=known)
    if said.get("model.decoder", "unet") != "unet":
        network = {key: value for key, value in network.items() if not key.endswith("_filters")}
    return {**network, **_outputs(found), **_loss(found)}


def _refuse_weights_of_nothing(said: Mapping[str, object]) -> None:
    if said.get("model.weights") and not said.get("model.encoder"):
        raise RecipeError(
            f"model.weights = '{said['model.weights']}' does not say of which encoder they are.",
            hint="Set model.encoder too.",
        )


def _encoder(found: Fingerprint) -> str:
    """Return the encoder: one whose weights are at hand, where they fit; else a plain one."""
    if found.channels not in (1, 3):
        return "plain"
    return next((name for name in PREFERRED if name in ENCODERS and at_hand(name)), "plain")


def _plain(found: Fingerprint) -> Choices:
    why = "no pretrained weights are at hand; model.encoder = mobilenetv2 with model.weights = "
    why += "imagenet would download some"
    if found.channels not in (1, 3):
        why = f"pretrained weights know one or three channels, not {found.channels}"
    return {
        "model.encoder": Choice("plain", why),
        "model.decoder": Choice("unet", "features of all strides joined again"),
        "model.depth": Choice(4, "sees some 200 pixels around each"),
        "model.filters": Choice(16, "2 million weights: narrow and fast"),
        "model.largest_filters": Choice(256, "16 doubled at each depth"),
        "model.upsampling": Choice("bilinear", "without the pattern of transposed convolutions"),
    }


def _with_weights(encoder: str, *, known: bool) -> Choices:
    begin = {
        "model.encoder": Choice(encoder, "its pretrained weights are at hand, and it is fast"),
        "model.weights": Choice("imagenet", "fewer images are needed, and less time"),
        "model.statistics": Choice("frozen", "those of ImageNet are better than a few batches'"),
    }
    if not known:
        begin = {"model.weights": Choice("none", f"no weights of {encoder} are at hand")}
    return {
        **begin,
        "model.decoder": Choice("unet", "features of all strides joined again"),
        "model.decoder_filters": Choice([192, 96, 48, 32], "the cost lies at high resolution"),
        "model.skip_filters": Choice([96, 48, 24, 16], "as wide as what they are joined to, half"),
        "model.upsampling": Choice("bilinear", "without the pattern of transposed convolutions"),
        "model.convolutions": Choice(1, "the encoder has the depth"),
    }


def _outputs(found: Fingerprint) -> Choices:
    chosen = {"model.output": Choice("softmax", "each pixel has one class")}
    if not found.objects:
        return chosen | {"model.objects": Choice("none", "the data has no objects of its own")}
    touching = found.touching or 0.0
    if touching < TOUCHING:
        why = f"{touching:.1%} of the objects touch another: connected parts will do"
        return chosen | {"model.objects": Choice("none", why)}
    why = f"{touching:.0%} of the objects touch another; validation chooses between the two"
    return chosen | {"model.objects": Choice("both", why)}


def _loss(found: Fingerprint) -> Choices:
    if len(found.classes) == 2:
        terms = {"sparse_categorical_crossentropy": 1.0, "dice_per_image": 1.0}
        return {"loss.terms": Choice(terms, "each pixel, and the overlap of each image alike")}
    least, most = min(found.shares), max(found.shares)
    why = f"shares of the classes from {least:.2%} to {most:.0%}: rare ones count more"
    return {
        "loss.terms": Choice({"sparse_categorical_crossentropy": 1.0}, "each pixel has one class"),
        "loss.class_weights": Choice("root_inverse", why),
    }
