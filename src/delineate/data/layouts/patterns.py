"""Patterns of the paths of images and masks, as ``dataset.toml`` has them."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from delineate.data.layouts.layout import SPLIT_FOLDERS
from delineate.errors import DataError

TOKEN = re.compile(r"\{(stem|split|class|channel)\}|\*")
SPANNING, WITHIN = ".+", "[^/]+"  # several folders, or one name
SPLITS = "|".join(sorted(SPLIT_FOLDERS, key=len, reverse=True))
# Parts of which a name may leave open where they end: what a name takes grows with its length to
# the power of their number.
MAX_OPEN = 3


@dataclass(frozen=True)
class Match:
    """What a pattern reads from the path of a file.

    Attributes:
        path: The file.
        stem: What it shares with its partners.
        split: "train", "validation" or "test", where the path says so.
        label: The class that it holds, where the path says so.
        channel: The channel that it is, where the path says so.
    """

    path: Path
    stem: str
    split: str | None = None
    label: str | None = None
    channel: str | None = None


@dataclass(frozen=True)
class _Part:
    """A token of a pattern, and what is fixed behind it.

    Attributes:
        name: "*", or that of a placeholder, where it stands first; "": the beginning.
        fixed: The text up to the next such token. A placeholder in it is what it was before.
        following: The name of that token; "": the end.
    """

    name: str
    fixed: str
    following: str


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths, with {stem}.

    Attributes:
        text: The pattern.
        channels: What {channel} may be.
        stem: A regular expression of what {stem} may be.
    """

    text: str
    channels: tuple[str, ...] = ()
    stem: str = SPANNING
    _compiled: dict[str, re.Pattern[str]] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a pattern that takes hours on names which are made for it.

        Raises:
            DataError: More than ``MAX_OPEN`` of its parts have open ends.
        """
        count = sum(map(self._is_open, _parts(self.text)))
        if count > MAX_OPEN:
            raise DataError(
                f"The pattern '{self.text}' leaves open where {count} of its parts end; the limit "
                f"is {MAX_OPEN}.",
                hint="Write what is the same in all names in place of a star, or use folders.",
            )

    def has(self, name: str) -> bool:
        """Return whether a placeholder is in the pattern."""
        return f"{{{name}}}" in self.text

    @property
    def has_several(self) -> bool:
        """Whether several files may have one stem; a star for the suffix makes no difference."""
        return "*" in self.text.removesuffix(".*")

    @property
    def strictness(self) -> int:
        """How many characters are given."""
        return len(TOKEN.sub("", self.text))

    def of_images(self) -> "Pattern":
        """Return the pattern of the images to which masks belong, where nothing else is said.

        They lie in images/ where the masks lie in masks/, else in the same folder.

        Example:
            >>> make_pattern("{split}/masks/*_mask.png").of_images().text
            '{split}/images/{stem}.*'
        """
        folders = self.text.split("/")[:-1]
        while folders and folders[-1] in ("{class}", "{stem}", "*"):
            folders.pop()  # Images do not lie in the folder of a class, nor in one of masks.
        folders = ["images" if name == "masks" else name for name in folders]
        return Pattern("/".join([*folders, "{stem}.*"]), stem=self.stem)

    def match(self, path: str, place: Path, stems: Collection[str] = ()) -> Match | None:
        """Return what is read from a path, None where it is of another form.

        Args:
            path: The path below the data's folder.
            place: The file.
            stems: The stems that are known: the longest that fits is taken. Without any that fits,
                the stem is as long as can be.
        """
        found = self._regex(self.stem).fullmatch(path)
        if found is None:
            return None
        if stems and found["stem"] not in stems:
            found = self._with_known_stem(path, stems) or found
        values = found.groupdict()
        split = values.get("split")
        return Match(
            place,
            found["stem"],
            SPLIT_FOLDERS[split] if split else None,
            values.get("class"),
            values.get("channel"),
        )

    def _with_known_stem(self, path: str, stems: Collection[str]) -> re.Match[str] | None:
        for length in range(len(path), 0, -1):
            found = self._regex(f".{{{length}}}").fullmatch(path)
            if found and found["stem"] in stems:
                return found
        return None

    def _regex(self, stem: str) -> re.Pattern[str]:
        if stem not in self._compiled:
            self._compiled[stem] = re.compile(self._written(stem))
        return self._compiled[stem]

    def _written(self, stem: str) -> str:
        meanings = {
            "stem": stem,
            "split": SPLITS,
            "class": "[^/]+",
            "channel": "|".join(map(re.escape, self.channels)),
        }
        return "".join(_written_part(part, meanings) for part in _parts(self.text))

    def _is_open(self, part: _Part) -> bool:
        """Return whether a part may end at several places of one path."""
        if part.name in ("", "split") or not part.following:
            return False
        if part.name == "channel" or (part.name == "stem" and self.stem == SPANNING):
            return True
        return "/" not in part.fixed and not part.name == part.following == "*"


def _parts(text: str) -> list[_Part]:
    """Return what a pattern consists of, from its beginning on."""
    tokens = [
        token
        for token in TOKEN.finditer(text)
        if not token[1] or token[0] not in text[: token.start()]
    ]
    names = ["", *(token[1] or "*" for token in tokens), ""]
    begins = [0, *(token.end() for token in tokens)]
    ends = [*(token.start() for token in tokens), len(text)]
    places = zip(begins, ends, strict=True)
    return [
        _Part(name, text[begin:end], following)
        for name, (begin, end), following in zip(names[:-1], places, names[1:], strict=True)
    ]


def _written_part(part: _Part, meanings: dict[str, str]) -> str:
    """Return a part as a regular expression."""
    texts = enumerate(TOKEN.split(part.fixed))  # each second one is the name of a placeholder
    fixed = "".join(f"(?P={text})" if at % 2 else re.escape(text) for at, text in texts)
    if part.name == "*":
        # Before another star the first place where the text stands is as good as any: no other is
        # tried, for many stars would take the square, the cube and so on of a name's length.
        return f"(?>[^/]*?{fixed})" if part.following == "*" else f"[^/]*{fixed}"
    return f"(?P<{part.name}>{meanings[part.name]}){fixed}" if part.name else fixed


def make_pattern(text: str, channels: tuple[str, ...] = ()) -> Pattern:
    """Return a pattern; a lone ``*`` is taken for {stem}.

    Args:
        text: The pattern as ``dataset.toml`` has it.
        channels: What {channel} may be.

    Raises:
        DataError: Nothing, or more than one star, could be the stem; no channels are named; or more
            than ``MAX_OPEN`` parts have open ends.

    Example:
        >>> make_pattern("*_mask.png").text
        '{stem}_mask.png'
    """
    if "{channel}" in text and not channels:
        raise DataError(
            f"The pattern '{text}' has {{channel}}, and no channels are named.",
            hint='Write what it may be, in order: [pairing] channels = ["red", "green"].',
        )
    if "{stem}" in text:
        return Pattern(text, channels)
    start, suffix = (text[:-2], text[-2:]) if text.endswith(".*") else (text, "")
    if start.count("*") != 1:
        raise DataError(
            f"The pattern '{text}' leaves open which part an image and its masks share.",
            hint="Write {stem} for that part, as in 'masks/{stem}_mask.png'.",
        )
    return Pattern(start.replace("*", "{stem}") + suffix, channels, WITHIN)
