"""`delineate train`: from a data set and a recipe to a run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from delineate.cli.options import Budget, Data, Json, Settings, Traceback
from delineate.cli.output import errors_told, progress_of, put, say

PLANNED = "plan"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    data: Data,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="A shipped recipe or a TOML file; unset: a plan."),
    ] = None,
    settings: Settings = None,
    budget: Budget = None,
    folds: Annotated[
        int | None, typer.Option(help="Train so many times, each holding out another part.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="The run folder; unset: a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --to.")] = False,
    as_json: Json = False,
    traceback: Traceback = False,
) -> None:
    """Train a model. Ctrl-C ends it with everything saved; --resume goes on exactly."""
    with errors_told(trace=traceback):
        from delineate.errors import UsageError
        from delineate.recipe_text import minutes_of, parse_settings

        if resume and (recipe or settings or budget or folds or to is None):
            raise UsageError(
                "--resume takes the recipe that the run was begun with.",
                hint="Pass --to RUN --resume, without --recipe, --set, --budget and --folds.",
            )
        said = parse_settings(settings or [])
        if budget is not None:
            said["training.budget"] = minutes_of(budget)
        if folds is not None:
            said["training.folds"] = folds
        _train(data, recipe, said, to, resume=resume, as_json=as_json)


def _train(
    data: Path,
    recipe: str | None,
    settings: dict[str, object],
    to: Path | None,
    *,
    resume: bool,
    as_json: bool,
) -> None:
    from delineate.backend import choose_backend
    from delineate.data.dataset import Dataset
    from delineate.recipe import Recipe
    from delineate.runs import Run, backend_of, next_folder

    source = Run.open(to).recipe if resume and to is not None else recipe
    base = Recipe() if source is None else Recipe.load(source)
    chosen = base.override(settings)
    dataset = Dataset.open(data, cache=chosen.data.cache, links=chosen.data.links)
    dataset.require_pairs()
    folder = to or next_folder(dataset.name, Path(source or PLANNED).stem)
    if not resume:
        Run.refuse_existing(folder)
    begun_on = backend_of(Run(folder)) if resume else None
    choose_backend(begun_on or chosen.runtime.backend)
    heading = [f"training into {folder}"]
    if not resume and chosen.training.folds == 1:
        heading.append(f"what the network sees: {Run(folder).batch}")
    from delineate.cli.progress import Display
    from delineate.interrupt import Stopped, Terminated
    from delineate.planning.plan import Plan, plan
    from delineate.training.refusing import refuse_settings
    from delineate.training.train import train as run_training

    reading = progress_of("reading")
    made: Recipe | Plan = chosen
    if source is None:
        made = plan(dataset, settings=settings, refuse=refuse_settings, progress=reading)
    try:
        run = run_training(
            dataset,
            made,
            to=folder,
            resume=resume,
            watch=Display(heading).show,
            progress=reading,
            download=progress_of("downloading weights: bytes"),
        )
    except KeyboardInterrupt as error:
        if Run(folder).recipe.is_file():
            # A second Ctrl-C leaves what was saved before.
            saved = "saved; " if isinstance(error, Stopped | Terminated) else ""
            say(f"{saved}go on with: delineate train {data} --to {folder} --resume")
        raise
    _tell_refined(run)
    put(summary(run), as_json=as_json, text=str(run.folder))
    if run.report.is_file():
        say(f"the report is {run.report}")


def summary(run: Any) -> dict[str, Any]:
    """Return what a finished training says of itself, for JSON."""
    from delineate.bundle import Bundle

    rows = run.rows
    # A run of folds has no epochs of its own; its bundle has their mean scores.
    scores = rows[-1] if rows else Bundle.open(run.best).card.scores
    told = {"run": str(run.folder), "epochs": len(rows), "scores": scores}
    refined = _refined(run)
    return told | ({"refiner": refined} if refined else {})


def _refined(run: Any) -> dict[str, Any] | None:
    """Return whether the refiner was kept, and the scores by which that was decided."""
    from delineate.evaluation.refinement import refinement_of

    decided = refinement_of(run)
    return {"kept": decided.kept, **decided.scores} if decided is not None else None


def _tell_refined(run: Any) -> None:
    found = _refined(run)
    if found:
        before, after = (found[name]["mean_iou"] or 0.0 for name in ("without", "with"))
        say(
            f"the refiner is {'kept' if found['kept'] else 'left out'}: mean IoU of the validation "
            f"images {before:.4f} without it, {after:.4f} with it"
        )
