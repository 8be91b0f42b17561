"""Every tensor of a PyTorch checkpoint has its place."""

from collections.abc import Collection, Sequence
from pathlib import Path

from delineate.errors import WeightsError
from delineate.models.weights.tensors import few
from delineate.models.weights.torch_files import State

_HEADS = ("classifier.", "fc.", "head.", "decode_head.")
# What comes after the encoder in the networks of segmentation_models.pytorch.
_LAST = "segmentation_head."
_REST = ("decoder.", _LAST, "classification_head.")
# A count of training steps, which the features do not depend on.
_COUNT = ".num_batches_tracked"


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
    is_network = any(name.startswith(_LAST) for name in state)
    heads = _HEADS + _REST if is_network else _HEADS
    surplus = [name for name in rest if not name.startswith(heads)]
    if surplus:
        raise WeightsError(
            f"{path} has {len(surplus)} tensors that the encoder '{encoder}' has not: "
            f"{few(surplus)}.",
            hint="Set model.encoder to the architecture of these weights, or take others.",
        )
    return sorted(rest)
