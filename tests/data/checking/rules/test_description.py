import numpy as np
import pytest

from tests.data.checking.rules.making import findings, pairs, picture, say, shapes, write


def messages(root):
    return [found.message for found in findings("D501", root)]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (
            "[groups]\npattern = '(x)'",
            "the pattern '(x)' of the groups matches no name, such as '0'",
        ),
        (
            '[groups.of]\n"7" = "a"\n"8" = "a"',
            "groups are given to '7' and '8', which do not exist",
        ),
        ("[masks]\nignore = [9]", "9 under [masks] ignore never occurs in the masks"),
        (
            '[masks]\nvalues = { "8" = 1, "#ff0000" = 1 }',
            "8 and #ff0000 under [masks] values never occur in the masks",
        ),
    ],
)
def test_what_has_no_effect_is_named_with_the_file(tmp_path, said, complaint):
    say(pairs(tmp_path), said)
    (found,) = findings("D501", tmp_path)
    assert found.message == f"{tmp_path / 'dataset.toml'}: {complaint}."
    assert found.where == (str(tmp_path / "dataset.toml"),)


@pytest.mark.parametrize(
    "said",
    [
        "[groups]\npattern = '([0-9])'",
        '[groups.of]\n"1" = "a"',
        "[masks]\nignore = [1]",
        '[masks]\nvalues = { "1" = 1 }',
        '[classes]\nnames = ["ground", "cell"]',
    ],
)
def test_what_has_an_effect_is_not(tmp_path, said):
    say(pairs(tmp_path), said)
    assert messages(tmp_path) == []


def test_greys_of_colour_masks_may_be_said_as_numbers(tmp_path):
    say(tmp_path, '[masks]\nvalues = { "0" = 0, "#ff0000" = 1 }\nignore = [128]\n')
    table = np.array([(0, 0, 0), (255, 0, 0), (128, 128, 128)], np.uint8)
    for number in range(2):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}.png", table[shapes(number, (1, 2))])
    assert messages(tmp_path) == []


def test_the_ending_of_a_channel_that_no_file_has_is_named(tmp_path):
    say(tmp_path, '[pairing]\nchannels = ["_c1", "_c2", "_red"]\n')
    for ending in ("c1", "c2"):
        write(tmp_path / "images" / f"0_{ending}.png", picture(0)[..., 0])
    write(tmp_path / "masks" / "0.png", shapes(0))
    (found,) = messages(tmp_path)
    assert found.endswith("no file has the ending '_red' of a channel.")


def test_a_file_that_was_broken_meanwhile_is_passed_over(tmp_path):
    from delineate.data.checking.inspection import inspect
    from delineate.data.checking.rules.description import description_without_effect
    from delineate.data.dataset import Dataset

    dataset = Dataset.open(pairs(tmp_path), cache=False)
    say(tmp_path, "[masks")
    assert list(description_without_effect(inspect(dataset))) == []
