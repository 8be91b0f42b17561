"""A description as text: the ``dataset.toml`` that is written beside the data."""

import json
import re
from collections.abc import Iterator, Mapping

from delineate.data.describing.description import (
    FILE,
    Description,
    colour_value,
    parse_description,
    spell,
)
from delineate.errors import DataError

WIDTH = 100
VERBATIM = re.compile(r"[^'\x00-\x1f\x7f]*")

Comments = Mapping[str, str]


def describe(description: Description, *, comments: Comments | None = None) -> str:
    """Return the text of a ``dataset.toml`` that says what a description says, and no more.

    Args:
        description: What is said.
        comments: What stands above a key, as in ``{"classes.names": "as the table has them"}``;
            of ``masks.values.7`` and the like it stands behind the value.

    Raises:
        DataError: The file has no form for something that is said: there are values or colours
            that no file could have.

    Example:
        >>> print(describe(Description(names=("ground", "cell"), ignore=(3,))), end="")
        [classes]
        names = ["ground", "cell"]
        <BLANKLINE>
        [masks]
        ignore = [3]
    """
    sections = _sections(description)
    text = "\n".join(_section(name, keys, comments or {}) for name, keys in sections if keys)
    if parse_description(text) != description:
        raise DataError(
            f"{FILE} cannot say what is to be written there.",
            hint="Name classes, values and patterns as a file could have them.",
        )
    return text


def _sections(said: Description) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the sections, each with the TOML value of its keys; "" is what stands above them."""
    yield "", _written(layout=said.layout)
    colours = [spell(colour_value(colour)) for colour in said.colours or ()]
    yield "classes", _written(names=said.names, colours=colours)
    ignore = [_value(value) for value in said.ignore]
    yield "masks", _written(encoding=said.encoding, ignore=ignore)
    yield "masks.values", {_key(spell(value)): _toml(said.values[value]) for value in said.values}
    yield "pairing", _written(images=said.images, masks=said.masks, channels=said.channels)
    yield "groups", _written(pattern=said.group_pattern)
    yield "groups.of", {_key(name): _toml(group) for name, group in said.groups.items()}
    yield "pixels", _written(size=said.pixel_size, unit=said.unit)


def _written(**keys: object) -> dict[str, str]:
    return {key: _toml(value) for key, value in keys.items() if value}


def _section(name: str, keys: Mapping[str, str], comments: Comments) -> str:
    lines = [f"[{name}]"] if name else []
    inner = name in ("masks.values", "groups.of")
    lines += _comment(comments.get(name, ""))
    for key, value in keys.items():
        comment = comments.get(f"{name}.{key.strip(chr(34))}" if name else key, "")
        if inner and comment:
            lines.append(f"{key} = {value}  # {comment}")
        else:
            lines += [*_comment(comment), f"{key} = {value}"]
    return "".join(f"{line}\n" for line in lines)


def _comment(text: str) -> list[str]:
    """Return a comment in lines that are not too long."""
    lines: list[str] = []
    for word in text.split():
        if lines and len(lines[-1]) + len(word) < WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"# {word}")
    return lines


def _value(value: int) -> int | str:
    text = spell(value)
    return int(text) if text.isdecimal() else text


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _toml(text)


def _toml(value: object) -> str:
    if isinstance(value, str):
        # A regular expression is easier to read without doubled backslashes.
        if "\\" in value and VERBATIM.fullmatch(value):
            return f"'{value}'"
        # TOML's basic strings have JSON's escapes, and one more character that needs one.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(_toml, value))}]"
        return text if len(text) < WIDTH - 10 else _long(value)
    return repr(value)


def _long(values: list[object] | tuple[object, ...]) -> str:
    """Return a list over several lines, as many values in each as fit."""
    lines = ["   "]
    for text in map(_toml, values):
        if len(lines[-1]) + len(text) + 2 > WIDTH:
            lines.append("   ")
        lines[-1] += f" {text},"
    return "\n".join(["[", *lines, "]"])
