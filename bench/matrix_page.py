"""The page of every encoder with every decoder."""

from collections.abc import Callable
from typing import Any

from delineate.catalog import DECODERS, ENCODERS

Rows = dict[tuple[str, str], dict[str, Any]]


def matrix_page(kept: dict[str, Any], note: str) -> str:
    """Return the page: parameters, multiply-adds, refusals."""
    rows: Rows = {(row["encoder"], row["decoder"]): row for row in kept["rows"]}
    built = [row for row in rows.values() if "parameters" in row]
    refused = [row for row in rows.values() if "refused" in row]
    missing = len(ENCODERS) * len(DECODERS) - len(rows)
    lines = [
        "# Every encoder with every decoder",
        "",
        f"{len(built)} networks were built at 256×256 for 21 classes with the settings that they",
        "have when nothing else is said, and gave probabilities for an image;",
        f"{len(refused)} pairs are refused"
        + (f"; {missing} have not been tried yet." if missing else "."),
        "",
        "## Parameters, millions",
        "",
        *_table(rows, lambda row: f"{row['parameters'] / 1e6:.1f}"),
        "",
        "## Multiply-adds for an RGB image of 256×256, billions",
        "",
        *_table(rows, lambda row: f"{row['multiply_adds'] / 1e9:.1f}"),
        "",
        *(["## What is refused", "", *(_refusal(row) for row in refused), ""] if refused else []),
        note,
    ]
    return "\n".join(lines) + "\n"


def _table(rows: Rows, cell: Callable[[dict[str, Any]], str]) -> list[str]:
    lines = [
        f"| `{encoder}` | "
        + " | ".join(_cell(rows.get((encoder, decoder)), cell) for decoder in DECODERS)
        + " |"
        for encoder in ENCODERS
        if any((encoder, decoder) in rows for decoder in DECODERS)
    ]
    return [f"| encoder | {' | '.join(DECODERS)} |", "| --- |" + " --- |" * len(DECODERS), *lines]


def _cell(row: dict[str, Any] | None, cell: Callable[[dict[str, Any]], str]) -> str:
    if row is None:
        return ""
    return "refused" if "refused" in row else cell(row)


def _refusal(row: dict[str, Any]) -> str:
    return f"- `{row['encoder']}` with `{row['decoder']}`: {row['refused']}"
