"""The proof of the data doctor: what is damaged is found and cured, what is clean is left alone."""

import re

import pytest

from delineate.data.checking.check import check
from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.proposing.proposal import propose, write_description
from delineate.errors import DataError
from delineate.recipe import Recipe
from delineate.report import Finding
from tests.campaigns.clean import CLEAN
from tests.campaigns.damage import OPEN, Case, fix
from tests.campaigns.damaged import DAMAGES

LEVELS = ("note", "warning", "error")
BASES = {damage.base.__name__: damage.base for damage in DAMAGES.values()}


def examine(folder, recipe, *, pictures=False):
    """Return the findings about a folder, the refusal to open it among them."""
    settings = Recipe.load(recipe) if recipe.is_file() else None
    try:
        return check(Dataset.open(folder), recipe=settings, pictures=pictures).every_finding
    except DataError as error:
        return (Finding(OPEN, "error", error.message, error.hint),)


def bad(findings, level="warning"):
    """Return the findings of a level or worse, as text."""
    least = LEVELS.index(level)
    return [
        f"{found.level} {found.code}: {found.message} Hint: {found.hint} {found.where}"
        for found in findings
        if LEVELS.index(found.level) >= least
    ]


def names(finding, wanted, quantity=all):
    """Return whether a finding names all (or any) that it should."""
    text = " ".join([finding.message, *finding.where])
    return quantity(name in text for name in wanted)


@pytest.mark.parametrize("name", DAMAGES)
def test_every_damage_is_found_and_cured_by_what_its_hint_says(name, tmp_path):
    damage = DAMAGES[name]
    damage.base(tmp_path / "clean")
    damage.write(tmp_path / name)
    recipe = tmp_path / "recipe.toml"
    if damage.recipe:
        recipe.write_text(damage.recipe)
    findings = examine(tmp_path / name, recipe, pictures=True)

    found = [item for item in findings if item.code == damage.code and names(item, damage.named)]
    assert found, bad(findings, "note")
    assert bad(found, damage.level), bad(findings, "note")
    assert re.search(damage.hint, found[0].hint), found[0].hint

    same = [item for item in findings if item.code == damage.code]
    assert bad([item for item in same if not names(item, damage.named, any)], "note") == []
    expected = (damage.code, *damage.also)
    assert bad([item for item in findings if item.code not in expected]) == []

    case = Case(tmp_path / name, tmp_path / "clean", found[0], recipe)
    # What a hint promises of --fix is tried too, where the damage is cured in another way.
    promised = "--fix" in found[0].hint
    for cure in (*((fix,) if promised else ()), damage.cure):
        left = [item for item in examine(cure(case), recipe) if item.code in (damage.code, OPEN)]
        assert bad(left, min(damage.level, "warning", key=LEVELS.index)) == []


@pytest.mark.parametrize("name", BASES)
def test_before_the_damage_nothing_is_found(name, tmp_path):
    BASES[name](tmp_path / name)
    assert bad(examine(tmp_path / name, tmp_path / "recipe.toml")) == []


@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_raise_neither_error_nor_warning(name, tmp_path):
    folder = tmp_path / name
    CLEAN[name].write(folder)
    assert bad(examine(folder, tmp_path / "recipe.toml")) == []
    CLEAN[name].verify(Dataset.open(folder))


@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_are_read_as_before_with_the_dataset_toml_that_is_proposed(name, tmp_path):
    folder = tmp_path / name
    CLEAN[name].write(folder)
    if (folder / "dataset.toml").exists():
        pytest.skip("has a dataset.toml of its own")
    write_description(folder, propose(inspect(Dataset.open(folder))))
    assert bad(examine(folder, tmp_path / "recipe.toml")) == []
    CLEAN[name].verify(Dataset.open(folder))


def test_the_campaign_is_as_large_as_it_says():
    assert len(DAMAGES) >= 60
    assert len(CLEAN) >= 20
