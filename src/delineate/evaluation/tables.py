"""The names that settings may have, as rows, without importing what they name."""

import ast
import json
from functools import cache
from importlib import resources
from inspect import cleandoc
from typing import Any

from delineate.catalog import TABLES


def table_rows(table: str) -> list[dict[str, Any]]:
    """Return a row for each name of a table: what it is, and what is known of it.

    Args:
        table: A key of ``TABLES``.

    Returns:
        Encoders have the facts of :func:`delineate.models.facts.encoder_facts`, decoders those of
        ``decoder_facts`` and a first line; all others a first line.
    """
    one = table.removesuffix("s").replace("losse", "loss")
    facts = _facts().get(table, {})
    return [
        {
            one: name,
            **({} if table == "encoders" else {"meaning": meaning_of(place)}),
            **facts.get(name, {}),
        }
        for name, place in TABLES[table].items()
    ]


def meaning_of(place: str) -> str:
    """Return the first line of what ``module:object`` says of itself, or of what it is made of.

    The source is parsed: importing it may start Keras.
    """
    module, _, name = place.partition(":")
    tree = _parsed(module)
    wanted = {name}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            wanted |= {each.id for each in ast.walk(node.value) if isinstance(each, ast.Name)}
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    found = (ast.get_docstring(node) for node in functions if node.name in wanted)
    text = next((each for each in found if each), ast.get_docstring(tree) or "")
    line = cleandoc(text).partition("\n\n")[0].replace("\n", " ").removeprefix("Return ")
    return (line[:1].upper() + line[1:]).rstrip(".")


@cache
def _parsed(module: str) -> ast.Module:
    *folders, name = module.split(".")[1:]
    file = resources.files("delineate").joinpath(*folders, f"{name}.py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _facts() -> dict[str, Any]:
    file = resources.files("delineate") / "models" / "facts.json"
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return facts
