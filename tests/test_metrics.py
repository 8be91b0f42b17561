"""The scores while training, against scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from delineate.errors import UsageError
from delineate.losses import SegmentationLoss
from delineate.metrics import LOW_BITS, Scores

IGNORE = 255


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def one_hot(ids, classes, high=5.0):
    return (np.eye(classes)[ids] * high).astype(np.float32)


def some(rng, classes, size=(3, 6, 8)):
    truth = rng.integers(0, classes, size)
    truth[rng.random(size) < 0.2] = IGNORE
    return truth, rng.integers(0, classes, size)


def expected_table(truth, prediction, classes):
    counted = truth != IGNORE
    return confusion_matrix(truth[counted], prediction[counted], labels=range(classes))


@pytest.mark.parametrize("classes", [2, 3, 21])
def test_the_table_of_several_batches_is_that_of_scikit_learn(rng, classes):
    batches = [some(rng, classes) for _ in range(3)]
    metric = Scores(classes)
    for truth, prediction in batches:
        metric.update_state(truth, one_hot(prediction, classes))
    truth, prediction = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    np.testing.assert_array_equal(metric.table(), expected_table(truth, prediction, classes))
    assert metric.table().dtype == np.int64


def test_one_channel_is_foreground_from_the_threshold_on(rng):
    truth, _ = some(rng, 2)
    shares = rng.random(truth.shape)
    metric = Scores(2, threshold=0.3)
    metric.update_state(truth, np.log(shares / (1 - shares))[..., np.newaxis].astype(np.float32))
    expected = expected_table(truth, (shares >= 0.3).astype(int), 2)
    np.testing.assert_array_equal(metric.table(), expected)


def test_two_channels_are_foreground_from_the_threshold_on(rng):
    truth, _ = some(rng, 2)
    logits = rng.normal(size=(*truth.shape, 2)).astype(np.float32)
    shares = np.exp(logits[..., 1]) / np.exp(logits).sum(axis=-1)
    metric = Scores(2, threshold=0.7)
    metric.update_state(truth, logits)
    expected = expected_table(truth, (shares >= 0.7).astype(int), 2)
    np.testing.assert_array_equal(metric.table(), expected)


@pytest.mark.parametrize(("threshold", "column"), [(0.0, 1), (1.0, 0)])
def test_the_outermost_thresholds_give_all_or_nothing(threshold, column):
    metric = Scores(2, threshold=threshold)
    metric.update_state(np.array([[[0, 1]]]), np.array([[[[-9.0], [9.0]]]], np.float32))
    assert metric.table()[:, column].tolist() == [1, 1]


def test_pixels_that_are_no_class_do_not_count():
    metric = Scores(2)
    metric.update_state(np.array([[[1, 2, 254, IGNORE]]]), one_hot(np.array([[[1, 1, 0, 0]]]), 2))
    assert metric.table().tolist() == [[0, 0], [0, 1]]


def test_another_ignore_value_may_be_chosen():
    metric = Scores(3, ignore=2)
    metric.update_state(np.array([[[0, 1, 2]]]), one_hot(np.array([[[0, 1, 1]]]), 3))
    assert metric.table().sum() == 2


def test_counts_are_exact_beyond_what_32_bits_hold():
    metric = Scores(2)
    before = np.array([[2**31 + 7, 2**LOW_BITS - 1], [0, 2**60 + 1]], np.int64)
    metric.high.assign(before >> LOW_BITS)
    metric.low.assign(before & (2**LOW_BITS - 1))
    truth, prediction = np.array([[[0, 0, 1, 1]]]), np.array([[[0, 1, 0, 1]]])
    metric.update_state(truth, one_hot(prediction, 2))
    np.testing.assert_array_equal(metric.table(), before + 1)


def test_the_scores_of_such_counts_are_right_to_six_digits():
    metric = Scores(2, ["accuracy"])
    metric.high.assign(np.array([[3, 1], [0, 4]]))
    assert float(metric.result()["accuracy"]) == pytest.approx(7 / 8, rel=1e-6)


def test_resetting_forgets_all_counts(rng):
    truth, prediction = some(rng, 2)
    metric = Scores(2)
    metric.update_state(truth, one_hot(prediction, 2))
    metric.reset_state()
    assert metric.table().sum() == 0


def test_a_table_is_summarised_as_the_metric_itself_would(rng):
    truth, prediction = some(rng, 3)
    metric = Scores(3)
    metric.update_state(truth, one_hot(prediction, 3))
    own = {name: float(score) for name, score in metric.result().items()}
    assert metric.summarise(metric.table()) == pytest.approx(own)
    assert list(own) == ["accuracy", "mean_iou", "dice"]


def pointwise(channels):
    image = keras.Input((None, None, 1))
    logits = keras.layers.Conv2D(channels, 1, kernel_initializer="ones")(image)
    return keras.Model(image, logits)


@pytest.fixture
def undetermined():
    """Undoes what the trainings of other tests set for the process: Keras then refuses XLA."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    yield
    if before:
        config.enable_op_determinism()


@pytest.mark.parametrize("jit", ["auto", True])
@pytest.mark.usefixtures("undetermined")
def test_it_works_in_a_plain_fit_and_evaluate_also_where_xla_compiles_them(rng, jit):
    if jit is True and keras.backend.backend() == "torch":
        pytest.skip("PyTorch has no XLA")
    model = pointwise(1)
    scores = Scores(2, ["accuracy", "foreground_iou"])
    loss = SegmentationLoss({"binary_crossentropy": 1.0}, output="sigmoid")
    model.compile("sgd", loss, metrics=[scores], jit_compile=jit)
    images = rng.normal(size=(4, 8, 8, 1)).astype(np.float32)
    truth, _ = some(rng, 2, (4, 8, 8))
    history = model.fit(images, truth, batch_size=2, epochs=1, verbose=0).history
    assert {"accuracy", "foreground_iou"} <= history.keys()
    found = model.evaluate(images, truth, batch_size=2, verbose=0, return_dict=True)
    prediction = (model.predict_on_batch(images)[..., 0] >= 0).astype(int)
    table = expected_table(truth, prediction, 2)
    np.testing.assert_array_equal(scores.table(), table)
    assert found["accuracy"] == pytest.approx(np.trace(table) / table.sum())
    assert found["foreground_iou"] == pytest.approx(table[1, 1] / (table.sum() - table[0, 0]))


def all_pixels(table):
    return keras.ops.sum(table)


def test_a_score_of_the_users_own_is_found_by_its_module_and_name(rng):
    metric = Scores(2, [f"{__name__}:all_pixels"])
    metric.update_state(np.zeros((1, 2, 3)), one_hot(np.zeros((1, 2, 3), int), 2))
    assert {name: float(score) for name, score in metric.result().items()} == {"all_pixels": 6.0}


def test_an_unknown_score_is_refused():
    with pytest.raises(UsageError, match="no 'recall' among the metrics"):
        Scores(2, ["recall"])
