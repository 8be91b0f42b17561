"""What networks say of images, by a clock that is moved by hand."""

import numpy as np
import pytest

from delineate.data.dataset import Dataset
from delineate.evaluation import said
from delineate.evaluation.said import Said, cost_of
from delineate.prediction.predictor import Predictor
from delineate.recipe import Post
from tests.bundles import pointwise_model, save_bundle


class Clock:
    """A clock that each prediction moves by what it costs."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    moved = Clock()
    monkeypatch.setattr(said, "time", moved)
    monkeypatch.setattr(Predictor, "raw", _moving(moved))
    return moved


def _moving(clock):
    def raw(self, image):
        clock.now += cost_of(self.card.post)
        return np.zeros((*image.shape[:2], 1), np.float32)

    return raw


@pytest.fixture
def pair(tmp_path):
    images = np.arange(4 * 16).reshape(4, 4, 4, 1).astype(np.uint8)
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.1]))
    return Predictor.open(bundle.folder), Dataset.from_arrays(
        images, (images[..., 0] > 30).astype(np.uint8)
    )


@pytest.mark.parametrize(
    ("post", "cost"),
    [
        (Post(), 1),
        (Post(averaging="mirror"), 2),
        (Post(averaging="turns"), 8),
        (Post(averaging="flips", scales=(0.5, 2.0)), 4 * (1 + 0.25 + 4)),
    ],
)
def test_what_averaging_costs(post, cost):
    assert cost_of(post) == cost


def test_networks_say_what_they_say_of_their_own_images(pair):
    predictor, part = pair
    first, second = part.subset([0, 1]), part.subset([2])
    found = Said([(predictor, first), (predictor, second)])(Post())
    assert [output.dtype for output in found] == [np.float16] * 3
    for output, index in zip(found, (0, 1, 2), strict=True):
        np.testing.assert_allclose(output, predictor.raw(part[index].image), atol=1e-3)


# Four images take four seconds once, and as many again are predicted when all is done.
@pytest.mark.parametrize(
    ("seconds", "fits"), [(4 + 2 * 32, True), (4 + 2 * 32 - 0.1, False), (0, False)]
)
def test_averaging_is_refused_where_there_is_no_time(clock, pair, seconds, fits):
    predict = Said([pair], seconds=seconds, again=1.0)
    assert len(predict(Post())) == 4, "what is needed is always done"
    assert (predict(Post(averaging="turns")) is not None) == fits


def test_time_for_what_is_done_in_between_is_left(clock, pair):
    predict = Said([pair], seconds=4 + 8 + 10 * 2, again=0.0, between=10)
    predict(Post())
    clock.now += 2
    # Of 32 seconds 6 have gone, and 20 are for what follows.
    assert predict(Post(averaging="mirror")) is None


def test_what_is_done_is_told(pair):
    predictor, part = pair
    told = []
    Said([(predictor, part)], progress=lambda done, all_: told.append((done, all_)))(Post())
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_it_is_over_when_only_what_comes_after_it_fits(clock, pair):
    predict = Said([pair], seconds=4 + 3 + 2 * 4, again=1.0)
    predict(Post())
    twice = Post(averaging="mirror")
    clock.now += 3
    assert not predict.is_over(twice)
    clock.now += 1
    assert predict.is_over(twice)
    assert not predict.is_over(Post())
