import keras
import numpy as np
import pytest
from keras import layers

from delineate.errors import UsageError
from delineate.models.summary import count_parameters, summarise_model


def small_model(size=(None, None)):
    image = keras.Input((*size, 3), name="image")
    fine = layers.Conv2D(4, 3, padding="same", name="fine")(image)
    coarse = layers.MaxPooling2D(2, name="halve")(fine)
    coarse = layers.BatchNormalization(name="normalise")(coarse)
    up = layers.UpSampling2D(2, name="double")(coarse)
    joined = layers.Concatenate(name="join")([up, fine])
    return keras.Model(image, layers.Conv2D(2, 1, name="logits")(joined), name="small")


def test_sizes_and_channels_are_those_that_the_model_computes():
    model = small_model()
    everything = keras.Model(model.input, [layer.output for layer in model.layers[1:]])
    computed = [value.shape for value in everything(np.zeros((1, 48, 48, 3), np.float32))]
    rows = summarise_model(model, size=48)
    assert [(1, *row["size"], row["channels"]) for row in rows] == [tuple(s) for s in computed]
    assert [row["name"] for row in rows] == [layer.name for layer in model.layers[1:]]


def test_strides_and_types_are_told():
    rows = {row["name"]: row for row in summarise_model(small_model())}
    assert [rows[name]["stride"] for name in ("fine", "halve", "double")] == [1, 2, 1]
    assert rows["halve"]["type"] == "MaxPooling2D"
    assert rows["fine"]["size"] == [256, 256]


def test_a_model_of_fixed_size_keeps_its_size():
    assert summarise_model(small_model((32, 64)))[0]["size"] == [32, 64]


def test_a_stride_that_is_no_whole_number_is_told_as_it_is():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, layers.Conv2D(1, 5, name="valid")(image))
    assert summarise_model(model, size=64)[0]["stride"] == pytest.approx(64 / 60)


def test_parameters_are_counted_as_weights_and_biases_by_hand():
    model = small_model()
    fine, normalise, logits = 3 * 4 * 9 + 4, 4 * 4, 8 * 2 + 2
    assert count_parameters(model) == (fine + normalise + logits, fine + 8 + logits)
    parameters = [row["parameters"] for row in summarise_model(model)]
    assert parameters == [fine, 0, normalise, 0, 0, logits]


def test_a_frozen_layer_is_not_counted_as_trained():
    model = small_model()
    model.get_layer("fine").trainable = False
    assert count_parameters(model)[1] == 8 + 18


def test_a_layer_that_is_called_twice_has_two_rows_and_its_parameters_once():
    image = keras.Input((8, 8, 2))
    shared = layers.Conv2D(2, 1, name="shared")
    rows = summarise_model(keras.Model(image, shared(shared(image))))
    assert [(row["name"], row["parameters"]) for row in rows] == [("shared", 6), ("shared", 0)]


def test_what_is_no_feature_map_has_no_size():
    image = keras.Input((None, None, 2))
    pooled = layers.GlobalAveragePooling2D(name="pool")(image)
    row = summarise_model(keras.Model(image, pooled))[0]
    assert (row["size"], row["stride"], row["channels"]) == (None, None, None)


def test_looking_at_a_model_does_not_change_it():
    model = small_model()
    before = model.to_json()
    summarise_model(model)
    assert model.to_json() == before
    assert all(layer.output is not None for layer in model.layers)


class NoGraph(keras.Model):
    def call(self, image):
        return image


@pytest.mark.parametrize(
    "model",
    [
        NoGraph(name="odd"),
        keras.Sequential([layers.Conv2D(1, 1)], name="odd"),
        keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="odd"),
    ],
)
def test_a_model_that_is_no_graph_from_one_image_is_refused_by_name(model):
    with pytest.raises(UsageError, match="'odd'") as caught:
        summarise_model(model)
    assert "functional" in caught.value.hint
