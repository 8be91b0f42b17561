"""Packages that engines need, imported where they are used, and kept from connecting anywhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from delineate.errors import BundleError, MissingExtraError, reason_of

_TELEMETRY = "openvino_telemetry"


def needed(module: str, *, extra: str, of: str) -> Any:
    """Return a module of an optional dependency.

    Args:
        module: Its name.
        extra: The extra of delineate that installs it.
        of: What needs it, for the error.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{of} need the package {package}, which cannot be imported: {error}.",
            hint=f"pip install 'delineate[{extra}]'",
        ) from error


@contextmanager
def failures_told(engine: str) -> Iterator[None]:
    """Turn what an engine raises while it predicts into an error of ours.

    Args:
        engine: Its name. Some meet what they lack, or what a model has that they do not know, at
            the first image only.

    Raises:
        BundleError: It fails.
    """
    try:
        yield
    except Exception as error:
        raise BundleError(
            f"{engine} cannot predict with this model: {reason_of(error)}.",
            hint="Predict with --runtime keras, or export the model again.",
        ) from error


def hide_telemetry() -> None:
    """Keep OpenVINO and NNCF from reporting to anybody; to be called before they are imported.

    Both report their use to an analytics service, through one package, unless that is missing. For
    this process it is missing from now on, whenever they look for it, unless it is in use already.
    """
    # What Python's import system takes for a module that there is not.
    sys.modules.setdefault(_TELEMETRY, None)  # type: ignore[arg-type]


def import_openvino() -> Any:
    """Return OpenVINO.

    Raises:
        MissingExtraError: It is not installed.
    """
    hide_telemetry()
    return needed("openvino", extra="openvino", of="OpenVINO models")
