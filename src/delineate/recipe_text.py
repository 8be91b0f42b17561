"""A recipe as text: the TOML file that is written, and settings from a command line."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping

from delineate.errors import RecipeError
from delineate.recipe import Recipe

_NUMBER = r"(\d+(?:\.\d+)?)"


def parse_settings(settings: Iterable[str]) -> dict[str, object]:
    """Return ``section.key=value`` strings as a mapping; values are TOML, or else plain text.

    Raises:
        RecipeError: A string without ``=``.

    Example:
        >>> parse_settings(["training.epochs=5", "data.size=[64, 64]", "model.output=softmax"])
        {'training.epochs': 5, 'data.size': [64, 64], 'model.output': 'softmax'}
    """
    values: dict[str, object] = {}
    for setting in settings:
        key, found, text = setting.partition("=")
        if not found:
            raise RecipeError(f"'{setting}' has no '='.", hint="Write --set section.key=value.")
        values[key.strip()] = _toml_value(text.strip())
    return values


def minutes_of(text: str) -> float:
    """Return a time in minutes.

    Args:
        text: Such as "90s", "20m", "1h30m" or "1.5h"; a bare number is of minutes.

    Raises:
        RecipeError: It is no time, or none at all.

    Example:
        >>> minutes_of("1h30m"), minutes_of("90s"), minutes_of("20")
        (90.0, 1.5, 20.0)
    """
    bare = re.fullmatch(rf"{_NUMBER}", text.strip())
    found = bare or re.fullmatch(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", text.strip())
    parts = [float(part or 0) for part in found.groups()] if found else []
    factors = (1.0,) if bare else (60.0, 1.0, 1 / 60)
    total = sum(part * factor for part, factor in zip(parts, factors, strict=False))
    if not total:
        raise RecipeError(
            f"'{text}' is no time.", hint="Write hours, minutes or seconds: 1h30m, 20m or 90s."
        )
    return total


def write_recipe(recipe: Recipe, *, reasons: Mapping[str, str] | None = None) -> str:
    """Return the recipe as TOML text that :meth:`Recipe.load` reads back to an equal recipe.

    Args:
        recipe: The recipe.
        reasons: Comments by ``"section.key"``; a setting without one bears its description.
    """
    lines: list[str] = []
    for section, values in recipe:
        lines += [f"[{section}]"]
        for key, field in type(values).model_fields.items():
            reason = (reasons or {}).get(f"{section}.{key}", field.description or "")
            comment = " ".join(reason.split())
            value = getattr(values, key)
            unset = value is None and field.default is None
            text = f"# {key} = unset" if unset else f"{key} = {_toml(value)}"
            lines.append(f"{text:<44}  # {comment}")
        lines.append("")
    return "\n".join(lines)


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _toml(value: object) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # TOML's basic strings have JSON's escapes, and one more character that needs one.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        pairs = (f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    raise TypeError(f"no TOML form for {type(value).__name__}")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)
