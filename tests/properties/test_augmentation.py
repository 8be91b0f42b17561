"""Random changes: masks stay on their objects, whatever is drawn."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.augment import augment_window
from delineate.data.colour import alter_intensity
from delineate.data.copy_paste import paste_objects
from delineate.data.source import Source
from delineate.recipe import Augment
from tests.properties.strategies import (
    images,
    label_images,
    masks,
    movements,
    noise,
    samples,
    seeds,
    shares,
    sizes,
)

fits = st.sampled_from(["crop", "resize"])
intensities = st.builds(
    Augment,
    brightness=shares,
    contrast=st.floats(0, 0.95),
    gamma=st.floats(0, 0.9),
    hue=shares,
    grey=shares,
    invert=shares,
    blur=st.floats(0, 4),
    noise=shares,
    compression=shares,
)


def augmented(parts, size, settings, seed, fit="crop"):
    rng = np.random.default_rng(seed)
    source = Source(*parts)
    return augment_window(source, size=size, fit=fit, classes=4, settings=settings, rng=rng)


@given(samples(), sizes(24), movements(), fits, seeds)
def test_a_window_has_its_size_and_no_label_is_invented(parts, size, settings, fit, seed):
    image, mask, instances = augmented(parts, size, settings, seed, fit)
    assert (image.shape, image.dtype) == ((*size, 3), np.uint8)
    assert (mask.shape, mask.dtype) == (size, np.uint8)
    assert (instances.shape, instances.dtype) == (size, np.int32)
    assert set(np.unique(mask)) <= {*np.unique(parts[1]), 255}
    assert set(np.unique(instances)) <= {*np.unique(parts[2]), 0}


@given(sizes(16), sizes(24), movements(0), seeds, st.data())
def test_where_pixels_are_only_moved_each_keeps_its_class_and_object(
    size, window, settings, seed, data
):
    settings = settings.model_copy(update={"warp_probability": 0.0})
    mask, instances = data.draw(masks(size=size)), data.draw(label_images(size=size))
    places = np.stack(np.indices(size), axis=-1).astype(np.uint8)
    image, found, objects = augmented((places, mask, instances), window, settings, seed)
    inside = found != 255
    rows, columns = image[inside].T
    np.testing.assert_array_equal(found[inside], mask[rows, columns])
    np.testing.assert_array_equal(objects[inside], instances[rows, columns])
    assert not objects[~inside].any()


@given(masks(2, side=16), sizes(24), movements(), fits, seeds)
def test_the_mask_lies_where_the_image_is_bright_and_nowhere_where_it_is_dark(
    mask, size, settings, fit, seed
):
    parts = mask[..., np.newaxis] * np.uint8(255), mask, None
    image, found, _ = augmented(parts, size, settings, seed, fit)
    # The nearest pixel, whose class it is, has more than a fifth of the weight in what is seen.
    assert set(np.unique(found[image[..., 0] > 240])) <= {1, 255}
    assert set(np.unique(found[image[..., 0] < 15])) <= {0, 255}


@given(label_images(side=16), sizes(24), movements(0.3), seeds)
def test_objects_lie_where_their_mask_is(instances, size, settings, seed):
    mask = (instances > 0).astype(np.uint8)
    parts = np.zeros((*mask.shape, 1), np.uint8), mask, instances
    _, found, objects = augmented(parts, size, settings, seed)
    np.testing.assert_array_equal(objects > 0, found == 1)


@given(samples(), sizes(24), movements(), intensities, fits, seeds)
def test_the_same_seed_gives_the_same_window(parts, size, moves, lights, fit, seed):
    copies = [part.copy() for part in parts]
    found = []
    for _ in range(2):
        image, mask, instances = augmented(parts, size, moves, seed, fit)
        found.append((alter_intensity(image, lights, np.random.default_rng(seed)), mask, instances))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(parts, copies, strict=True):
        np.testing.assert_array_equal(one, other)


@given(images(channels=(1, 2, 3, 4)), intensities, seeds)
def test_lights_change_values_alone(image, settings, seed):
    found = alter_intensity(image, settings, np.random.default_rng(seed))
    assert (found.shape, found.dtype) == (image.shape, image.dtype)


@given(images(), shares, st.floats(0, 0.95), st.floats(0, 0.9), seeds)
def test_brightness_contrast_and_gamma_never_exchange_two_values(
    image, brightness, contrast, gamma, seed
):
    settings = Augment(brightness=brightness, contrast=contrast, gamma=gamma)
    found = alter_intensity(image, settings, np.random.default_rng(seed))
    order = np.argsort(image, axis=None, kind="stable")
    assert (np.diff(found.ravel()[order].astype(int)) >= 0).all()


@given(images(kinds=(np.uint8,)), seeds)
def test_the_negative_of_a_negative_is_the_picture(image, seed):
    rng = np.random.default_rng(seed)
    negative = alter_intensity(image, Augment(invert=1.0), rng)
    np.testing.assert_array_equal(negative, 255 - image)
    np.testing.assert_array_equal(alter_intensity(negative, Augment(invert=1.0), rng), image)


@given(sizes(10), seeds, st.data())
def test_a_pasted_object_comes_whole_and_covers_only_what_lies_under_it(size, seed, data):
    base, donor = (
        (
            data.draw(noise((*size, 3))),
            data.draw(masks(size=size, ignored=True)),
            data.draw(label_images(size=size)),
        )
        for _ in range(2)
    )
    image, mask, instances = paste_objects(base, donor, np.random.default_rng(seed))
    highest = base[2].max()
    pasted = instances > highest
    np.testing.assert_array_equal(instances[pasted] - highest, donor[2][pasted])
    for found, old, new in zip((image, mask), base, donor, strict=False):
        np.testing.assert_array_equal(found[pasted], new[pasted])
        np.testing.assert_array_equal(found[~pasted], old[~pasted])
    np.testing.assert_array_equal(instances[~pasted], base[2][~pasted])
    for number in np.unique(donor[2][pasted]):
        whole = (donor[2] == number) & (donor[1] != 255)
        np.testing.assert_array_equal(pasted & (donor[2] == number), whole)
