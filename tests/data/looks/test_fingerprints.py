import time

import numpy as np
import pytest

from delineate.data.looks.fingerprints import fingerprint
from delineate.errors import DataError


def picture(seed, side=256):
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8)


@pytest.mark.parametrize(
    "array",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=["no channels", "float", "empty"],
)
def test_an_array_that_is_no_image_is_refused(array):
    with pytest.raises(DataError, match="shape") as caught:
        fingerprint(array)
    assert "uint8" in caught.value.hint


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 3), (5, 3, 2), (700, 40, 5)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_shape_has_a_fingerprint_of_finite_numbers(shape, dtype):
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    one = fingerprint(image)
    assert len(one.bits) == 32
    assert len(one.thumbnail) == 4096
    assert np.isfinite([one.contrast, one.spread, *one.features]).all()


def test_equal_digests_mean_equal_pictures():
    image = picture(0)
    changed = image.copy()
    changed[0, 0, 0] += 1
    assert fingerprint(image).digest == fingerprint(image[:, ::-1][:, ::-1]).digest
    assert fingerprint(image).digest != fingerprint(changed).digest
    assert fingerprint(image).digest != fingerprint(image.reshape(128, 512, 3)).digest


def test_a_fingerprint_takes_milliseconds():
    image = picture(0)
    fingerprint(image)
    times = []
    for _ in range(15):
        start = time.perf_counter()
        fingerprint(image)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.004
