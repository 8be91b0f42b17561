import io

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageColor
from scipy import ndimage

from delineate.errors import UsageError
from delineate.models.drawing import _KINDS, _SKIP, count_parameters, draw_model, summarise_model


def unet(depth=2, filters=8, channels=3, size=(None, None)):
    image = keras.Input((*size, channels), name="image")
    x, skips = layers.Rescaling(1 / 255, name="scale")(image), []
    for level in range(depth + 1):
        if level:
            skips.append(x)
            x = layers.MaxPooling2D(2, name=f"encoder{level}_halve")(x)
        x = block(x, filters * 2**level, f"encoder{level}")
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(filters * 2**level, 2, 2, name=f"decoder{level}_double")(x)
        x = layers.Concatenate(name=f"decoder{level}_join")([x, skips[level]])
        x = block(x, filters * 2**level, f"decoder{level}")
    x = layers.Conv2D(2, 1, name="logits")(x)
    return keras.Model(image, layers.Activation("softmax", name="probabilities")(x), name="unet")


def block(x, filters, name):
    for number in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_convolve{number}")(x)
        x = layers.BatchNormalization(name=f"{name}_convolve{number}_normalise")(x)
        x = layers.ReLU(name=f"{name}_convolve{number}_activate")(x)
    return x


def pixels_of(model, **settings):
    return np.asarray(Image.open(io.BytesIO(draw_model(model, **settings))).convert("RGB"))


def boxes(pixels, kind):
    """(left, row of the middle, height, width) of the boxes of a kind, from left to right."""
    same = (pixels == ImageColor.getrgb(_KINDS[kind][0])).all(axis=-1)
    # A number inside a box must not cut it, and the samples of the legend are no boxes.
    labels, _ = ndimage.label(ndimage.binary_closing(same, iterations=6))
    found = [
        (c.start, (r.start + r.stop) / 2, r.stop - r.start, c.stop - c.start)
        for r, c in ndimage.find_objects(labels)
        if r.stop - r.start > 20
    ]
    return sorted(found)


def test_the_convolutions_of_a_u_net_form_a_u():
    rows = [middle for _, middle, _, _ in boxes(pixels_of(unet()), "convolve")]
    assert len(rows) == 5
    assert rows[0] < rows[1] < rows[2] > rows[3] > rows[4]
    assert rows[0] == pytest.approx(rows[4], abs=2)
    assert rows[1] == pytest.approx(rows[3], abs=2)


def test_boxes_are_higher_at_fine_resolution_and_wider_with_more_channels():
    found = boxes(pixels_of(unet()), "convolve")[:3]
    heights, widths = [box[2] for box in found], [box[3] for box in found]
    assert heights[0] > heights[1] > heights[2]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize(
    ("kind", "count"), [("reduce", 2), ("enlarge", 2), ("join", 2), ("output", 1), ("other", 1)]
)
def test_each_kind_of_layer_has_its_boxes(kind, count):
    assert len(boxes(pixels_of(unet()), kind)) == count


def arcs(pixels):
    colour = np.array(ImageColor.getrgb(_SKIP))
    same = np.abs(pixels.astype(int) - colour).sum(axis=-1) < 60
    labels, _ = ndimage.label(ndimage.binary_dilation(same, iterations=2))
    columns = [c for _, c in ndimage.find_objects(labels) if c.stop - c.start > 90]
    return sorted((c.start, c.stop) for c in columns)


def test_a_skip_connection_is_an_arc_from_the_encoder_to_the_join():
    pixels = pixels_of(unet())
    spans = arcs(pixels)
    assert len(spans) == 2
    ends = zip(boxes(pixels, "convolve")[:2], reversed(boxes(pixels, "join")), strict=True)
    for (start, stop), (source, target) in zip(spans, ends, strict=True):
        assert source[0] < start < source[0] + source[3]
        assert target[0] < stop < target[0] + target[3] + 8


def test_a_network_without_skip_connections_has_no_arcs():
    image = keras.Input((None, None, 1))
    model = keras.Model(image, block(block(image, 4, "one"), 8, "two"))
    assert arcs(pixels_of(model)) == []


def test_the_more_layers_the_more_goes_into_one_box():
    image = keras.Input((64, 64, 1))
    x = image
    for number in range(60):
        x = layers.Conv2D(1 + number % 2, 1, name=f"stage{number // 30}_{number}")(x)
    model = keras.Model(image, layers.Conv2D(2, 1, name="logits")(x))
    pixels = pixels_of(model)
    assert len(boxes(pixels, "convolve")) == 2
    assert len(boxes(pixels, "output")) == 1


def test_very_many_names_at_one_resolution_become_one_box():
    image = keras.Input((64, 64, 1))
    x = image
    for number in range(50):
        x = layers.Conv2D(1 + number % 2, 1, name=f"layer{number}")(x)
    pixels = pixels_of(keras.Model(image, layers.MaxPooling2D(2, name="pool")(x)))
    assert len(boxes(pixels, "convolve")) == 1


def test_branches_gates_and_borders_are_drawn():
    image = keras.Input((None, None, 3))
    x = layers.ZeroPadding2D(3, name="border")(image)
    x = layers.Conv2D(8, 7, strides=2, name="stem")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    gate = layers.Conv2D(8, 1, name="gate")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    branches = [layers.Conv2D(8, 3, padding="same", dilation_rate=r)(x) for r in (1, 2)]
    x = layers.Add(name="sum")(branches)
    model = keras.Model(image, layers.Conv2D(2, 1, name="logits")(x))
    pixels = pixels_of(model)
    kinds = {kind: len(boxes(pixels, kind)) for kind in _KINDS}
    assert kinds["enlarge"] == 0
    assert kinds["reduce"] == 1
    assert kinds["output"] == 1


def test_a_nested_and_a_shared_model_are_drawn():
    inner = unet(1)
    image = keras.Input((None, None, 3))
    refine = layers.Conv2D(2, 3, padding="same", name="refine")
    first = inner(image)
    model = keras.Model(image, layers.Add(name="sum")([first, refine(refine(first))]))
    assert len(boxes(pixels_of(model), "convolve")) == 2


def test_a_sequential_model_and_one_of_fixed_size_are_drawn():
    model = keras.Sequential([keras.Input((32, 64, 1)), layers.Conv2D(4, 1), layers.Conv2D(2, 1)])
    pixels = pixels_of(model)
    assert (len(boxes(pixels, "convolve")), len(boxes(pixels, "output"))) == (1, 1)


def test_sizes_are_worked_out_for_the_size_that_is_given():
    assert (pixels_of(unet(), size=64) != pixels_of(unet(), size=128)).any()


def test_a_model_without_feature_maps_is_refused():
    image = keras.Input((None, None, 2))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(image), name="flat")
    with pytest.raises(UsageError, match="'flat' has no feature map"):
        draw_model(model)


def test_table_and_count_are_at_hand_beside_the_drawing():
    model = unet()
    assert sum(row["parameters"] for row in summarise_model(model)) == count_parameters(model)[0]
