"""Refuses networks that make no sense, before anything is built."""

from delineate.catalog import find
from delineate.errors import RecipeError
from delineate.recipe import Model, depth_of

Size = tuple[int, int]


def refuse_pairing(settings: Model, size: Size | None = None) -> None:
    """Refuse an encoder, a decoder and settings that do not go together.

    Args:
        settings: The recipe's section `[model]`.
        size: (height, width) of the images that the network is to see.

    Raises:
        UsageError: An encoder or decoder that does not exist.
        RecipeError: They do not go together.
    """
    encoder, decoder = find("encoders", settings.encoder), find("decoders", settings.decoder)
    if hasattr(encoder, "refuse"):
        encoder.refuse(settings)
    has = strides_of(settings)
    missing = [stride for stride in getattr(decoder, "strides", ()) if stride not in has]
    if missing:
        raise RecipeError(
            f"The decoder '{settings.decoder}' needs a feature of stride {missing[0]}; the encoder "
            f"'{settings.encoder}' gives {', '.join(map(str, has))} at model.depth = "
            f"{depth_of(settings)}.",
            hint=_remedy(missing, has, settings),
        )
    if settings.deep_supervision and not getattr(decoder, "supervised", False):
        raise RecipeError(
            f"The decoder '{settings.decoder}' has no inner outputs to supervise.",
            hint="Set model.deep_supervision=false, or model.decoder=unetplusplus.",
        )
    if settings.skip_filters and not getattr(decoder, "narrows", False):
        raise RecipeError(
            f"model.skip_filters = {list(settings.skip_filters)} has no effect on the decoder "
            f"'{settings.decoder}'.",
            hint="Leave it empty, or set model.decoder to unet or attention_unet.",
        )
    _refuse_weights(settings, pretrainable=hasattr(encoder, "convention"))
    if isinstance(settings.freeze, int) and settings.freeze not in has:
        raise RecipeError(
            f"model.freeze = {settings.freeze}, and the encoder '{settings.encoder}' has features "
            f"of stride {', '.join(map(str, has))}.",
            hint="Set model.freeze to one of these, or to all or none.",
        )
    if works_at_one_size(settings) and size is None:
        raise RecipeError(
            f"A network of '{settings.encoder}' and '{settings.decoder}' works at one size only.",
            hint="Give the size of its images: size=(height, width).",
        )


def strides_of(settings: Model) -> list[int]:
    """Return the strides at which the encoder has features, finest first."""
    least = getattr(find("encoders", settings.encoder), "least_stride", 1)
    return [2**power for power in range(depth_of(settings) + 1) if 2**power >= least]


def works_at_one_size(settings: Model) -> bool:
    """Return whether the encoder or the decoder needs images of one fixed size."""
    parts = find("encoders", settings.encoder), find("decoders", settings.decoder)
    return any(getattr(part, "fixed_size", False) for part in parts)


def _remedy(missing: list[int], has: list[int], settings: Model) -> str:
    """Return what gives a decoder the strides that it misses."""
    if min(missing) < min(has):
        return "Take an encoder with a finer feature, or another decoder."
    depth = max(missing).bit_length() - 1
    return f"Set model.depth={depth}, or take another decoder than '{settings.decoder}'."


def _refuse_weights(settings: Model, *, pretrainable: bool) -> None:
    if settings.weights is not None and not pretrainable:
        raise RecipeError(
            f"The encoder '{settings.encoder}' takes no pretrained weights.",
            hint="Set model.weights=none, or take an encoder of `delineate show encoders`.",
        )
    if settings.freeze != "none" and settings.weights is None:
        raise RecipeError(
            f"model.freeze = {settings.freeze} without model.weights would keep random weights.",
            hint="Set model.weights, or model.freeze=none.",
        )
    if settings.statistics == "frozen" and settings.weights is None:
        raise RecipeError(
            "model.statistics = frozen without model.weights would normalise nothing: random "
            "weights have no statistics.",
            hint="Set model.weights, or model.statistics=trained.",
        )
