"""Objects that are parted differently: planted ones come first, scores are those of plain loops."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from delineate.data.records import Sample
from delineate.evaluation.contradiction import Contradiction
from delineate.evaluation.disagreement import find_disagreements
from delineate.evaluation.parting import find_partings
from delineate.instance_scores import match_counts, measure_overlaps
from delineate.prediction.predictor import Prediction

NAMES = ("background", "cell")
MAPS = [("boundary",), ("distance",), ("boundary", "distance")]


def truth_of(objects, ignored=None):
    mask = (objects > 0).astype(np.uint8)
    if ignored is not None:
        mask[ignored] = 255
    return Sample("a", np.zeros((*mask.shape, 1), np.uint8), mask, objects.astype(np.int32))


def predicted(objects, maps=("boundary",), sure=0.95):
    """Return objects as a network predicts them that has learnt the maps and is sure of all."""
    mask = (objects > 0).astype(np.uint8)
    cell = np.where(mask, sure, 1 - sure).astype(np.float32)
    said = {name: made.astype(np.float32) for name, made in _said(objects).items() if name in maps}
    separated = objects.astype(np.int32) if maps else None
    return Prediction(mask, np.stack([1 - cell, cell], axis=-1), said, separated)


def _said(objects):
    depth = np.zeros(objects.shape)
    for number in np.unique(objects[objects > 0]):
        inside = np.pad(objects == number, 1)
        steps = np.zeros(inside.shape)
        while inside.any():
            steps += inside
            inside = inside & np.roll(inside, 1, 0) & np.roll(inside, -1, 0)
            inside = inside & np.roll(inside, 1, 1) & np.roll(inside, -1, 1)
        depth += steps[1:-1, 1:-1] / steps.max()
    rim = (objects > 0) & (depth * 8 < 3)
    return {"boundary": 0.9 * rim, "distance": depth}


def discs(size, *centres, radius=8):
    """Return discs numbered in their order; where two overlap, each has its own half."""
    rows, columns = np.indices(size)
    away = np.stack([np.hypot(rows - row, columns - column) for row, column in centres])
    return np.where(away.min(axis=0) <= radius, away.argmin(axis=0) + 1, 0).astype(np.int32)


def find(truth, prediction):
    return find_partings(Contradiction.of(truth, prediction))


def listed(truth, prediction):
    return find_disagreements(Contradiction.of(truth, prediction), NAMES)


CELLS = discs((61, 97), (14, 14), (14, 28), (14, 60), (44, 20), (44, 36), (44, 80))


@pytest.mark.parametrize("maps", [*MAPS, ()])
def test_a_right_prediction_has_none(maps):
    assert find(truth_of(CELLS), predicted(CELLS, maps if maps else ("boundary",))) == []
    apart = discs((61, 97), (14, 14), (14, 60), (44, 20))
    assert find(truth_of(apart), predicted(apart, maps)) == []
    assert find(truth_of(np.zeros((7, 5), int)), predicted(np.zeros((7, 5), int), maps)) == []


@pytest.mark.parametrize("maps", MAPS)
def test_a_planted_merge_and_a_planted_split_are_first_and_alone(maps):
    planted = np.where(CELLS == 2, 1, CELLS)  # 1 and 2 touch, and are one
    right = np.indices(CELLS.shape)[1] > 80
    planted = np.where((CELLS == 6) & right, 77, planted)  # 6 is cut through its middle
    unsure = predicted(CELLS, maps)
    # A cell that is missing in the truth, of which the network is not so sure.
    planted[planted == 3] = 0
    unsure.probabilities[CELLS == 3] = (0.3, 0.7)
    places = listed(truth_of(planted), unsure)
    assert [place.kind for place in places[:2]] in (["joined", "split"], ["split", "joined"])
    assert [place.kind for place in places[2:]] == ["class"]
    joined, split = sorted(places[:2], key=lambda place: place.kind)
    assert (joined.object, joined.area) == (1, np.isin(CELLS, (1, 2)).sum())
    assert (split.object, split.area) == (77, (CELLS == 6).sum())
    assert abs(joined.place[1] - 21) <= 1
    assert abs(split.place[1] - 80) <= 1
    assert joined.box == (6, 6, 23, 37)
    for place in (joined, split):
        assert (place.true_class, place.predicted_class) == ("cell", "cell")
        assert place.predicted_probability == place.true_probability == pytest.approx(0.95)


def blocks(rng, size, count=12):
    """Return label images of rectangles that overlap each other anyhow."""
    objects = np.zeros(size, np.int32)
    for number in rng.permutation(count) + 1:
        row, column = (int(rng.integers(side)) for side in size)
        height, width = rng.integers(2, 16, 2)
        objects[row : row + height, column : column + width] = 5 * number
    return objects


@pytest.mark.parametrize("size", [(31, 47), (1, 80), (63, 3)])
def test_they_are_the_objects_with_two_parts_or_more_and_some_have_no_partner(size):
    rng = np.random.default_rng(5)
    met = 0
    for _ in range(60):
        truth, prediction = blocks(rng, size), blocks(rng, size)
        found = Contradiction.of(truth_of(truth), predicted(prediction))
        expected = []
        for kind, one, other in (("joined", truth, prediction), ("split", prediction, truth)):
            for whole in np.unique(one[one > 0]):
                touched = np.unique(other[(one == whole) & (other > 0)])
                pairs = [(one == whole, other == part) for part in touched]
                alone = not any(iou(*pair) > 0.5 for pair in pairs)
                parts = [pair for pair in pairs if alone or much(*pair)]
                if len(parts) > 1:
                    expected.append((kind, whole))
                    assert sum(iou(*pair) > 0.5 for pair in parts) < len(parts)
        got = []
        for dispute in find_partings(found):
            objects = truth if dispute.kind == "joined" else prediction
            got.append((dispute.kind, objects[dispute.place]))
            assert (objects[dispute.box] == objects[dispute.place]).any()
        assert sorted(got) == sorted(expected)
        met += len(got)
        everything = match_counts(truth, prediction, [0.5])[0]
        assert got == [] or everything[1] or everything[2]
    assert met > 10


def much(first, second):
    return 2 * (first & second).sum() >= min(first.sum(), second.sum())


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def reference(objects, inside, kind, *, ignored=None):
    """Return the score of touching objects that are one to the other side."""
    passes = {}
    height, width = objects.shape
    for row, column in itertools.product(range(height), range(width)):
        for down, right in ((0, 1), (1, 0)):
            if row + down < height and column + right < width:
                first, second = objects[row, column], objects[row + down, column + right]
                if first != second:
                    value = min(inside[row, column], inside[row + down, column + right])
                    for number in (first, second):
                        passes[number] = max(passes.get(number, 0), value)
    numbers, areas = np.unique(objects, return_counts=True)
    scores = []
    for number in np.delete(numbers, areas.argmax()):
        margin = 2 * passes[number] - 1 if kind == "split" else 1 - 2 * passes[number]
        weight = gaussian_filter((objects == number).astype(float), 2, mode="mirror").max()
        scores.append(max(margin, 0) * weight)
    return max(scores)


@pytest.mark.parametrize("maps", MAPS)
def test_the_score_is_that_of_a_plain_loop(maps):
    rng = np.random.default_rng(3)
    size = (33, 41)
    several = np.indices(size)[0] // 14 * 3 + np.indices(size)[1] // 17 + 1
    one = np.ones(size, int)
    scores = []
    for level in (0, 0.2, 0.4, 0.6):
        for kind, truth, prediction in (("joined", one, several), ("split", several, one)):
            made = predicted(prediction, maps)
            wavy = {name: gaussian_filter(rng.random(size), 2) * 0.5 + level for name in MAPS[2]}
            said = {name: wavy[name] if name == "boundary" else 1 - wavy[name] for name in maps}
            made = replace(made, maps={name: np.float32(value) for name, value in said.items()})
            values = [0.95 - said[n] if n == "boundary" else said[n] for n in maps]
            inside = gaussian_filter(np.mean(values, axis=0), 1, mode="nearest").clip(0, 1)
            (dispute,) = find(truth_of(truth), made)
            assert dispute.kind == kind
            assert dispute.score == pytest.approx(reference(several, inside, kind), abs=2e-3)
            scores.append(dispute.score)
    assert min(scores) == 0
    assert max(scores) > 0.4


def test_a_sliver_and_a_speck_score_low_however_sure_the_network_is():
    cell = np.zeros((40, 40), int)
    cell[8:30, 8:30] = 1
    for rows, columns in ((slice(8, 30), slice(8, 9)), (slice(8, 10), slice(8, 10))):
        cut = cell.copy()
        cut[rows, columns] = 2
        (dispute,) = find(truth_of(cut), predicted(cell, maps=("boundary",)))
        assert dispute.kind == "split"
        assert dispute.score < 0.2
        assert [place.kind for place in listed(truth_of(cut), predicted(cell))] == []


def test_a_network_that_has_learnt_nothing_of_objects_has_nothing_to_say_where_they_touch():
    one = np.where(np.isin(CELLS, (1, 2)), 1, 0)
    two = np.where(np.isin(CELLS, (1, 2)), CELLS, 0)
    assert all(dispute.score == 0 for dispute in find(truth_of(two), predicted(one, maps=())))
    assert listed(truth_of(two), predicted(one, maps=())) == []
    # Outlines that are a pixel off beside the line do not make it speak.
    wider = np.maximum(one, np.roll(one, 1, axis=0))
    assert listed(truth_of(two), predicted(wider, maps=())) == []


def test_it_speaks_of_gaps_that_it_sees_or_does_not_see():
    gap = np.zeros((24, 41), int)
    gap[4:20, 4:20], gap[4:20, 21:37] = 1, 2
    filled = gap.copy()
    filled[4:20, 4:37] = 1
    (joined,) = listed(truth_of(filled), predicted(gap, maps=()))
    (split,) = listed(truth_of(gap), predicted(filled, maps=()))
    assert (joined.kind, split.kind) == ("joined", "split")
    # The margin of the foreground, as that of a class.
    assert joined.score == pytest.approx(0.9, abs=0.01)
    assert split.score == pytest.approx(0.9, abs=0.01)
    assert joined.place[1] == split.place[1] or abs(joined.place[1] - 20) <= 1


def test_of_a_gap_that_is_a_region_too_only_the_surer_is_listed():
    whole = np.zeros((25, 61), int)
    whole[5:17, 6:54] = 1
    for side, kind in ((22, "joined"), (3, "class")):
        parts = whole.copy()
        parts[:, 6 + side : 54 - side] = 0
        parts[:, 30:] *= 2
        places = listed(truth_of(whole), predicted(parts, maps=()))
        assert [place.kind for place in places] == [kind]


def test_one_object_in_two_places_is_contradicted_by_two_objects():
    apart = discs((30, 70), (15, 15), (15, 50))
    (place,) = listed(truth_of(np.minimum(apart, 1)), predicted(apart))
    assert place.kind == "joined"
    assert place.score > 0.95


def test_an_object_of_many_parts_is_listed_once_by_the_part_that_speaks_most_against_it():
    three = discs((30, 60), (15, 12), (15, 26), (15, 40))
    made = predicted(three)
    made.maps["boundary"][:, :22] = 0  # of the first line nothing is seen
    (place,) = listed(truth_of(np.minimum(three, 1)), made)
    assert place.kind == "joined"
    assert abs(place.place[1] - 33) <= 1


def test_what_is_ignored_counts_nowhere():
    truth, made = np.where(CELLS == 2, 1, CELLS), predicted(CELLS)
    rng = np.random.default_rng(0)
    for ignored in (CELLS == 2, np.isin(CELLS, (1, 2)), abs(np.indices(CELLS.shape)[1] - 21) < 3):
        assert listed(truth_of(truth, ignored), made) == []
        scattered = np.where(ignored, rng.integers(0, 99, truth.shape), truth)
        assert find(truth_of(scattered, ignored), made) == find(truth_of(truth, ignored), made)
    elsewhere = np.indices(CELLS.shape)[0] > 40
    assert find(truth_of(truth, elsewhere), made) == find(truth_of(truth), made)
    # The line goes on beside a strip that is ignored.
    (place,) = listed(truth_of(truth, np.indices(CELLS.shape)[0] > 16), made)
    assert place.place[0] <= 16


def test_data_without_objects_has_none():
    sample = replace(truth_of(np.minimum(CELLS, 1)), instances=None)
    assert find(sample, predicted(CELLS)) == []


def test_numbers_of_objects_may_be_large_and_have_gaps():
    truth = np.where(CELLS == 2, 1, CELLS)
    far = np.where(truth > 0, truth * 100_000_007 + 5, 0)
    (place,) = listed(truth_of(far), predicted(CELLS))
    assert place.object == 100_000_012
    assert measure_overlaps(far, CELLS).iou.size == 6
