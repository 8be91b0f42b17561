"""The tables: every name that a setting may have, and where its object lives.

To add a loss, a layout or a rule, write one function and add one line here. The contract tests,
``delineate show`` and the reference pages follow from these tables.
"""

from importlib import import_module
from typing import Any

from delineate.errors import UsageError, near_miss

LAYOUTS = {
    "dsb2018": "delineate.data.layouts.dsb2018:LAYOUT",
    "folders": "delineate.data.layouts.folders:LAYOUT",
}

ENCODERS = {"plain": "delineate.models.plain_unet:plain_encoder"}

DECODERS = {"unet": "delineate.models.plain_unet:unet_decoder"}

LOSSES = {
    "binary_crossentropy": "delineate.losses:binary_crossentropy",
    "categorical_crossentropy": "delineate.losses:categorical_crossentropy",
    "dice": "delineate.losses:dice",
    "sparse_categorical_crossentropy": "delineate.losses:sparse_categorical_crossentropy",
}

METRICS = {
    "accuracy": "delineate.metrics:accuracy",
    "dice": "delineate.metrics:dice",
    "foreground_iou": "delineate.metrics:foreground_iou",
    "mean_iou": "delineate.metrics:mean_iou",
}

RULES = {
    "D101": "delineate.data.rules:unreadable_file",
    "D102": "delineate.data.rules:size_mismatch",
    "D103": "delineate.data.rules:missing_partner",
    "D200": "delineate.data.rules:label_values",
    "D201": "delineate.data.rules:values_0_255",
    "D202": "delineate.data.rules:empty_masks",
    "D203": "delineate.data.rules:absent_class",
    "D204": "delineate.data.rules:overlapping_objects",
    "D301": "delineate.data.rules:near_duplicates_across_splits",
    "D302": "delineate.data.rules:near_duplicates_found",
}

RUNTIMES = {"keras": "delineate.prediction.runtimes.keras:KerasRuntime"}

TABLES = {
    "layouts": LAYOUTS,
    "encoders": ENCODERS,
    "decoders": DECODERS,
    "losses": LOSSES,
    "metrics": METRICS,
    "rules": RULES,
    "runtimes": RUNTIMES,
}


def find(table: str, name: str) -> Any:
    """Return the object that a table has under a name, or that ``module:object`` names.

    Args:
        table: The table's own name, a key of ``TABLES``.
        name: A name in that table, or ``package.module:object`` of the user's own.

    Raises:
        UsageError: The table has no such name, or the module or object does not exist.

    Example:
        >>> find("layouts", "folders").name
        'folders'
    """
    known = TABLES[table]
    if name not in known and ":" not in name:
        raise UsageError(
            f"There is no '{name}' among the {table}.{near_miss(name, list(known))}",
            hint=f"Use one of: {', '.join(known)}; or package.module:object of your own.",
        )
    module, _, attribute = known.get(name, name).partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, SyntaxError, TypeError, ValueError) as error:
        raise UsageError(
            f"'{name}' cannot be loaded: {error}.",
            hint="Check the module's path and the object's name, and that it can be imported.",
        ) from error
