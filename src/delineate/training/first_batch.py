"""The first batch as a picture, to be looked at before the training has cost anything."""

from collections.abc import Sequence

from delineate.data.batches import Batches
from delineate.data.object_targets import mask_of
from delineate.data.sheet import Colours, sample_sheet

# More would be made for nothing: nobody looks at them.
MOST = 24


def draw_first_batch(batches: Batches, colours: Colours, *, names: Sequence[str]) -> bytes:
    """Return a sheet of the first step's windows, each with its mask on top.

    Below each window stand the sample's name and the smallest and the largest value that the
    network is given, since dark pictures are shown brighter than they are.

    Args:
        batches: The training batches.
        colours: The colour of each class.
        names: The name of each class, for the legend.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: An image cannot be read, or has other channels than the network takes.
    """
    windows = batches.windows
    samples = []
    for index in batches.order(0)[: min(batches.batch_size, MOST)].tolist():
        image, target = windows.window(0, index)
        # The last part of the name, and a hyphen: the tiles are narrow, their font has no dash.
        name = windows.name(0, index).rpartition("/")[2]
        samples.append((f"{name}: {image.min()}-{image.max()}", image, mask_of(target)))
    return sample_sheet(samples, colours, names=names)
