"""The fingerprint of each image of a data set."""

from concurrent.futures import ThreadPoolExecutor

from delineate.data.dataset import Dataset
from delineate.data.looks.fingerprints import Fingerprint


def fingerprints_of(dataset: Dataset) -> list[Fingerprint]:
    """Return the fingerprint of each image; looks are remembered where the data has a cache.

    Args:
        dataset: The images.

    Raises:
        DataError: An image cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return [seen.fingerprint for seen in pool.map(dataset.look, range(len(dataset)))]
