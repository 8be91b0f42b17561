import json

import numpy as np
import pytest
from skimage.measure import label, regionprops

from delineate.data.describing.description import COLOUR
from delineate.data.looks.fingerprints import fingerprint
from delineate.data.looks.look import Look
from delineate.data.looks.traits import AREAS, Traits, traits
from delineate.data.reading import Decoded
from delineate.data.records import Facts

RED, BLUE, BLACK = COLOUR | 0xFF0000, COLOUR | 0x0000FF, COLOUR


def decoded(labels, instances=None, image=None, colours=None):
    labels = np.asarray(labels)
    if image is None:
        image = np.random.default_rng(0).integers(0, 255, (*labels.shape, 3), np.uint8)
    numbers, counts = np.unique(labels, return_counts=True)
    values = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    if colours is not None:
        values = {colours[number]: count for number, count in values.items()}
    facts = Facts(
        labels.shape, image.shape[2], str(image.dtype), values, highest=255, colours=colours
    )
    return Decoded(image, labels, instances, facts)


def blobs(seed, values, size=(40, 50), count=30):
    rng = np.random.default_rng(seed)
    labels = np.zeros(size, np.uint8)
    for _ in range(count):
        row, column = rng.integers(0, size[0]), rng.integers(0, size[1])
        height, width = rng.integers(1, 9, 2)
        labels[row : row + height, column : column + width] = rng.choice(values)
    return labels


def parts_by_scikit_image(labels, values):
    """Area of each part by value, and one picture of all parts."""
    areas, parts = {}, np.zeros(labels.shape, int)
    for value in values:
        found = label(labels == value, connectivity=2)
        parts[found > 0] = found[found > 0] + parts.max()
        areas[value] = tuple(sorted(int(part.area) for part in regionprops(found)))
    return {value: found for value, found in areas.items() if found}, parts


def touching_by_loops(parts):
    found = set()
    for row, column in np.ndindex(parts.shape):
        around = parts[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        here = parts[row, column]
        if here and set(np.unique(around)) - {0, here}:
            found.add(here)
    return len(found)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("values", [(1,), (1, 2), (1, 2, 7, 200)])
def test_objects_are_the_connected_parts_of_each_value(seed, values):
    labels = blobs(seed, values)
    areas, parts = parts_by_scikit_image(labels, values)
    found = traits(decoded(labels))
    assert found.areas == areas
    assert found.objects == parts.max()
    assert found.touching == touching_by_loops(parts)


@pytest.mark.parametrize("factor", [1, 10**6])
@pytest.mark.parametrize("seed", range(3))
def test_objects_are_the_datas_own_where_it_has_some(seed, factor):
    instances = blobs(seed, np.arange(1, 30)).astype(np.int32)
    ids, counts = np.unique(instances[instances > 0], return_counts=True)
    found = traits(decoded((instances > 0).astype(np.uint8), instances * factor))
    assert found.areas == {1: tuple(sorted(counts.tolist()))}
    assert found.objects == len(ids)
    assert found.touching == touching_by_loops(instances)


def test_the_classes_of_the_datas_own_objects_are_kept_apart():
    instances = np.array([[1, 1, 0, 2, 3, 3]], np.int32)
    labels = np.array([[4, 4, 0, 9, 9, 9]], np.uint8)
    assert traits(decoded(labels, instances)).areas == {4: (2,), 9: (1, 2)}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("mirrored", [True, False])
def test_objects_touch_at_a_corner(own, mirrored):
    labels = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 3]], np.uint8)
    labels = np.ascontiguousarray(labels[:, ::-1] if mirrored else labels)
    instances = labels.astype(np.int32) if own else None
    assert traits(decoded(labels, instances)).touching == 2


def test_ids_without_background_are_all_objects():
    instances = np.repeat(np.array([[7, 9]], np.int32) * 10**7, 4, axis=0)
    assert traits(decoded((instances > 0).astype(np.uint8), instances)).areas == {1: (4, 4)}


@pytest.mark.parametrize(
    ("values", "objects"), [((0, 255), 255), ((0, 1, 255), 1), ((0, 1, 255, 65535), 1)]
)
def test_255_is_an_object_where_it_stands_beside_0_alone(values, objects):
    labels = np.repeat(np.array([values], np.uint16), 3, axis=0)
    assert set(traits(decoded(labels)).areas) == {objects}


def test_black_is_no_object_of_a_colour_picture_wherever_it_is_listed():
    labels = np.repeat(np.array([[0, 1, 2, 2]], np.uint8), 2, axis=0)
    assert traits(decoded(labels, colours=(RED, BLACK, BLUE))).areas == {BLUE: (4,), RED: (2,)}


def test_of_many_objects_the_areas_are_thinned_out_evenly():
    labels = np.zeros((128, 300), np.uint8)
    for number in range(600):
        row, column = divmod(number, 50)
        labels[row * 10, column * 6 : column * 6 + 1 + number % 5] = 1
    found = traits(decoded(labels))
    assert found.objects == 600
    assert len(found.areas[1]) == AREAS
    assert np.bincount(found.areas[1], minlength=6)[1:] == pytest.approx(AREAS / 5, abs=1)


def test_a_mask_of_noise_does_not_take_long():
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    found = traits(decoded(noise))
    assert 0 < len(found.areas) < 40


@pytest.mark.parametrize("kind", ["grey", "grey as RGB", "JPEG", "16 bits"])
def test_a_mask_that_is_its_image_is_a_copy(kind):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 250, (24, 32), np.uint8)
    image, labels = grey[..., None], grey
    if kind == "grey as RGB":
        image = grey[..., None].repeat(3, axis=2)
    elif kind == "JPEG":
        labels = grey + rng.integers(0, 5, grey.shape, np.uint8)
    elif kind == "16 bits":
        image = labels = grey.astype(np.uint16) * 200
        image = image[..., None]
    assert traits(decoded(labels, image=image)).copied


def test_a_colour_picture_that_is_its_image_is_a_copy():
    table = np.random.default_rng(0).integers(0, 256, (40, 3))
    labels = np.random.default_rng(1).integers(0, 40, (24, 32), np.uint8)
    colours = tuple(COLOUR | int(r) << 16 | int(g) << 8 | int(b) for r, g, b in table)
    image = table.astype(np.uint8)[labels]
    assert traits(decoded(labels, image=image, colours=colours)).copied
    assert not traits(decoded(labels, image=image[::-1], colours=colours)).copied


@pytest.mark.parametrize("kind", ["drawn from the mask", "blank", "other"])
def test_a_mask_that_is_not_its_image_is_no_copy(kind):
    labels = blobs(0, (1,))
    image = (labels * 3)[..., None] + np.uint8(1)
    if kind == "blank":
        labels, image = np.zeros_like(labels), np.zeros_like(image)
    elif kind == "other":
        labels = np.random.default_rng(0).integers(0, 250, labels.shape, np.uint8)
    assert not traits(decoded(labels, image=image)).copied


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_mean_colours_are_those_within_and_beside_the_objects(channels, dtype):
    top = np.iinfo(dtype).max
    image = np.random.default_rng(0).integers(0, top, (40, 50, channels), dtype)
    labels = blobs(0, (3, 7))
    found = traits(decoded(labels, image=image))
    for colour, inside in ((found.inside, labels > 0), (found.outside, labels == 0)):
        expected = image[..., :3][inside].mean(axis=0) * (255 / top)
        assert colour == pytest.approx(tuple(expected), abs=0.06)


def test_the_mean_colours_of_a_colour_mask_go_by_its_black():
    labels = blobs(0, (1, 2))
    one = traits(decoded(labels, colours=(RED, BLACK, BLUE)))
    other = traits(decoded((labels != 1).astype(np.uint8), image=decoded(labels).image))
    assert (one.inside, one.outside) == (other.inside, other.outside)


@pytest.mark.parametrize("value", [0, 1])
def test_of_a_mask_of_one_value_there_are_no_mean_colours(value):
    found = traits(decoded(np.full((20, 20), value, np.uint8)))
    assert found.inside == found.outside == ()


def test_of_a_very_large_mask_a_part_of_the_rows_and_columns_is_looked_at(monkeypatch):
    labels = np.zeros((96, 96), np.uint8)
    labels[8:40, 8:40], labels[40:44, 8:40], labels[60:90, 60:90] = 3, 1, 2
    image = np.repeat((labels * 60)[..., None], 3, axis=2)
    whole = traits(decoded(labels, image=image))
    monkeypatch.setattr("delineate.data.looks.traits._MOST_PIXELS", 96 * 96 // 4)
    monkeypatch.setattr("delineate.data.looks.traits._MIDDLE", 32)
    part = traits(decoded(labels, image=image))
    assert part.areas == whole.areas
    assert (part.objects, part.touching) == (whole.objects, whole.touching) == (3, 2)
    assert part.digest == whole.digest
    assert part.alignment[0] > 0.5


def test_identical_masks_alone_have_the_same_digest():
    one, other = blobs(0, (1,)), blobs(1, (1,))
    instances = blobs(0, (1, 2)).astype(np.int32)
    digests = [
        traits(decoded(one)).digest,
        traits(decoded(other)).digest,
        traits(decoded(one.reshape(50, 40))).digest,
        traits(decoded(one, colours=(BLACK, RED))).digest,
        traits(decoded(one, instances)).digest,
    ]
    assert len(set(digests)) == len(digests)
    assert traits(decoded(one.copy())).digest == digests[0]


def test_a_look_goes_through_json_unchanged():
    labels = blobs(0, (1, 2), size=(64, 64))
    one = decoded(labels)
    look = Look(one.facts, fingerprint(one.image), traits(one))
    found = Look.from_json(json.loads(json.dumps(look.as_json())))
    assert found == look
    assert len(found.traits.alignment) == 8


def test_traits_that_were_written_without_a_part_are_refused():
    values = traits(decoded(blobs(0, (1,)))).as_json()
    del values["alignment"]
    with pytest.raises(KeyError):
        Traits.from_json(values)
