"""Small data sets on disk, right and wrong ones."""

import numpy as np
from PIL import Image

from delineate.catalog import find
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset

SIZE = (48, 64)


def write(path, array, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path, **how)


def say(root, text):
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.toml").write_text(text)


def shapes(seed, values=(1,), size=SIZE):
    """A mask with an object of each value, in places that the seed says."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    band = size[1] // len(values)
    for number, value in enumerate(values):
        height, width = rng.integers(10, 20), rng.integers(band // 3, band - 3)
        row, column = rng.integers(2, size[0] - height - 2), rng.integers(1, band - width - 1)
        left = number * band + column
        mask[row : row + height, left : left + width] = value
    return mask


def picture(seed, mask=None, size=SIZE):
    """An RGB image of random cells, on which the objects of a mask are brighter."""
    cells = np.random.default_rng([seed, 7]).integers(0, 130, (*np.array(size) // 4, 3))
    image = np.kron(cells, np.ones((4, 4, 1), int))
    if mask is not None:
        image[mask > 0] += 120
    return image.astype(np.uint8)


def pairs(root, masks=4, split=None, first=0):
    """Pairs in images/ and masks/; masks: how many, or the masks themselves."""
    place = root / split if split else root
    if isinstance(masks, int):
        masks = [shapes(first + number) for number in range(masks)]
    for number, mask in enumerate(masks, first):
        write(place / "images" / f"{number}.png", picture(number, np.asarray(mask)))
        write(place / "masks" / f"{number}.png", mask)
    return root


def clean(root):
    pairs(root, 5, "train")
    pairs(root, 5, "test", first=10)
    return root


def inspected(root, recipe=None):
    return inspect(Dataset.open(root, cache=False), recipe=recipe)


def findings(code, root, recipe=None):
    return list(find("rules", code)(inspected(root, recipe)))


def follow(root, hint):
    """Write the lines of a hint into dataset.toml."""
    path = root / "dataset.toml"
    text = path.read_text() if path.exists() else ""
    path.write_text(text + "\n" + hint.partition("\n")[2] + "\n")
