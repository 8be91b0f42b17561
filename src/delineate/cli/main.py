"""The command line: one short module per command, each of which imports what it needs when run."""

import sys
from pathlib import Path

import typer
from typer.exceptions import TyperException

from delineate.cli import (
    benchmark,
    check,
    demo,
    evaluate,
    export,
    fetch,
    plan,
    predict,
    show,
    train,
)
from delineate.cli.output import INTERRUPTED, say

app = typer.Typer(
    name="delineate",
    help="Semantic image segmentation on Keras 3: from a folder of images and masks to a model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (demo, fetch, check, plan, train, evaluate, predict, export, benchmark, show):
    module.add_to(app)


@app.callback(invoke_without_command=True)
def about(
    version: bool = typer.Option(False, "--version", help="Say which version this is."),
) -> None:
    """Semantic image segmentation on Keras 3: from a folder of images and masks to a model."""
    if version:
        from delineate.version import __version__

        print(f"delineate {__version__}")


def main() -> None:
    """Run the command line and exit with its code."""
    # So that package.module:object may name a module of the user's own; last, so that no file in
    # the folder can stand in for a library.
    sys.path.append(str(Path.cwd()))
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Return the exit code of a command line."""
    try:
        code = app(arguments, prog_name="delineate", standalone_mode=False)
    except TyperException as error:
        return _tell_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return code if isinstance(code, int) else 0


def _tell_usage(error: TyperException) -> int:
    """Say what was asked wrongly; a bare command shows its help."""
    message = error.format_message()
    if not message.startswith("Usage:"):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "delineate"
        say(f"error: {message.rstrip('.')}.")
        say(f"hint: Run '{command} --help'.")
    else:
        say(message)
    return 2
