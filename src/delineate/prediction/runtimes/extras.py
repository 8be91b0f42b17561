"""Packages that engines need, imported where they are used, and kept from connecting anywhere."""

import sys
from importlib import import_module
from typing import Any

from delineate.errors import MissingExtraError

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
