"""What ``dataset.toml`` beside the data says: what no pixel can tell.

The file is read at the border into a plain :class:`Description`; what it leaves open is recognised
from the data and reported, or refused.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from delineate.data.describing.text_file import MOST_DESCRIPTION_BYTES, refuse_long
from delineate.errors import DataError, near_miss, refused_value

FILE = "dataset.toml"
IGNORE = 255
IGNORE_WORD = "ignore"
COLOUR = 1 << 24  # set in values that are colours: 0x1RRGGBB

PLACEHOLDERS = {
    "images": ("{stem}", "{split}", "{channel}"),
    "masks": ("{stem}", "{split}", "{class}"),
}

# Names joined by points, more than any key here has: a parser may take the square of their number.
_JOINED = 32
_LONG_KEY = re.compile(
    r"""(?<![\w\\.-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_JOINED}}}",
    re.ASCII,
)

MaskEncoding = Literal["ids", "binary", "colours", "one-hot", "objects"]
RGB = tuple[int, int, int]
_Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Description:
    """What is said about a data set; None and empty: nothing, so it is recognised.

    Attributes:
        layout: A name in the table of layouts.
        names: Class names, background first.
        colours: The colour of each class.
        encoding: "ids": numbers are class ids; "binary": dark is background, bright is foreground;
            "colours": each colour is a class; "one-hot": a channel for each class; "objects": a
            number for each object, 0 where there is none.
        values: The class, by name or id, of stored values (numbers, or ``colour_value``); other
            numbers are class ids. "ignore": they do not count.
        ignore: Stored values that never count.
        images: Pattern of the image files, as in ``"{split}/images/*.tif"``.
        masks: Pattern of the mask files, as in ``"masks/{stem}_mask.png"``.
        channels: The ends of the stems of files that are one channel each, in order.
        group_pattern: Regular expression; its first group, in a record's name, is the group.
        groups: The group of records, by name.
        pixel_size: (height, width) of a pixel in ``unit``.
        unit: Of ``pixel_size``, such as "µm" or "m".
    """

    layout: str | None = None
    names: tuple[str, ...] | None = None
    colours: tuple[RGB, ...] | None = None
    encoding: MaskEncoding | None = None
    values: Mapping[int, str | int] = field(default_factory=dict)
    ignore: tuple[int, ...] = ()
    images: str | None = None
    masks: str | None = None
    channels: tuple[str, ...] = ()
    group_pattern: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None

    def over(self, other: "Description") -> "Description":
        """Return what this one says, and where it says nothing, what the other one says.

        Colours and values belong to classes: where both name other numbers of classes, those of
        the other one say nothing.
        """
        if self.names and other.names and len(self.names) != len(other.names):
            other = replace(other, colours=None, values={}, ignore=())
        said = {item.name: getattr(self, item.name) for item in fields(self)}
        said["values"] = {**other.values, **self.values}
        left = (value for value in other.ignore if value not in said["values"])
        said["ignore"] = tuple(dict.fromkeys((*self.ignore, *left)))
        return Description(**{name: value or getattr(other, name) for name, value in said.items()})

    def class_id(self, target: str | int) -> int:
        """Return the id of a class that is given by its name or its id; 255 is "ignore".

        Raises:
            DataError: There is no such class.
        """
        names = self.names or ()
        if isinstance(target, int) and (not names or 0 <= target < len(names)):
            return target
        if target in names:
            return names.index(str(target))
        if target == IGNORE_WORD:
            return IGNORE
        raise DataError(
            f"{FILE} gives a value to the class {target!r}, but the classes are "
            f"{', '.join(names) or 'not named'}.{near_miss(str(target), names)}",
            hint="Name it under [classes] names, or give its number there, from 0, or 'ignore'.",
        )

    def group_of(self, name: str) -> str | None:
        """Return the group of a record, None where it has none."""
        if name in self.groups:
            return self.groups[name]
        if self.group_pattern is None:
            return None
        found = re.search(self.group_pattern, name)
        return (found[1] or None) if found else None  # a group without a name is none


NOTHING_SAID = Description()


def colour_value(colour: RGB) -> int:
    """Return the value that stands for a colour among stored values.

    Example:
        >>> hex(colour_value((255, 0, 128)))
        '0x1ff0080'
    """
    red, green, blue = colour
    return COLOUR | red << 16 | green << 8 | blue


def colour_of(value: int) -> RGB:
    """Return the colour (red, green, blue) that a value stands for; a number is a grey.

    Example:
        >>> colour_of(0x1FF0080), colour_of(7)
        ((255, 0, 128), (7, 7, 7))
    """
    if value < COLOUR:
        return value, value, value
    return value >> 16 & 255, value >> 8 & 255, value & 255


def spell(value: int) -> str:
    """Return a stored value as people write it: a number, or #rrggbb.

    Example:
        >>> spell(7), spell(0x1FF0080)
        ('7', '#ff0080')
    """
    return str(value) if value < COLOUR else f"#{value & 0xFFFFFF:06x}"


def read_description(folder: Path) -> Description:
    """Return what the ``dataset.toml`` of a folder says; nothing where there is none.

    Raises:
        DataError: The file cannot be read, is too long or no TOML, or has an unknown key or a bad
            value.
    """
    path = folder / FILE
    if not path.is_file():
        return NOTHING_SAID
    try:
        refuse_long(path, MOST_DESCRIPTION_BYTES)
        return parse_description(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read: {error}.", hint="Make it a text file in UTF-8."
        ) from error


def parse_description(text: str, origin: str = FILE) -> Description:
    """Return what the text of a ``dataset.toml`` says.

    Args:
        text: The text.
        origin: What errors call it.

    Raises:
        DataError: It is no TOML, or has an unknown key or a bad value.

    Example:
        >>> parse_description('classes.names = ["ground", "cell"]').names
        ('ground', 'cell')
    """
    if _LONG_KEY.search(text):
        raise DataError(
            f"{origin} has a key of more than {_JOINED} names joined by points.",
            hint="Write it anew; 'delineate check --write' proposes one.",
        )
    try:
        return _File.model_validate(tomllib.loads(text)).description()
    except tomllib.TOMLDecodeError as error:
        raise DataError(
            f"{origin} is not valid TOML: {error}.", hint="Correct the line that is named."
        ) from error
    except RecursionError as error:
        raise DataError(
            f"{origin} has brackets within brackets, too many to be read.",
            hint="Write it anew; 'delineate check --write' proposes one.",
        ) from error
    except ValidationError as error:
        raise _explain(error, origin) from error


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Classes(_Part):
    names: tuple[str, ...] | None = Field(None, min_length=2, max_length=255)
    colours: tuple[str, ...] | None = None

    @field_validator("names")
    @classmethod
    def _differ(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names and len(set(names)) < len(names):
            raise ValueError("two classes have the same name")
        return names

    @field_validator("colours")
    @classmethod
    def _are_colours(
        cls, colours: tuple[str, ...] | None, known: ValidationInfo
    ) -> tuple[str, ...] | None:
        values = [_parse_value(text) for text in colours or ()]
        if len(set(values)) < len(values):
            raise ValueError("two classes have the same colour")
        names = known.data.get("names")
        if names and colours and len(colours) != len(names):
            raise ValueError(f"there are {len(colours)} colours for {len(names)} names")
        return colours


class _Masks(_Part):
    encoding: MaskEncoding | None = None
    values: dict[str, str | int] = {}
    ignore: tuple[int | str, ...] = ()

    @field_validator("values")
    @classmethod
    def _keys_are_values(cls, values: dict[str, str | int]) -> dict[str, str | int]:
        for key, target in values.items():
            _parse_value(key)
            if isinstance(target, int) and not 0 <= target < IGNORE:
                raise ValueError(f"{target} is no class: ids go from 0 to 254; or '{IGNORE_WORD}'")
        return values

    @field_validator("ignore")
    @classmethod
    def _are_values(cls, ignore: tuple[int | str, ...]) -> tuple[int | str, ...]:
        for value in ignore:
            _parse_value(value)
        return ignore


class _Pairing(_Part):
    images: str | None = None
    masks: str | None = None
    channels: tuple[str, ...] = ()

    @field_validator("images", "masks")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None, field: ValidationInfo) -> str | None:
        if pattern is None:
            return None
        parts = pattern.split("/")
        if "\\" in pattern or re.match(r"[A-Za-z]:", pattern) or not parts[0]:
            raise ValueError("a pattern is a path below the data's folder, with / between names")
        if {"", ".", "..", "**"} & set(parts):
            raise ValueError("a pattern goes down by names alone, without '.', '..' and '**'")
        known = PLACEHOLDERS[str(field.field_name)]
        for name in re.findall(r"\{[^}]*\}?|\}", pattern):
            if name not in known:
                raise ValueError(f"{name} is none of {', '.join(known)}")
        return pattern

    @field_validator("channels")
    @classmethod
    def _are_several(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if channels and (len(set(channels)) < max(len(channels), 2) or not all(channels)):
            raise ValueError("there must be two or more channels, each with an ending of its own")
        return channels


class _Groups(_Part):
    pattern: str | None = None
    of: dict[str, str] = {}

    @field_validator("pattern")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        try:
            if pattern is not None and re.compile(pattern).groups != 1:
                raise ValueError("it has not exactly one group in brackets")
        except re.error as error:
            raise ValueError(f"it is no regular expression: {error}") from error
        return pattern


class _Pixels(_Part):
    size: tuple[_Length, _Length]
    unit: str = "µm"


class _File(_Part):
    layout: str | None = None
    classes: _Classes = _Classes()
    masks: _Masks = _Masks()
    pairing: _Pairing = _Pairing()
    groups: _Groups = _Groups()
    pixels: _Pixels | None = None

    def description(self) -> Description:
        colours = self.classes.colours
        return Description(
            layout=self.layout,
            names=self.classes.names,
            colours=tuple(colour_of(_parse_value(text)) for text in colours) if colours else None,
            encoding=self.masks.encoding,
            values={_parse_value(key): name for key, name in self.masks.values.items()},
            ignore=tuple(_parse_value(value) for value in self.masks.ignore),
            images=self.pairing.images,
            masks=self.pairing.masks,
            channels=self.pairing.channels,
            group_pattern=self.groups.pattern,
            groups=self.groups.of,
            pixel_size=self.pixels.size if self.pixels else None,
            unit=self.pixels.unit if self.pixels else None,
        )


def _parse_value(text: int | str) -> int:
    """Return a stored value that is written as a number or as #rrggbb."""
    found = re.fullmatch(r"#([0-9a-fA-F]{6})", str(text))
    if found:
        return COLOUR | int(found[1], 16)
    if not re.fullmatch(r"[0-9]{1,5}", str(text)) or int(text) > 65535:
        raise ValueError(f"{text!r} is neither a number from 0 to 65535 nor a colour #rrggbb")
    return int(text)


def _explain(error: ValidationError, origin: str) -> DataError:
    first = error.errors()[0]
    # Where several types are allowed, the last part is one of these, and no key.
    place = [str(part) for part in first["loc"] if part not in ("str", "int")]
    key = ".".join(place)
    known = list(_known_keys(place))
    if first["type"] == "extra_forbidden":
        return DataError(
            f"{origin}: unknown key '{key}'.{near_miss(place[-1], known)}",
            hint=f"Use one of: {', '.join(known)}.",
        )
    return DataError(
        f"{origin}: {refused_value(key, first)}.",
        hint=f"Correct {key}; 'delineate check --write' proposes a {FILE}.",
    )


def _known_keys(place: list[str]) -> Iterator[str]:
    parts: dict[str, Any] = {
        "classes": _Classes,
        "masks": _Masks,
        "pairing": _Pairing,
        "groups": _Groups,
        "pixels": _Pixels,
    }
    model = _File if len(place) == 1 else parts.get(place[0], _File)
    yield from model.model_fields
