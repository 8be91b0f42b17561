import cv2
import numpy as np
import pytest

from delineate.data.checking.rules.sequences import find_films
from delineate.data.describing.description import parse_description
from delineate.data.records import Record
from tests.data.checking.rules.making import findings, pairs, picture, say, shapes, write


def frames(root, splits, name="tour_{:03}", drift=None):
    """Frames in the order of splits; with drift, each shows what the one before it showed, moved."""
    scene = cv2.GaussianBlur(picture(99, size=(48, 400)), (0, 0), 6)
    for number, split in enumerate(splits):
        mask = shapes(number)
        image = picture(number, mask)
        if drift is not None:
            image = scene[:, drift * number : drift * number + 64]
        write(root / split / "images" / f"{name.format(number)}.png", image)
        write(root / split / "masks" / f"{name.format(number)}.png", mask)
    return root


def by_chance(count):
    return [str(side) for side in np.random.default_rng(0).choice(["train", "test"], count)]


def test_a_clip_between_training_frames_is_found_whatever_they_show(tmp_path):
    splits = ["train"] * 6 + ["val"] * 3 + ["train"] * 6
    (found,) = findings("D306", frames(tmp_path, splits))
    assert "train 000–005, validation 006–008, train 009–014." in found.message
    assert found.message.endswith("Those of validation lie between the others.")
    assert found.where[0] == "validation/tour_006"


def test_numbered_images_that_are_split_by_chance_are_no_film(tmp_path):
    assert findings("D306", frames(tmp_path, by_chance(24))) == []


def test_one_image_between_others_may_be_there_by_chance(tmp_path):
    assert findings("D306", frames(tmp_path, ["train"] * 7 + ["test"] * 2 + ["train"] * 7)) == []


def test_a_word_that_only_begins_like_one_for_frames_is_none(tmp_path):
    assert findings("D306", frames(tmp_path, by_chance(24), name="campus_{:03}")) == []


def test_what_lies_between_splits_that_alternate_lies_there_by_chance():
    splits = [*["train", "test"] * 8, *["validation"] * 3, *["train", "test"] * 8]
    (film,) = find_films(
        [Record(f"{side}/a_{n}", (), (), split=side) for n, side in enumerate(splits)]
    )
    assert film.enclosed == []


def test_frames_that_follow_each_other_are_a_film_however_they_are_split(tmp_path):
    (found,) = findings("D306", frames(tmp_path, by_chance(24), drift=8))
    assert "Frames of the sequence 'tour_' are in several splits: " in found.message
    assert {where.split("/")[0] for where in found.where} == {"train", "test"}


def test_a_word_for_frames_is_enough(tmp_path):
    assert len(findings("D306", frames(tmp_path, by_chance(12), "video3-{}"))) == 1


@pytest.mark.parametrize(("count", "found"), [(4, 0), (5, 1)])
def test_five_frames_are_a_film(tmp_path, count, found):
    frames(tmp_path, ["train"] * (count - 1) + ["test"], "frame{}")
    assert len(findings("D306", tmp_path)) == found


def test_each_film_is_a_finding(tmp_path):
    for film in ("a", "b"):
        frames(tmp_path, ["train"] * 4 + ["test"] * 4, f"video_{film}_{{:02}}")
    assert len(findings("D306", tmp_path)) == 2


def test_the_pattern_of_the_hint_makes_a_group_of_each_film(tmp_path):
    (found,) = findings("D306", frames(tmp_path, ["train"] * 4 + ["test"] * 4, "frame_{:02}"))
    said = parse_description(found.hint.partition("\n")[2])
    names = ["train/0016E5_07959", "0016E5_00390", "test/video3-12", "video3-5", "frame12_rgb"]
    groups = [said.group_of(name) for name in names]
    assert groups == ["0016E5", "0016E5", "video3", "video3", "frame"]


def records(*names):
    return [Record(name, (), (), split=("train", "test")[n % 2]) for n, name in enumerate(names)]


def test_hashes_and_bare_numbers_are_no_films():
    digests = [f"{np.random.default_rng(seed).bytes(32).hex()}" for seed in range(300)]
    assert find_films(records(*digests)) == []
    assert find_films(records(*map(str, range(40)))) == []


def test_names_go_by_their_last_number_and_by_what_follows_it():
    names = [f"aachen_{n:06}_{kind}" for n in range(6) for kind in ("leftImg8bit", "depth")]
    first, second = find_films(
        [Record(name, (), (), split="train" if "1" in name else "test") for name in names]
    )
    assert first.name == second.name == "aachen_"
    assert first.numbers == tuple(f"{n:06}" for n in range(6))


def test_frames_are_ordered_by_number_and_not_by_name():
    (film,) = find_films(records(*[f"clip_{n}" for n in (10, 9, 2, 1, 30)]))
    assert film.numbers == ("1", "2", "9", "10", "30")


def test_copies_of_blank_images_are_none(tmp_path):
    pairs(pairs(tmp_path, 5, "train"), 5, "test", first=10)
    for place in ("train/images/1.png", "test/images/11.png"):
        write(tmp_path / place, np.full((48, 64, 3), 80, np.uint8))
    assert findings("D304", tmp_path) == findings("D305", tmp_path) == []


def test_copies_beside_near_copies_are_both_reported(tmp_path):
    pairs(pairs(tmp_path, 5, "train"), 5, "test", first=10)
    write(tmp_path / "test/images/10.png", picture(2, shapes(2)))
    write(tmp_path / "test/images/11.png", picture(2, shapes(2)) // 2 + 40)
    (found,) = findings("D304", tmp_path)
    assert found.where == ("train/2", "test/10")
    (found,) = findings("D301", tmp_path)
    assert found.where == ("train/2", "test/10", "test/11")


@pytest.mark.parametrize(("count", "notes"), [(4, 1), (5, 0)])
def test_a_split_is_small_below_five_images(tmp_path, count, notes):
    pairs(pairs(tmp_path, 6, "train"), count, "test", first=10)
    assert len(findings("D307", tmp_path)) == notes


def test_every_leaking_group_is_a_finding(tmp_path):
    say(tmp_path, "[groups]\npattern = '(p[0-9])'\n")
    for split in ("train", "test"):
        for patient in ("p1", "p2"):
            path = tmp_path / split / "images" / f"{patient}_{split}.png"
            write(path, picture(len(split) + len(patient)))
            write(tmp_path / split / "masks" / path.name, shapes(1))
    assert [found.message for found in findings("D303", tmp_path)] == [
        "The group 'p1' is in several splits: 1 in train and 1 in test.",
        "The group 'p2' is in several splits: 1 in train and 1 in test.",
    ]


@pytest.mark.slow
def test_the_validation_clip_of_camvid_lies_inside_a_training_drive(real_data):
    (found,) = findings("D306", real_data / "camvid")
    assert "'0016E5_'" in found.message
    assert "validation 07959–08159" in found.message
