import numpy as np
import pytest

from tests.data.checking.rules.making import findings, follow, picture, say, shapes, write

TABLE = '[classes]\nnames = ["road", "car", "tree"]\ncolours = ["#000000", "#ff0000", "#00ff00"]\n'
BLACK, RED, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


def painted(root, *tables):
    for number, colours in enumerate(tables):
        mask = shapes(number, tuple(range(1, len(colours))))
        write(root / "images" / f"{number}.png", picture(number, mask))
        write(root / "masks" / f"{number}.png", np.array(colours, np.uint8)[mask])
    return root


def test_all_strange_colours_are_one_finding_with_their_share_the_worst_mask_first(tmp_path):
    say(tmp_path, TABLE)
    painted(tmp_path, (BLACK, RED), (BLACK, (40, 0, 200), RED), ((40, 0, 200), RED), (BLACK, GREEN))
    (found,) = findings("D206", tmp_path)
    assert found.where == ("2", "1")
    strange = sum((shapes(1, (1, 2)) == 1).sum() for _ in (0,)) + (shapes(2) == 0).sum()
    share = 100 * strange / (4 * shapes(0).size)
    assert f"hold 1 colour beside those of the table, with {share:.2g} %" in found.message
    assert "#2800c8." in found.message


def test_colours_that_are_far_from_the_table_can_be_ignored_by_the_hint(tmp_path):
    say(tmp_path, TABLE)
    painted(tmp_path, (BLACK, RED), (BLACK, (40, 0, 200), (128, 128, 128)))
    (found,) = findings("D206", tmp_path)
    assert "--fix" not in found.hint
    follow(tmp_path, found.hint)
    assert findings("D206", tmp_path) == findings("D200", tmp_path) == []


@pytest.mark.parametrize(("colour", "near"), [((215, 0, 0), True), ((214, 0, 0), False)])
def test_a_colour_is_near_within_40_levels(tmp_path, colour, near):
    say(tmp_path, TABLE)
    painted(tmp_path, (BLACK, RED), (BLACK, colour))
    (found,) = findings("D206", tmp_path)
    assert ("(near #ff0000, car)" in found.message) == near
    assert ("--fix" in found.hint) == near


def test_colours_that_are_given_a_class_by_value_are_known(tmp_path):
    say(tmp_path, TABLE + '[masks]\nvalues = { "#2800c8" = "car" }\nignore = ["#808080"]\n')
    painted(tmp_path, (BLACK, RED), (BLACK, (40, 0, 200), (128, 128, 128)))
    assert findings("D206", tmp_path) == []


def test_numbers_beside_a_table_of_colours_are_for_masks_of_numbers(tmp_path):
    say(tmp_path, TABLE + '[masks]\nvalues = { "128" = "car" }\n')
    painted(tmp_path, (BLACK, RED), (BLACK, (128, 128, 128), RED))
    (found,) = findings("D206", tmp_path)
    assert "#808080" in found.message


@pytest.mark.parametrize(("other", "swapped"), [(GREEN, True), ((255, 0, 255), False)])
def test_red_and_blue_that_are_swapped_are_named(tmp_path, other, swapped):
    say(tmp_path, TABLE)
    painted(tmp_path, (BLACK, (0, 0, 255)), (BLACK, other))
    (found,) = findings("D206", tmp_path)
    assert ("red and blue are swapped" in found.hint) == swapped


def test_found_colours_are_named_by_the_hint(tmp_path):
    painted(tmp_path, (BLACK, RED), (BLACK, GREEN))
    (found,) = findings("D207", tmp_path)
    follow(tmp_path, found.hint)
    assert findings("D207", tmp_path) == findings("D200", tmp_path) == []


def test_colours_that_nobody_has_listed_and_that_cannot_be_guessed_are_no_class_ids(tmp_path):
    painted(tmp_path, (GREEN, RED), (GREEN, RED))
    assert findings("D206", tmp_path) == findings("D207", tmp_path) == []
    (found,) = findings("D200", tmp_path)
    assert "colour pictures with 2 colours" in found.message
