import sys
from dataclasses import replace

import pytest

from delineate.cli.progress import Display, epoch_line, step_line
from delineate.training.watching import Progress

MOMENT = Progress(
    epoch=2,
    epochs=10,
    step=5,
    steps=20,
    scores={"loss": 0.5, "accuracy": 0.9, "dice": 0.8, "mean_iou": 0.75},
    images_per_second=12.34,
    seconds_left=75.0,
)
END = replace(MOMENT, step=20, epoch_done=True, scores={**MOMENT.scores, "val_dice": 0.7})


def test_the_moving_line_says_where_how_good_how_fast_and_how_long():
    assert step_line(MOMENT) == (
        "epoch 2/10 [#####...............] 5/20  "
        "loss 0.500 accuracy 0.900 dice 0.800 mean_iou 0.750  12.3 images/s  1:15 left"
    )


def test_the_line_of_an_epoch_has_the_validation():
    assert "| validation dice 0.700" in epoch_line(END)
    assert "validation" not in epoch_line(replace(END, scores=MOMENT.scores))


def test_the_stage_of_a_refiner_is_named():
    assert step_line(replace(MOMENT, stage="refiner")) == f"refiner: {step_line(MOMENT)}"
    assert epoch_line(replace(END, stage="refiner")) == f"refiner: {epoch_line(END)}"


def test_without_a_terminal_only_epochs_are_told(capsys):
    display = Display()
    display.show(MOMENT)
    display.show(END)
    assert capsys.readouterr().err == epoch_line(END) + "\n"


def test_the_heading_is_said_once_and_not_before_the_training_begins(capsys):
    display = Display(["training into runs/first"])
    assert capsys.readouterr().err == ""
    display.show(END)
    display.show(END)
    assert capsys.readouterr().err.split("\n")[:2] == ["training into runs/first", epoch_line(END)]


def test_on_a_terminal_the_line_moves_but_not_faster_than_one_sees(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    now = [100.0]
    monkeypatch.setattr("delineate.cli.progress.time.monotonic", lambda: now[0])
    display = Display()
    display.show(MOMENT)
    display.show(MOMENT)
    now[0] += 0.5
    display.show(MOMENT)
    assert capsys.readouterr().err.count("epoch 2/10 [") == 2
    display.show(END)
    assert capsys.readouterr().err.endswith(epoch_line(END) + "\n")


@pytest.mark.parametrize("steps", [0, 1])
def test_an_epoch_of_no_steps_breaks_nothing(steps):
    assert "epoch 2/10" in step_line(replace(MOMENT, step=0, steps=steps))
