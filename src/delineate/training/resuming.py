"""Whether a training that goes on becomes what the uninterrupted one would have become."""

from collections.abc import Mapping
from typing import Any

from delineate.errors import RunError
from delineate.files import TEMPORARY, sha256
from delineate.models.machine import environment
from delineate.recipe import Recipe
from delineate.runs import Run, environment_of, left_out_of

# What of the machine sums of floating-point numbers depend on.
DECIDING = ("processor", "cores", "threads", "device", "accelerator")
# Where in the environment's file the hash of the recipe is.
RECIPE = "recipe"


def inexact(run: Run, recipe: Recipe, *, lost: int = 0) -> list[str]:
    """Return why the weights may become others; none: they will be the same, bit for bit.

    Args:
        run: The run, which says on which machine it was begun.
        recipe: All settings.
        lost: How many images are left out from now on.

    Raises:
        RunError: It was begun with another backend.
    """
    now, then = environment(), environment_of(run)
    _refuse_other_backend(run, now, then)
    found = []
    if now["device"] != "cpu":
        found.append(f"a {now['device']} adds up in no fixed order")
    if not recipe.runtime.deterministic:
        found.append("runtime.deterministic is false")
    if lost:
        found.append(f"{lost} of the images cannot be read any longer")
    if left_out_of([*run.events(), *run.refiner.events()]):
        found.append("an image could not be read for a while, and others were taken in its place")
    if recipe.training.budget is not None:
        found.append("with a budget the clock decides how many steps there are")
    if not then:
        return [*found, "on which machine it was begun is not known"]
    found += [
        f"{key} was {_said(then.get(key))}, and is {_said(now[key])}"
        for key in DECIDING
        if then.get(key) != now[key]
    ]
    if RECIPE not in then:
        found.append("with which recipe.toml it was begun is not known")
    elif then[RECIPE] != sha256(run.recipe):
        found.append("recipe.toml was changed since the training was begun")
    before = then.get("versions", {})
    found += [
        f"{name} was {before.get(name, 'missing')}, and is {version}"
        for name, version in now["versions"].items()
        if before.get(name) != version
    ]
    return found


def tidy(run: Run) -> None:
    """Delete the temporary files of a process that was killed while it wrote; the run is held."""
    for folder in (run.folder, run.last, run.pictures):
        for path in folder.glob(f"{TEMPORARY}*"):
            if path.is_file():
                path.unlink(missing_ok=True)
    if run.refiner.folder.is_dir():
        tidy(run.refiner)


def _refuse_other_backend(run: Run, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    before = then.get("backend", now["backend"])
    if before != now["backend"]:
        raise RunError(
            f"{run.folder} was begun on {before}, and this is {now['backend']}.",
            hint=f"Set KERAS_BACKEND={before}, and resume again.",
        )


def _said(value: Any) -> str:
    """Return a value of the environment in a few words."""
    if isinstance(value, dict):
        named = value.get("name")
        told = ", ".join(f"{key}={each}" for key, each in value.items())
        return str(named) if named else told or "unset"
    return "none" if value is None else str(value)
