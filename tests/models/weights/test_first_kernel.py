"""The first convolution answers to other channels as it did to red, green and blue."""

import keras
import numpy as np
import pytest

from delineate.models.weights import adapt_first_kernel

KERNEL = np.random.default_rng(0).normal(0, 1, (3, 3, 3, 4)).astype(np.float32)


def response(image, kernel):
    return keras.ops.convert_to_numpy(keras.ops.conv(image, kernel, padding="same"))


def test_three_channels_are_left_as_they_are():
    assert adapt_first_kernel(KERNEL, 3) is KERNEL


def test_one_channel_gives_what_three_equal_ones_gave():
    grey = np.random.default_rng(1).random((1, 8, 8, 1), np.float32)
    one = response(grey, adapt_first_kernel(KERNEL, 1))
    np.testing.assert_allclose(one, response(grey.repeat(3, -1), KERNEL), atol=1e-5)


@pytest.mark.parametrize("channels", [2, 4, 5, 6, 13])
def test_other_numbers_take_red_green_and_blue_in_turn_and_keep_the_scale(channels):
    found = adapt_first_kernel(KERNEL, channels)
    assert found.shape == (3, 3, channels, 4)
    assert found.dtype == np.float32
    for channel in range(channels):
        expected = KERNEL[:, :, channel % 3] * 3 / channels
        np.testing.assert_allclose(found[:, :, channel], expected, rtol=1e-6)


def test_six_channels_that_repeat_an_image_give_what_it_gave():
    image = np.random.default_rng(1).random((1, 8, 8, 3), np.float32)
    twice = response(np.concatenate([image, image], -1), adapt_first_kernel(KERNEL, 6))
    np.testing.assert_allclose(twice, response(image, KERNEL), atol=1e-5)
