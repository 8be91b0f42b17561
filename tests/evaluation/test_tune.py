"""The search for settings on validation images, on outputs made by hand."""

import numpy as np
import pytest

from delineate.bundle import Bundle, Card, Category, Member
from delineate.data.dataset import Dataset
from delineate.evaluation.tune import SCALES, search, settle, some_of, trials_of, tune, wishes_of
from delineate.prediction.predictor import finish
from delineate.recipe import Augment, Post
from tests.bundles import pointwise_model, save_bundle

TURNS = (("averaging", "turns"),)


def always(outputs):
    """Stands for networks that say the same with any averaging."""
    return lambda post: outputs


def card(classes=2, **changes):
    values = {
        "members": (Member(file="model.keras"),),
        "classes": tuple(Category(name=f"class{n}", colour=(n, n, n)) for n in range(classes)),
        "channels": 1,
        "dtype": "uint8",
        "fit": "crop",
        "size": (16, 16),
        "stride": 2,
        "output": "softmax",
    }
    return Card(**(values | changes))


def squares(count=6, size=(40, 40)):
    """Images with two squares that touch, as a data set."""
    images, masks, instances = [], [], []
    for number in range(count):
        objects = np.zeros(size, np.int32)
        objects[5 + number : 20, 5:15] = 1
        objects[5 + number : 20, 15:30] = 2
        images.append((objects > 0).astype(np.uint8)[..., None] * 200)
        masks.append((objects > 0).astype(np.uint8))
        instances.append(objects)
    return Dataset.from_arrays(images, masks, instances=instances)


def softmax_of(foreground):
    return np.stack([1 - foreground, foreground], axis=-1).astype(np.float32)


def test_a_threshold_that_fits_is_found():
    part = squares()
    # Everything is said too timidly: the foreground has 0.4, the background 0.1.
    outputs = [softmax_of(np.where(sample.mask == 1, 0.4, 0.1)) for sample in part]
    found = search(card(), part, always(outputs))
    assert 0.1 < found.post.threshold <= 0.4
    assert found.before == 0
    # Each pixel is right then, but squares that touch are one: 1 for Dice, 0.1 for dsb_map.
    assert found.after == pytest.approx((1 + 0.1) / 2)


def test_what_gains_nothing_stays_as_it_was():
    part = squares()
    plain = Dataset.from_arrays([s.image for s in part], [s.mask for s in part])
    outputs = [softmax_of(np.where(sample.mask == 1, 0.99, 0.01)) for sample in plain]
    found = search(card(), plain, always(outputs), TURNS)
    assert found.post == Post()
    assert found.before == found.after == 1


def test_seeds_are_found_that_part_what_touches():
    part = squares()
    outputs = []
    for sample in part:
        distance = np.zeros(sample.size, np.float32)
        for number in (1, 2):
            rows, columns = np.nonzero(sample.instances == number)
            inner = (
                slice(rows.min() + 3, rows.max() - 2),
                slice(columns.min() + 3, columns.max() - 2),
            )
            distance[inner] = 0.85
        distance[(sample.mask == 1) & (distance == 0)] = 0.6
        outputs.append(np.dstack([softmax_of(sample.mask * 0.98), distance]))
    found = search(card(objects=("distance",)), part, always(outputs))
    assert found.objective == "dice_per_image and dsb_map"
    assert 0.6 <= found.post.seed < 0.85
    settled = card(objects=("distance",), post=found.post)
    assert all(finish(output, settled).instances.max() == 2 for output in outputs)


def split_by(good, bad):
    """What networks say of squares: one of the two parts them well, the other knows nothing."""
    outputs = []
    for sample in squares():
        maps = {"boundary": np.zeros(sample.size, np.float32), "distance": 0.6 * sample.mask}
        rim = np.zeros(sample.size, bool)
        rim[:, 13:17] = True
        inside = (sample.mask == 1) & ~rim
        told = {"boundary": 0.95 * (rim & (sample.mask == 1)), "distance": 0.95 * inside}
        maps[good] = told[good]
        # The other one sees parts that are not there.
        wrong = np.zeros(sample.size, bool)
        wrong[8::6] = True
        seen = {"boundary": 0.95 * wrong, "distance": 0.95 * ~wrong * (sample.mask == 1)}
        maps[bad] = seen[bad]
        layers = [softmax_of(sample.mask * 0.98), maps["boundary"], maps["distance"]]
        outputs.append(np.dstack(layers).astype(np.float32))
    return outputs


@pytest.mark.parametrize(("good", "bad"), [("boundary", "distance"), ("distance", "boundary")])
def test_what_parts_objects_is_chosen_by_the_validation_images(good, bad):
    part = squares()
    found = search(card(objects=("boundary", "distance")), part, always(split_by(good, bad)))
    assert found.post.objects_by == good
    assert found.after > found.before


@pytest.mark.parametrize("key", ["largest_hole", "smallest_object"])
def test_holes_are_filled_and_specks_dropped_where_that_gains(key):
    part = squares()
    plain = Dataset.from_arrays([s.image for s in part], [s.mask for s in part])
    outputs = []
    for sample in plain:
        said = np.where(sample.mask == 1, 0.98, 0.02)
        if key == "largest_hole":
            said[16:18, 10:12] = 0.02
        else:
            said[32:34, 33:35] = 0.98
        outputs.append(softmax_of(said))
    found = search(card(), plain, always(outputs))
    assert getattr(found.post, key) >= 4
    assert found.after == 1


def test_averaging_is_taken_where_it_gains():
    part = squares()
    rng = np.random.default_rng(0)
    noisy = [softmax_of(np.clip(s.mask * 0.6 + rng.normal(0.2, 0.4, s.size), 0, 1)) for s in part]
    calm = [softmax_of(np.where(s.mask == 1, 0.8, 0.2)) for s in part]
    gains, loses = {"none": noisy, "turns": calm}, {"none": calm, "turns": noisy}
    for said, averaging in ((gains, "turns"), (loses, "none")):
        found = search(card(), part, lambda post, said=said: said[post.averaging], TURNS)
        assert found.post.averaging == averaging


def test_sizes_are_averaged_on_top_where_that_gains_too():
    part = squares()
    rng = np.random.default_rng(0)
    noises = [rng.normal(0, 0.4, sample.size) for sample in part]

    def predict(post):
        asked.append((post.averaging, post.scales))
        strength = {"none": 0.6, "turns": 0.4}[post.averaging] - 0.3 * bool(post.scales)
        pairs = zip(part, noises, strict=True)
        return [softmax_of(np.clip(s.mask * 0.6 + 0.2 + strength * n, 0, 1)) for s, n in pairs]

    asked = []
    found = search(card(), part, predict, (*TURNS, ("scales", SCALES)))
    assert asked == [("none", ()), ("turns", ()), ("turns", SCALES)]
    assert (found.post.averaging, found.post.scales) == ("turns", SCALES)


def test_the_search_ends_with_its_time_and_keeps_what_it_has():
    part = squares()
    outputs = [softmax_of(np.where(sample.mask == 1, 0.4, 0.1)) for sample in part]
    asked = []

    def is_over(best):
        asked.append(best.threshold)
        return len(asked) > 2

    found = search(card(), part, always(outputs), is_over=is_over)
    assert [trial["value"] for trial in found.tried] == ["none", 0.3, 0.35]
    assert found.post.threshold == asked[-1] == 0.3


@pytest.mark.parametrize("longest", ["flips", "mirror", None])
def test_a_quicker_averaging_is_tried_where_there_is_no_time_for_the_thorough_one(longest):
    part = squares()
    rng = np.random.default_rng(0)
    noisy = [softmax_of(np.clip(s.mask * 0.6 + rng.normal(0.2, 0.4, s.size), 0, 1)) for s in part]
    calm = [softmax_of(np.where(s.mask == 1, 0.8, 0.2)) for s in part]
    said = {"none": noisy, "mirror": calm if longest else None}
    said["flips"] = calm if longest == "flips" else None
    found = search(card(), part, lambda post: said.get(post.averaging), TURNS)
    assert found.post.averaging == (longest or "none")


def test_many_classes_are_judged_by_the_mean_iou_and_have_no_threshold():
    masks = [np.eye(12, dtype=np.uint8) * 2 for _ in range(6)]
    part = Dataset.from_arrays([m[..., None] for m in masks], masks, classes=["a", "b", "c"])
    outputs = [np.eye(3, dtype=np.float32)[mask] for mask in masks]
    found = search(card(3), part, always(outputs))
    assert found.objective == "mean_iou"
    assert found.after == 1
    settings = {row["setting"] for row in found.tried}
    assert settings <= {"averaging", "largest_hole", "smallest_object", "largest_only"}


def test_each_class_that_is_one_part_is_tried_by_itself():
    masks, outputs = [], []
    for _ in range(8):
        mask = np.zeros((20, 20), np.uint8)
        mask[2:6, 2:14] = 1
        mask[10:16, 2:8] = 2
        said = mask.copy()
        # The first class is seen in halves, so its largest part is too little; the second one has
        # a false part besides.
        said[2:6, 8] = 0
        said[10:16, 12:17] = 2
        masks.append(mask)
        outputs.append(np.eye(3, dtype=np.float32)[said])
    part = Dataset.from_arrays([m[..., None] for m in masks], masks, classes=["a", "b", "c"])
    found = search(card(3), part, always(outputs))
    assert found.post.largest_only == (2,)


@pytest.mark.parametrize(
    ("settings", "way"),
    [
        ({}, "turns"),
        ({"quarter_turns": False}, "flips"),
        ({"flip": "left_right", "quarter_turns": False}, "mirror"),
        ({"flip": False, "quarter_turns": False}, None),
        ({"flip": "up_down", "quarter_turns": False}, None),
    ],
)
def test_an_image_is_laid_down_only_as_in_the_training(settings, way):
    wishes = wishes_of(Post(), Augment(scale=0.0, **settings))
    assert wishes == ((("averaging", way),) if way else ())


def test_averaging_that_is_asked_for_has_to_beat_none():
    wishes = wishes_of(Post(averaging="flips"), Augment(scale=0.0))
    assert wishes == (("averaging", "none"), ("averaging", "turns"))


def test_other_sizes_are_tried_where_the_training_had_them():
    assert wishes_of(Post(), Augment(flip=False, quarter_turns=False, scale=0.3)) == (
        ("scales", SCALES),
    )
    assert not wishes_of(Post(scales=(0.5,)), Augment(flip=False, quarter_turns=False, scale=0.3))


@pytest.mark.parametrize("objects", [(), ("boundary",), ("boundary", "distance")])
def test_as_many_trials_are_foretold_as_are_made(objects):
    part = squares()
    # What is best is what is there already, so that a setting tried again counts again.
    outputs = [
        np.dstack([softmax_of(sample.mask * 0.98), *[sample.mask * np.float32(0.9)] * len(objects)])
        for sample in part
    ]
    made = search(card(objects=objects), part, always(outputs)).tried[1:]
    assert len(made) > 10
    assert trials_of(card(objects=objects), part) == pytest.approx(len(made), abs=4)
    assert trials_of(card(objects=objects), squares(count=4)) == 0


def test_of_fewer_than_five_images_nothing_is_searched():
    part = squares(4)
    outputs = [softmax_of(np.where(sample.mask == 1, 0.4, 0.1)) for sample in part]
    found = search(card(), part, always(outputs))
    assert found.post == Post()
    assert len(found.tried) == 1


def test_a_gain_that_one_image_alone_makes_is_chance():
    part = squares(12)
    plain = Dataset.from_arrays([s.image for s in part], [s.mask for s in part])
    outputs = [softmax_of(np.where(s.mask == 1, 0.99, 0.01)) for s in plain]
    # In one image the foreground is said timidly: a lower threshold gains there and nowhere else.
    outputs[3] = softmax_of(np.where(plain[3].mask == 1, 0.4, 0.01))
    found = search(card(), plain, always(outputs))
    assert found.post.threshold == 0.5
    assert any(row["score"] > found.before and not row["kept"] for row in found.tried)


def test_of_many_classes_with_objects_the_objects_count_too():
    masks, instances, outputs = [], [], []
    for number in range(6):
        objects = np.zeros((30, 30), np.int32)
        objects[5:15, 5 : 12 + number] = 1
        objects[5:15, 12 + number : 25] = 2
        mask = np.where(objects > 0, 2, 0).astype(np.uint8)
        mask[20:25, 5:25] = 1
        instances.append(objects + 3 * (mask == 1))
        masks.append(mask)
        distance = np.where(objects > 0, 0.6, 0).astype(np.float32)
        distance[7:13, 7 : 10 + number] = distance[7:13, 14 + number : 23] = 0.85
        outputs.append(np.dstack([np.eye(3, dtype=np.float32)[mask], distance]))
    images = [mask[..., None] for mask in masks]
    part = Dataset.from_arrays(images, masks, instances=instances, classes=["a", "b", "c"])
    found = search(card(3, objects=("distance",)), part, always(outputs))
    assert found.objective == "mean_iou and dsb_map"
    assert found.post.seed >= 0.6


def test_of_many_images_some_are_looked_at():
    images = np.zeros((300, 4, 4, 1), np.uint8)
    images[:] = np.arange(300).astype(np.uint8)[:, None, None, None]
    masks = np.zeros((300, 4, 4), np.uint8)
    masks[:, 0, 0] = 1
    part = some_of(Dataset.from_arrays(images, masks, classes=["a", "b"]), card())
    assert len(part) == 128
    assert len({record.name for record in part.records}) == 128


def test_the_best_settings_are_written_into_the_card_and_the_model_is_left(tmp_path):
    images, masks = [], []
    for number in range(6):
        image = np.full((20, 20), 40, np.uint8)
        image[4:12, 4 : 10 + number] = 125
        images.append(image[..., None])
        masks.append((image > 100).astype(np.uint8))
    part = Dataset.from_arrays(images, masks)
    # Foreground has 0.49 of the range, and this model says 0.5 of what has half of it.
    bundle = save_bundle(tmp_path / "bundle", pointwise_model([0.5]))
    before = bundle.card.files["model.keras"]
    found = tune(bundle.folder, part, Augment(flip=False, quarter_turns=False))
    assert Bundle.open(bundle.folder).card.post == Post()
    settle(bundle.folder, post=found.post)
    opened = Bundle.open(bundle.folder)
    assert opened.card.post == found.post != Post()
    assert opened.card.files["model.keras"] == before
    assert found.after == pytest.approx(1)
