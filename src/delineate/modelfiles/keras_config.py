"""The configuration of a Keras model from elsewhere: read, bounded, and free of surprises."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from delineate.modelfiles.keras_classes import (
    ALLOWED,
    FUNCTIONAL,
    INITIALISERS,
    MODELS,
)

DEEPEST = 64
MOST_LAYERS = 3000
MOST_TENSORS = 100_000
# Keras tries each layer again as long as what it takes has not been made. In what it writes, only
# layers that are used several times take what comes later.
MOST_LATER = 64
LARGEST = 2**16
MOST_SEEDS = 2**63
LONGEST = 1024

_TENSOR = "__keras_tensor__"
_NUMBERS = frozenset({"__numpy__", "__tensor__"})
_KEYS = frozenset(
    {
        *("module", "class_name", "config", "registered_name", "build_config", "compile_config"),
        *("name", "inbound_nodes", "shared_object_id"),
    }
)
_TYPE = re.compile(r"(mixed_)?b?float16|float(32|64)|u?int(8|16|32|64)|bool|string")
_ZEROS: dict[str, Any] = {
    "module": INITIALISERS,
    "class_name": "Zeros",
    "config": {},
    "registered_name": None,
}


def inspected(text: bytes) -> dict[str, Any]:
    """Return the configuration of a model, as Keras may read it.

    Settings of training are left out, and initialisers make zeros: all values come from the file.

    Args:
        text: JSON, as Keras writes it.

    Raises:
        ValueError: It is no such configuration, is too large, or has a class in it that is not in
            the table; the reason, as the end of a sentence.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(found, dict) or str(found.get("class_name")) not in MODELS:
        raise ValueError("its configuration is not that of a functional or sequential model")
    return _Inspection().object_of(found, 0)


class _Inspection:
    """Goes through one configuration, and counts what it has seen."""

    def __init__(self) -> None:
        self.layers = 0
        self.tensors = 0
        self.later = 0

    def value_of(self, value: Any, key: str, depth: int) -> Any:
        """Return a value, whatever it is, as Keras may read it."""
        if depth > DEEPEST:
            raise _too_deep()
        if isinstance(value, dict):
            if "class_name" in value:
                return self.object_of(value, depth)
            return {name: self.value_of(each, name, depth + 1) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value_of(each, key, depth + 1) for each in value]
        if isinstance(value, str):
            return _text(value, key)
        if not isinstance(value, bool) and isinstance(value, int | float):
            _refuse_number(value, key)
        return value

    def object_of(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        """Return an object's configuration; its class is one of the table."""
        kind, module, config = (value.get(key) for key in ("class_name", "module", "config"))
        if not isinstance(kind, str) or not isinstance(config, dict):
            raise ValueError("it has an object without a class or a configuration")
        if kind == _TENSOR:
            return {"class_name": _TENSOR, "config": self._tensor(config)}
        if kind in _NUMBERS:
            return {"class_name": kind, "config": self._numbers(config, depth + 1)}
        _refuse_class(module, kind, value)
        if module == INITIALISERS:
            return dict(_ZEROS)
        checked = {
            "module": module,
            "class_name": kind,
            "config": self._config(kind, config, depth + 1),
            "registered_name": value.get("registered_name"),
        }
        for key in ("build_config", "name"):
            if key in value:
                checked[key] = self.value_of(value[key], key, depth + 1)
        if "inbound_nodes" in value:
            checked["inbound_nodes"] = self._nodes(value["inbound_nodes"], depth + 1)
        return checked

    def _config(self, kind: str, config: dict[str, Any], depth: int) -> dict[str, Any]:
        layers = self._layers(kind, config.get("layers"), depth) if kind in MODELS else None
        rest = {key: each for key, each in config.items() if layers is None or key != "layers"}
        checked: dict[str, Any] = self.value_of(rest, "", depth)
        return checked if layers is None else {**checked, "layers": layers}

    def _layers(self, kind: str, layers: Any, depth: int) -> list[dict[str, Any]]:
        if depth > DEEPEST:
            raise _too_deep()
        if not isinstance(layers, list):
            raise ValueError("it has a model without layers")
        made: set[str] = set()
        checked = []
        for layer in layers:
            self.layers += 1
            if not isinstance(layer, dict) or "class_name" not in layer:
                raise ValueError("it has a layer without a class")
            if self.layers > MOST_LAYERS:
                raise ValueError(f"it has more than {MOST_LAYERS} layers")
            checked.append(self.object_of(layer, depth + 1))
            if kind == FUNCTIONAL:
                self._count_later(checked[-1], made)
        return checked

    def _count_later(self, layer: dict[str, Any], made: set[str]) -> None:
        if not isinstance(layer.get("name"), str) or "inbound_nodes" not in layer:
            raise ValueError("it has a layer without a name or a place")
        self.later += sum(name not in made for name in _taken(layer["inbound_nodes"]))
        made.add(layer["name"])
        if self.later > MOST_LATER:
            raise ValueError("its layers are out of order")

    def _nodes(self, nodes: Any, depth: int) -> list[dict[str, Any]]:
        plain = isinstance(nodes, list) and all(
            isinstance(node, dict) and node.keys() == {"args", "kwargs"} for node in nodes
        )
        if not plain:
            raise ValueError("it has a layer whose place in the graph cannot be read")
        checked: list[dict[str, Any]] = self.value_of(nodes, "", depth)
        return checked

    def _tensor(self, config: dict[str, Any]) -> dict[str, Any]:
        self.tensors += 1
        if self.tensors > MOST_TENSORS:
            raise ValueError(f"it has more than {MOST_TENSORS} connections")
        shape, kind, history = (config.get(key) for key in ("shape", "dtype", "keras_history"))
        if not _is_shape(shape) or not _is_type(kind) or not _is_history(history):
            raise ValueError("it has a connection that cannot be read")
        return {"shape": shape, "dtype": kind, "keras_history": history}

    def _numbers(self, config: dict[str, Any], depth: int) -> dict[str, Any]:
        if not _is_type(config.get("dtype")):
            raise ValueError("it has an array of no numbers")
        return {
            "value": self.value_of(config.get("value"), "value", depth),
            "dtype": config["dtype"],
        }


def _taken(value: Any) -> Iterator[str]:
    """Yield the names of the layers whose tensors a layer takes."""
    if isinstance(value, list):
        for each in value:
            yield from _taken(each)
    elif isinstance(value, dict) and value.get("class_name") == _TENSOR:
        yield value["config"]["keras_history"][0]
    elif isinstance(value, dict):
        yield from _taken(list(value.values()))


def _refuse_class(module: Any, kind: str, value: dict[str, Any]) -> None:
    if not isinstance(module, str) or kind not in ALLOWED.get(module, ()):
        name = f"{module}.{kind}"[:100]
        raise ValueError(f"it has a {name}, which a model from elsewhere may not have")
    if value.get("registered_name") not in (None, kind):
        raise ValueError(f"it names another object in place of {module}.{kind}")
    if unknown := sorted(value.keys() - _KEYS):
        raise ValueError(f"a {module}.{kind} in it has the unknown key '{unknown[0][:100]}'")


def _text(value: str, key: str) -> str:
    if len(value) > LONGEST:
        raise ValueError(f"it has a text of {len(value)} characters")
    if key == "dtype" and not _is_type(value):
        raise ValueError(f"it has numbers of the type '{value[:100]}'")
    return "zeros" if key.endswith("_initializer") else value


def _refuse_number(value: float, key: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it has a number that is not finite")
    # Seeds are no sizes.
    largest = MOST_SEEDS if key == "seed" else LARGEST
    if isinstance(value, int) and abs(value) > largest:
        raise ValueError(f"it has the number {str(value)[:100]}, and {largest} is the largest")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"it has the number {name}")


def _too_deep() -> ValueError:
    return ValueError(f"its configuration is more than {DEEPEST} levels deep")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, list) and all(
        side is None or (type(side) is int and 0 <= side <= LARGEST) for side in shape
    )


def _is_type(name: Any) -> bool:
    return isinstance(name, str) and _TYPE.fullmatch(name) is not None


def _is_history(history: Any) -> bool:
    return isinstance(history, list) and [type(each) for each in history] == [str, int, int]
