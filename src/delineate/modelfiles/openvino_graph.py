"""OpenVINO models from elsewhere: their graph names numbers in one file, and inside of it."""

from pathlib import Path
from typing import Any
from xml.parsers import expat

from delineate.errors import BundleError

MOST_BYTES = 64 * 2**20
DEEPEST = 64
_CONSTANT = "Const"


def weights_of(path: Path) -> Path:
    """Return the file with the weights of the graph in an ``.xml`` file."""
    return path.with_suffix(".bin")


def refuse_references(path: Path) -> None:
    """Refuse a graph with a document type, and one whose constants are not all in its weights.

    Args:
        path: The ``.xml`` file.

    Raises:
        BundleError: It is one of these, too large or too deep, or no XML.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise _refusal(path, f"its graph has {size} bytes")
    weights = weights_of(path)
    graph = _Graph(path, weights.stat().st_size if weights.is_file() else 0)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = graph.refuse_type
    parser.StartElementHandler = graph.begin
    parser.EndElementHandler = graph.end
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise _refusal(path, f"its graph cannot be read ({error})") from error


class _Graph:
    """What has been seen of a graph."""

    def __init__(self, path: Path, weights: int) -> None:
        self.path, self.weights = path, weights
        self.kinds: list[str] = []

    def refuse_type(self, *_: Any) -> None:
        """Refuse a document type, which may name other files and entities that grow."""
        raise _refusal(self.path, "its graph has a document type")

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take an element in."""
        inside = self.kinds[-1] if self.kinds else ""
        self.kinds.append(attributes.get("type", "") if name == "layer" else inside)
        if len(self.kinds) > DEEPEST:
            raise _refusal(self.path, f"its graph is more than {DEEPEST} levels deep")
        if name == "data" and self.kinds[-1] == _CONSTANT:
            self._require_inside(attributes)

    def end(self, _: str) -> None:
        """Leave an element."""
        self.kinds.pop()

    def _require_inside(self, attributes: dict[str, str]) -> None:
        said = attributes.get("offset", ""), attributes.get("size", "")
        if not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in said):
            raise _refusal(self.path, "a constant in it has no place")
        if sum(map(int, said)) > self.weights:
            raise _refusal(self.path, f"a constant in it is beyond the {self.weights} bytes")


def _refusal(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path} is not opened: {reason}.", hint="Get the bundle again, or export the model anew."
    )
