"""The nested U-Net, U-Net++ (Zhou et al., DLMIA 2018, arXiv:1807.10165)."""

from collections.abc import Mapping
from typing import Any

from delineate.models.blocks import Style, block, double, filters_at, join, value_at
from delineate.models.decoders.decoder import Decoder
from delineate.models.decoders.filters import chosen_filters
from delineate.recipe import Model

Tensor = Any


def unetplusplus_decoder(
    features: Mapping[int, Tensor], *, settings: Model, style: Style
) -> Tensor | list[Tensor]:
    """Return the last node of the first row, at the stride of the encoder's finest feature.

    The paper's node X^{i,j} is the block ``decoder{i}_{j}`` here, i being the depth: it joins all
    earlier nodes of its row and what comes up from the row below.

    Args:
        features: Tensors by stride; they are the nodes X^{i,0}.
        settings: The recipe's section `[model]`. ``decoder_filters``: a number for each row but
            the deepest; empty: by ``filters``. With ``deep_supervision`` all nodes of the first
            row are returned: the last, then X^{0,1}, X^{0,2} and so on.
        style: What all blocks have in common.

    Raises:
        RecipeError: Not as many ``decoder_filters`` as rows but the deepest.
    """
    first, deepest = (stride.bit_length() - 1 for stride in (min(features), max(features)))
    rows = [*reversed(range(first, deepest))]
    standard = [filters_at(row, settings) for row in rows]
    filters = dict(zip(rows, chosen_filters(settings, standard, least=len(rows)), strict=True))
    nodes = {(stride.bit_length() - 1, 0): feature for stride, feature in features.items()}
    for column in range(1, deepest - first + 1):
        for row in range(first, deepest - column + 1):
            below = nodes.get((row + 1, column - 1))
            # An encoder may lack a stride in between: then its row begins later.
            if below is not None:
                earlier = [nodes[row, before] for before in range(column) if (row, before) in nodes]
                nodes[row, column] = _node(
                    below, earlier, filters[row], (row, column), settings=settings, style=style
                )
    columns = [column for column in range(1, deepest - first + 1) if (first, column) in nodes]
    *inner, main = [nodes[first, column] for column in columns or [0]]
    return [main, *inner] if settings.deep_supervision else main


def _node(
    below: Tensor,
    earlier: list[Tensor],
    filters: int,
    place: tuple[int, int],
    *,
    settings: Model,
    style: Style,
) -> Tensor:
    """Return the node at (row, column), from that below and the earlier ones of its row."""
    name = f"decoder{place[0]}_{place[1]}"
    up = double(below, filters, how=settings.upsampling, style=style, name=f"{name}_double")
    image = join([up, *earlier], style=style, name=f"{name}_join")
    share = value_at(place[0], settings.dropout)
    return block(image, filters, style=style, dropout=share, name=name)


UNETPLUSPLUS = Decoder(unetplusplus_decoder, supervised=True)
