"""Writes docs/reference/ from the source: settings, commands, tables, rules and the Python API.

``python docs/generate.py`` writes the pages; with ``--check`` it names the stale ones and fails.
The source is parsed and not imported where importing it would start Keras.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer

from delineate import _PLACES
from delineate.catalog import TABLES, find
from delineate.cli.main import app
from delineate.evaluation.tables import table_rows
from delineate.recipe import Recipe, names
from delineate.recipe_text import write_recipe

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/docs from the source: change it there. -->\n\n"
Definition = ast.FunctionDef | ast.ClassDef
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields|Example):")
TITLES = {"Args": "Arguments", "Raises": "Errors"}


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are stale; return the exit code."""
    pages = {
        "recipe.md": recipe_page(),
        "commands.md": commands_page(),
        "python.md": python_page(),
        "tables.md": tables_page(),
        "rules.md": rules_page(),
    }
    stale = [name for name, text in pages.items() if _read(REFERENCE / name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is stale: run scripts/docs", file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (REFERENCE / name).write_text(pages[name], encoding="utf-8")
    return 0


def recipe_page() -> str:
    """Return the page of all settings."""
    written = write_recipe(Recipe())
    schema = Recipe.model_json_schema()["$defs"]
    parts = [
        f"{NOTE}# Recipe\n\n{_first(Recipe.__doc__)} A recipe is a TOML file with these sections. "
        "What it does not set has its default; an unknown key is an error. `--set "
        "section.key=value` replaces a setting on the command line, `Recipe.override` in Python. "
        'An optional setting is unset by `"none"`.\n'
    ]
    for section, values in Recipe():
        fields = type(values).model_fields
        text = written.partition(f"[{section}]\n")[2].partition("\n\n")[0]
        shown = dict(re.findall(r"^(?:# )?(\w+) = (.*?)\s+# ", text, re.MULTILINE))
        rows = [
            (f"`{key}`", f"`{shown[key]}`", allowed(schema[section.capitalize()], key), meaning)
            for key, meaning in ((key, field.description or "") for key, field in fields.items())
        ]
        head = f"\n## [{section}]\n\n{cleandoc(type(values).__doc__ or '')}\n\n"
        parts.append(head + table(("setting", "default", "allowed", "meaning"), rows))
    return "".join(parts)


def allowed(section: dict[str, Any], key: str) -> str:
    """Return what a setting may be, from its JSON schema."""
    schema = section["properties"][key]
    options = [_kind(option) for option in schema.get("anyOf", [schema])]
    return " or ".join("unset" if option == "null" else option for option in options)


def commands_page() -> str:
    """Return the page of all commands: their own help."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    parts = [
        f"{NOTE}# Commands\n\n`RUN` is a run folder or a bundle. Results go to stdout, talk and "
        "progress to stderr; with `--json` stdout is one JSON object. Exit codes: 0 done, 1 failed "
        "or findings, 2 asked wrongly, 130 interrupted, 141 when stdout was closed (as by `head`), "
        "143 ended by SIGTERM.\n"
    ]
    for name, command in group.commands.items():
        context = typer.Context(command, info_name=f"delineate {name}", max_content_width=80)
        context.terminal_width = 80
        parts.append(f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "".join(parts)


def tables_page() -> str:
    """Return the page of the names that settings may have."""
    parts = [
        f"{NOTE}# Tables\n\nThe names that a setting may have. Wherever one is accepted, an object "
        "of your own is named `package.module:object`.\n\n## recipes\n\n"
    ]
    parts.append(table(("name", "what it is"), [(f"`{n}`", _recipe_line(n)) for n in names()]))
    for title, entries in TABLES.items():
        if title != "rules":
            parts.append(f"\n## {title}\n\n")
            rows = [(f"`{name}`", _entry(title, name)) for name in entries if title != "encoders"]
            parts.append(table(("name", "what it is"), rows) if rows else encoders_text())
    return "".join(parts)


def encoders_text() -> str:
    """Return what is known of all encoders: `delineate show encoders --json`, as a table."""
    heads = ("name", "parameters", "multiply-adds", "strides", "channels", "input", "licence")
    rows = [
        (
            f"`{row['encoder']}`",
            f"{row['parameters']:,}",
            f"{row['multiply_adds']:,}",
            ", ".join(map(str, row["strides"])),
            ", ".join(map(str, row["channels"])),
            row["input"],
            row["licence"] or "no weights",
        )
        for row in table_rows("encoders")
    ]
    widths = [
        f"`{row['encoder']}` {', '.join(f'{width:g}' for width in row['widths'] or ()) or 'any'}"
        for row in table_rows("encoders")
        if row["widths"] != [1.0]
    ]
    return (
        "At width 1, without decoder. Multiply-adds are those of convolutions, dense layers and "
        "attention, for an RGB image of 256×256. `input` is what the published weights expect: the "
        "network does it itself. `licence` is that of these weights. The same from "
        "`delineate show encoders --json`; written by `python bench/facts.py`.\n\n"
        f"{table(heads, rows)}\nWidths (`model.width`): {'; '.join(widths)}; all others 1.\n"
    )


def rules_page() -> str:
    """Return the page of what `check` looks for."""
    parts = [f"{NOTE}# Rules\n\nWhat `delineate check` looks for.\n"]
    for code, place in TABLES["rules"].items():
        title, _, why = _doc(definition(place)).partition("\n\n")
        parts.append(f"\n## {code}: {title.rstrip('.')}\n\n{why}\n")
    return "".join(parts)


def python_page() -> str:
    """Return the page of the public names."""
    parts = [
        f"{NOTE}# Python\n\nThe public names, all of them in `delineate`; it is imported as `dl`. "
        "The examples take the names from there, and NumPy as `np`.\n"
    ]
    for name, module in sorted(_PLACES.items(), key=lambda item: item[0].lower()):
        parts.append(f"\n## {name}\n\n" + _described(name, definition(f"{module}:{name}")))
    return "".join(parts)


def definition(place: str) -> Definition:
    """Return the parsed function or class that ``module:object`` names.

    A constant stands for the function that it is made of, as in ``UNET = Decoder(unet_decoder)``.

    Raises:
        LookupError: The module has none of that name.
    """
    module, _, name = place.partition(":")
    for node in _definitions(_parsed(module)):
        if node.name == name:
            return node
    for node in _parsed(module).body:
        made = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
        if made and isinstance(node.value, ast.Call) and isinstance(node.value.args[0], ast.Name):
            return definition(f"{module}:{node.value.args[0].id}")
    raise LookupError(f"{module} defines no function or class '{name}'")


def signature(name: str, node: ast.FunctionDef) -> str:
    """Return a signature as written, one argument per line where it is long."""
    returned = f" -> {_plain(node.returns)}" if node.returns else ""
    arguments = list(_arguments(node.args))
    line = f"{name}({', '.join(arguments)}){returned}"
    if len(line) <= 88:
        return line
    inner = ",\n    ".join(arguments)
    return f"{name}(\n    {inner},\n){returned}"


def markdown(docstring: str) -> str:
    """Return a Google docstring as Markdown."""
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", docstring).replace("``", "`")
    blocks, lines = [], text.splitlines()
    while lines:
        found = SECTION.fullmatch(lines[0])
        size = next((n for n, line in enumerate(lines[1:], 1) if SECTION.fullmatch(line)), None)
        block, lines = lines[:size], lines[size:] if size else []
        if found is None:
            blocks.append(_with_examples(block))
        elif found[1] == "Example":
            blocks.append(_with_examples(cleandoc("\n".join(["", *block[1:]])).splitlines()))
        else:
            blocks.append(_entries(TITLES.get(found[1], found[1]), block[1:]))
    return "\n\n".join(blocks) + "\n"


def table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [columns, tuple("---" for _ in columns), *rows]
    cells = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


def _described(name: str, node: Definition) -> str:
    if isinstance(node, ast.FunctionDef):
        call = signature(f"dl.{name}", node)
        return f"```text\n{call}\n```\n\n{markdown(_doc(node))}"
    parts = [markdown(_doc(node))]
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
            marks = {mark.id for mark in method.decorator_list if isinstance(mark, ast.Name)}
            owner = f"dl.{name}" if {"classmethod", "staticmethod"} & marks else name.lower()
            title = f"{owner}.{method.name}"
            if marks & {"property", "cached_property"}:
                returned = _plain(method.returns) if method.returns else ""
                parts.append(f"`{title}`: `{returned}`. {markdown(_doc(method))}")
            else:
                call = signature(title, method)
                parts.append(f"```text\n{call}\n```\n\n{markdown(_doc(method))}")
    return "\n".join(parts)


def _definitions(tree: ast.Module) -> Iterator[Definition]:
    return (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))


@cache
def _parsed(module: str) -> ast.Module:
    path = ROOT / "src" / (module.replace(".", "/") + ".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    plain = [None] * (len(arguments.args) - len(arguments.defaults)) + [*arguments.defaults]
    for argument, default in zip(arguments.args, plain, strict=True):
        if argument.arg not in ("self", "cls"):
            yield _plain(argument) + (f" = {_plain(default)}" if default else "")
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _plain(argument) + (f" = {_plain(default)}" if default else "")
    if arguments.kwarg:
        yield f"**{_plain(arguments.kwarg)}"


def _plain(node: ast.AST) -> str:
    """Return an expression's text, with the names of classes unquoted."""
    return re.sub(r"'([A-Z]\w*)'", r"\1", ast.unparse(node)).replace("'", '"')


def _entries(title: str, lines: list[str]) -> str:
    """Return a section as a list; a line that is not indented further begins an entry."""
    entries: list[str] = []
    examples = next((n for n, line in enumerate(lines) if line.startswith(">>>")), len(lines))
    for line in lines[:examples]:
        if line.startswith("     ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    if title == "Returns" and not all(re.match(r"\w+: ", entry) for entry in entries):
        return f"**{title}:** {' '.join(entries)}\n\n{_with_examples(lines[examples:])}".strip()
    items = [re.sub(r"^([*\w]+): ", r"`\1`: ", entry) for entry in entries]
    text = f"**{title}:**\n\n" + "\n".join(f"- {item}" for item in items)
    return f"{text}\n\n{_with_examples(lines[examples:])}".strip()


def _with_examples(lines: list[str]) -> str:
    """Return lines of text, with what is typed at a prompt in a block of its own."""
    start = next((n for n, line in enumerate(lines) if line.startswith(">>>")), None)
    if start is None:
        return "\n".join(lines).strip()
    block = "\n".join(lines[start:]).rstrip().replace("  # doctest: +SKIP", "")
    return ("\n".join(lines[:start]) + f"\n\n```pycon\n{block}\n```").strip()


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "")
    if kind == "array":
        item = schema.get("items") or schema["prefixItems"][0]
        count = len(schema.get("prefixItems", []))
        return f"list of {f'{count}: ' if count else ''}{_kind(item)}"
    if kind == "object":
        return f"names with a {_kind(schema['additionalProperties'])}"
    names_of = {"integer": "whole number", "number": "number", "string": "name", "boolean": "flag"}
    bounds = [
        f"{sign} {json.dumps(schema[key])}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in schema
    ]
    return " ".join([names_of.get(kind, kind), ", ".join(bounds)]).strip()


def _entry(title: str, name: str) -> str:
    if title == "layouts":
        return f"`{find('layouts', name).summary}`"
    text = _first(_doc(definition(TABLES[title][name]))).removeprefix("Return ")
    return text[:1].upper() + text[1:]


def _recipe_line(name: str) -> str:
    path = ROOT / "src" / "delineate" / "recipes" / f"{name}.toml"
    return path.read_text(encoding="utf-8").splitlines()[0].partition(": ")[2]


def _doc(node: Definition) -> str:
    return ast.get_docstring(node) or ""


def _first(docstring: str | None) -> str:
    return cleandoc(docstring or "").partition("\n\n")[0].replace("\n", " ")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
