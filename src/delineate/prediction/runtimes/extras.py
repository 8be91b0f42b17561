"""Packages that engines need, imported where they are used, and kept from connecting anywhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Import OpenVINO and NNCF within this: they then report to nobody.

    Both report their use to an analytics service through one package, unless that is missing. So it
    is, for them, while they are imported; an application that uses it itself finds it as it was.
    """
    before = sys.modules.get(_TELEMETRY)
    # What Python's import system takes for a module that there is not.
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before


def import_openvino() -> Any:
    """Return OpenVINO.

    Raises:
        MissingExtraError: It is not installed.
    """
    with without_telemetry():
        # What converts models is loaded by OpenVINO later, and would then look for telemetry.
        needed("openvino.tools.ovc", extra="openvino", of="OpenVINO models")
        return needed("openvino", extra="openvino", of="OpenVINO models")
