from functools import partial

import pytest

from delineate.data.synthetic.nuclei import make_nuclei
from delineate.errors import RunError
from delineate.recipe import Recipe
from delineate.training import demo as demo_module
from delineate.training.demo import demo


@pytest.fixture
def small(monkeypatch):
    """Fewer pictures and a smaller network than the real demo has."""
    made = partial(make_nuclei, train=4, validation=2, test=2, sizes=((64, 64),))
    recipe = Recipe.load("demo").override(
        {"data.size": [32, 32], "model.filters": 2, "training.epochs": 1, "callbacks.pictures": 1}
    )
    monkeypatch.setattr(demo_module, "make_nuclei", made)
    monkeypatch.setattr(demo_module.Recipe, "load", lambda name: recipe)


def test_the_demo_goes_the_whole_way_and_says_where_the_report_is(small, tmp_path):
    said = []
    done = demo(tmp_path / "demo", say=said.append)
    assert [line[:6] for line in said] == ["1 of 4", "2 of 4", "3 of 4", "4 of 4"]
    assert (tmp_path / "demo" / "run" / "report.html").is_file()
    assert (tmp_path / "demo" / "check" / "report.html").is_file()
    assert done["report"] == str(tmp_path / "demo" / "run" / "report.html")
    assert 0 <= done["dice_per_image"] <= 1


def test_the_demo_leaves_a_folder_that_exists_alone(small, tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(RunError, match="exists already"):
        demo(tmp_path)
    assert (tmp_path / "mine").read_text() == "keep"
