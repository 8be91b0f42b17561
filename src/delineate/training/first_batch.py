"""A batch as a picture: the first one, to be looked at before the training has cost anything."""

from collections.abc import Sequence

from delineate.data.batches import Batches
from delineate.data.object_targets import mask_of
from delineate.data.sheet import Colours, sample_sheet

# More would be made for nothing: nobody looks at them.
MOST = 24


def draw_first_batch(batches: Batches, colours: Colours, *, names: Sequence[str]) -> bytes:
    """Return a sheet of the first step's windows: see :func:`draw_batch`."""
    return draw_batch(batches, 0, 0, colours, names=names)


def draw_batch(
    batches: Batches, epoch: int, step: int, colours: Colours, *, names: Sequence[str]
) -> bytes:
    """Return a sheet of a step's windows, each with its mask on top.

    Below each window stand the sample's name and the smallest and the largest value that the
    network is given, since dark pictures are shown brighter than they are.

    Args:
        batches: The training batches.
        epoch: From 0.
        step: From 0.
        colours: The colour of each class.
        names: The name of each class, for the legend.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: An image cannot be read, or has other channels than the network takes.
    """
    windows = batches.windows
    samples = []
    for index in batches.indices(epoch, step)[:MOST].tolist():
        image, target = windows.window(epoch, index)
        # The last part of the name, and a hyphen: the tiles are narrow, their font has no dash.
        name = windows.name(epoch, index).rpartition("/")[2]
        samples.append((f"{name}: {image.min()}-{image.max()}", image, mask_of(target)))
    return sample_sheet(samples, colours, names=names)
