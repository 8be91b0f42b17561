"""How many channels the stages of a decoder have."""

from collections.abc import Sequence

from delineate.errors import RecipeError
from delineate.recipe import Model


def chosen_filters(settings: Model, standard: Sequence[int], *, least: int) -> tuple[int, ...]:
    """Return ``model.decoder_filters`` or, where that is empty, the standard ones.

    Args:
        settings: The recipe's section `[model]`.
        standard: The channels of each stage, the deepest first.
        least: How many numbers there have to be; as many as stages at most.

    Raises:
        RecipeError: Too few numbers, or more than there are stages.
    """
    given, most = settings.decoder_filters, len(standard)
    if given and not least <= len(given) <= most:
        asked = f"{most}" if least == most else f"{least} to {most}"
        raise RecipeError(
            f"model.decoder_filters = {list(given)} does not fit the decoder '{settings.decoder}', "
            f"which has {most} here.",
            hint=f"Give {asked} {'number' if most == 1 else 'numbers'}, the deepest stage first, "
            "or leave it empty.",
        )
    return given or tuple(standard)


def last_filters(standard: Sequence[int], count: int) -> tuple[int, ...]:
    """Return the last channels of a list, the first repeated where the list is too short.

    So an encoder that goes less deep, or deeper, has the same channels at the same resolution.
    """
    lacking = max(0, count - len(standard))
    return (*[standard[0]] * lacking, *standard[len(standard) + lacking - count :])


def refuse_filters(settings: Model, reason: str) -> None:
    """Raise a RecipeError if channels are given to a decoder that has none to choose."""
    if settings.decoder_filters:
        raise RecipeError(
            f"model.decoder_filters = {list(settings.decoder_filters)} has no effect on the "
            f"decoder '{settings.decoder}': {reason}.",
            hint="Leave it empty, or take another decoder.",
        )
