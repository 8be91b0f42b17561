"""Every tensor of a PyTorch checkpoint has its place."""

from collections.abc import Collection, Sequence
from pathlib import Path

from delineate.errors import WeightsError
from delineate.models.weights.tensors import few
from delineate.models.weights.torch_files import State

_HEADS = ("classifier.", "fc.", "head.", "decode_head.")
# The networks of segmentation_models.pytorch have the first, and all have the last.
_ENCODER, _LAST = "encoder.", "segmentation_head."
# A count of training steps, which the features do not depend on.
_COUNT = ".num_batches_tracked"


def encoder_of(state: State) -> tuple[State, list[str]]:
    """Return an encoder's tensors, and the names of what a whole network has beside it."""
    if not any(name.startswith(_LAST) for name in state):
        return state, []
    own = {
        name.removeprefix(_ENCODER): value
        for name, value in state.items()
        if name.startswith(_ENCODER)
    }
    return own, [name for name in state if not name.startswith(_ENCODER)]


def account(
    path: Path, state: State, wanted: Sequence[str], *, optional: Collection[str], encoder: str
) -> list[str]:
    """Return the tensors of what comes after the encoder, sorted; refuse missing ones and others.

    Args:
        path: Of the file.
        state: The tensors.
        wanted: The names of those that the encoder has to have.
        optional: The names of those that it may have.
        encoder: What the errors call it.

    Raises:
        WeightsError: Tensors are missing, or there are some without a place.
    """
    missing = [name for name in wanted if name not in state]
    if missing:
        raise WeightsError(
            f"{path} lacks {len(missing)} of the {len(wanted)} tensors of the encoder "
            f"'{encoder}': {few(missing)}.",
            hint="Set model.encoder to the architecture of these weights, or take others.",
        )
    known = {*wanted, *optional}
    rest = [name for name in state if name not in known and not name.endswith(_COUNT)]
    surplus = [name for name in rest if not name.startswith(_HEADS)]
    if surplus:
        raise WeightsError(
            f"{path} has {len(surplus)} tensors that the encoder '{encoder}' has not: "
            f"{few(surplus)}.",
            hint="Set model.encoder to the architecture of these weights, or take others.",
        )
    return sorted(rest)
