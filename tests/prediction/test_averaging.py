import numpy as np
import pytest

from delineate.prediction.averaging import WAYS, averaged


def slope(image):
    """A prediction that is not the same for a turned image: brightness plus the place."""
    rows, columns = np.indices(image.shape[:2])
    return (image[..., 0] + 3.0 * rows + 10.0 * columns)[..., None].astype(np.float32)


def by_hand(image, ways):
    """The eight ways written with flips and a transpose."""
    total = []
    for transposed in (False, True) if ways == "turns" else (False,):
        for up in (False, True) if ways in ("flips", "turns") else (False,):
            for left in (False, True):
                part = image.transpose(1, 0, 2) if transposed else image
                part = part[::-1] if up else part
                part = part[:, ::-1] if left else part
                found = slope(part)
                found = found[:, ::-1] if left else found
                found = found[::-1] if up else found
                total.append(found.transpose(1, 0, 2) if transposed else found)
    return np.mean(total, axis=0)


@pytest.mark.parametrize("ways", ["mirror", "flips", "turns"])
def test_each_way_is_undone_before_the_mean(ways):
    image = np.random.default_rng(0).integers(0, 255, (5, 8, 2)).astype(np.uint8)
    assert np.allclose(averaged(image, slope, ways=ways), by_hand(image, ways))


@pytest.mark.parametrize(
    ("ways", "count"), [("none", 1), ("mirror", 2), ("flips", 4), ("turns", 8)]
)
def test_no_way_is_taken_twice(ways, count):
    seen = []
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    averaged(
        image,
        lambda part: seen.append(part.tobytes() + bytes(part.shape)) or slope(part),
        ways=ways,
    )
    assert len(seen) == len(set(seen)) == count == len(WAYS[ways])


def test_other_sizes_count_as_much_as_the_image_itself():
    sizes = []

    def constant(part):
        sizes.append(part.shape[:2])
        return np.full((*part.shape[:2], 2), part.shape[0], np.float32)

    found = averaged(np.zeros((10, 20, 3), np.uint8), constant, ways="mirror", scales=(0.5, 2.0))
    assert sizes == [(10, 20)] * 2 + [(5, 10)] * 2 + [(20, 40)] * 2
    assert found.shape == (10, 20, 2)
    assert np.allclose(found, (10 + 5 + 20) / 3)


def test_without_ways_the_prediction_itself_is_returned():
    image = np.zeros((3, 3, 1), np.uint8)
    made = np.ones((3, 3, 1), np.float32)
    assert averaged(image, lambda part: made) is made
