"""The configuration of a Keras model from elsewhere: read, bounded, and free of surprises."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from delineate.modelfiles.keras_classes import (
    ACTIVATIONS,
    ALLOWED,
    FUNCTIONAL,
    IN_GRAPH,
    INITIALISERS,
    MODELS,
    POLICY,
    Table,
    allowed_at,
)

DEEPEST = 64
# Each counts as often as Keras goes through it, a layer without any as one. Our own largest
# networks have some 1500.
MOST_CONNECTIONS = 3000
# Keras tries each layer again as long as what it takes has not been made. In what it writes, only
# layers that are used several times take what comes later.
MOST_LATER = 64
LARGEST = 2**16
MOST_SEEDS = 2**63
LONGEST = 1024
# Of an image that is normalised by numbers of its own: as many as a card may name.
MOST_CHANNELS = 1024

_TENSOR = "__keras_tensor__"
_NUMBERS = frozenset({"__numpy__", "__tensor__"})
# Settings that may be arrays, each of which is looked at where layers are counted; and settings
# that Keras takes for single numbers, and would spread over channels of their own.
_ARRAYS = frozenset({"mean", "offset", "scale", "variance"})
_SINGLE = frozenset({"alpha", "epsilon", "max_value", "negative_slope", "threshold"})
# Settings of training: what computes with them is a class of Keras, or of anybody.
_OF_TRAINING = ("_constraint", "_regularizer")
# Under these names a layer takes connections; under others, masks.
_NAMED = frozenset({"inputs", "key", "query", "value"})
_KEYS = frozenset(
    {
        *("module", "class_name", "config", "registered_name", "build_config", "compile_config"),
        *("name", "inbound_nodes", "shared_object_id"),
    }
)
_TYPE = re.compile(r"b?float16|float(32|64)|u?int(8|16|32|64)|bool|string")
# What layers compute with, and hold: each number has four bytes at the most.
_FLOAT = re.compile(r"(mixed_)?b?float16|float32")
_ZEROS: dict[str, Any] = {
    "module": INITIALISERS,
    "class_name": "Zeros",
    "config": {},
    "registered_name": None,
}


def inspected(text: bytes) -> dict[str, Any]:
    """Return the configuration of a model, as Keras may read it.

    Settings of training are left out, and initialisers make zeros: all values come from the file.
    So are the shapes that layers were built for: those of what they take count.

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
    return _Inspection().object_of(found, 0, IN_GRAPH)


class _Inspection:
    """Goes through one configuration, and counts what it has seen."""

    def __init__(self) -> None:
        self.connections = 0
        self.later = 0

    def value_of(self, value: Any, key: str, depth: int) -> Any:
        """Return a setting, whatever it is, as Keras may read it."""
        if depth > DEEPEST:
            raise _too_deep()
        if key.endswith(_OF_TRAINING):
            return None
        if isinstance(value, dict | list) and key in _SINGLE:
            raise ValueError(f"it has a layer whose {key} is no single number")
        if isinstance(value, dict):
            if "class_name" in value:
                return self._setting(value, key, depth)
            return {name: self.value_of(each, name, depth + 1) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value_of(each, key, depth + 1) for each in value]
        return _plain(value, key)

    def _setting(self, value: dict[str, Any], key: str, depth: int) -> dict[str, Any]:
        """Return the array, or the object, that a setting is."""
        kind, config = value["class_name"], value.get("config")
        if not isinstance(kind, str) or not isinstance(config, dict):
            raise _without_class()
        if kind not in _NUMBERS:
            return self.object_of(value, depth, allowed_at(key))
        if key not in _ARRAYS:
            raise ValueError(f"it has an array as '{key[:100]}'")
        return {"class_name": kind, "config": self._numbers(config, depth + 1)}

    def object_of(self, value: dict[str, Any], depth: int, allowed: Table) -> dict[str, Any]:
        """Return an object's configuration; its class is one of those that are allowed there."""
        kind, module, config = (value.get(key) for key in ("class_name", "module", "config"))
        if not isinstance(kind, str) or not isinstance(config, dict):
            raise _without_class()
        _refuse_class(module, kind, value, allowed)
        if module == INITIALISERS:
            return dict(_ZEROS)
        if kind == POLICY:
            _refuse_type(config.get("name"))
        checked = {
            "module": module,
            "class_name": kind,
            "config": self._config(kind, config, depth + 1),
            "registered_name": value.get("registered_name"),
        }
        if kind == "Normalization":
            checked["build_config"] = {"input_shape": _normalised_shape(value)}
        if "name" in value:
            checked["name"] = self.value_of(value["name"], "name", depth + 1)
        if "inbound_nodes" in value:
            most = _most_arguments(str(module), kind)
            checked["inbound_nodes"] = self._nodes(value["inbound_nodes"], most, depth + 1)
        return checked

    def _config(self, kind: str, config: dict[str, Any], depth: int) -> dict[str, Any]:
        if config.get("pad_to_aspect_ratio"):
            raise ValueError("it has a layer that pads images before it resizes them")
        layers = self._layers(kind, config.get("layers"), depth) if kind in MODELS else None
        rest = {key: each for key, each in config.items() if layers is None or key != "layers"}
        checked: dict[str, Any] = {
            key: self.value_of(each, key, depth + 1) for key, each in rest.items()
        }
        return checked if layers is None else {**checked, "layers": layers}

    def _layers(self, kind: str, layers: Any, depth: int) -> list[dict[str, Any]]:
        if depth > DEEPEST:
            raise _too_deep()
        if not isinstance(layers, list):
            raise ValueError("it has a model without layers")
        made: set[str] = set()
        checked = []
        for place, layer in enumerate(layers):
            if not isinstance(layer, dict) or "class_name" not in layer:
                raise ValueError("it has a layer without a class")
            before = self.connections
            checked.append(self.object_of(layer, depth + 1, IN_GRAPH))
            if kind == FUNCTIONAL:
                taken, calls = self._place(checked[-1], made)
            else:
                # Keras goes through a row of layers anew for each that it adds to the row.
                taken = calls = len(layers) - place
            self._count(before, taken, calls)
        return checked

    def _place(self, layer: dict[str, Any], made: set[str]) -> tuple[int, int]:
        """Return how many connections a layer of a graph takes, and in how many calls."""
        if not isinstance(layer.get("name"), str) or "inbound_nodes" not in layer:
            raise ValueError("it has a layer without a name or a place")
        taken = _taken(layer["inbound_nodes"])
        self.later += sum(name not in made for name in taken)
        made.add(layer["name"])
        if self.later > MOST_LATER:
            raise ValueError("its layers are out of order")
        return len(taken), len(layer["inbound_nodes"])

    def _count(self, before: int, taken: int, calls: int) -> None:
        """Count what a layer takes, and again for each of its calls what is within it."""
        within = self.connections - before
        self.connections = before + max(1, taken) + max(1, calls) * within
        if self.connections > MOST_CONNECTIONS:
            raise ValueError(f"it has more than {MOST_CONNECTIONS} connections")

    def _nodes(self, nodes: Any, most: int, depth: int) -> list[dict[str, Any]]:
        plain = isinstance(nodes, list) and all(
            isinstance(node, dict) and node.keys() == {"args", "kwargs"} for node in nodes
        )
        if not plain:
            raise ValueError("it has a layer whose place in the graph cannot be read")
        checked: list[dict[str, Any]] = self._argument(nodes, depth)
        for node in checked:
            _refuse_arguments(node["args"], node["kwargs"], most)
        return checked

    def _argument(self, value: Any, depth: int) -> Any:
        """Return what a layer is called with, as Keras may read it: of objects only connections."""
        if depth > DEEPEST:
            raise _too_deep()
        if isinstance(value, list):
            return [self._argument(each, depth + 1) for each in value]
        if not isinstance(value, dict):
            return _plain(value, "")
        if "class_name" not in value:
            return {name: self._argument(each, depth + 1) for name, each in value.items()}
        config = value.get("config")
        if value["class_name"] != _TENSOR or not isinstance(config, dict):
            raise _no_connection()
        return {"class_name": _TENSOR, "config": _connection(config)}

    def _numbers(self, config: dict[str, Any], depth: int) -> dict[str, Any]:
        if not _is_type(config.get("dtype")):
            raise ValueError("it has an array of no numbers")
        return {
            "value": self.value_of(config.get("value"), "value", depth),
            "dtype": config["dtype"],
        }


def _connection(config: dict[str, Any]) -> dict[str, Any]:
    shape, kind, history = (config.get(key) for key in ("shape", "dtype", "keras_history"))
    if not _is_shape(shape) or not _is_type(kind) or not _is_history(history):
        raise ValueError("it has a connection that cannot be read")
    return {"shape": shape, "dtype": kind, "keras_history": history}


def _normalised_shape(value: dict[str, Any]) -> list[int | None]:
    """Return the shape that a normalisation is built for: few channels, and all else open.

    Keras repeats its numbers along that shape as soon as it reads it.
    """
    built, axes = value.get("build_config"), value["config"].get("axis", -1)
    shape = built.get("input_shape") if isinstance(built, dict) else None
    axes = axes if isinstance(axes, list) else [axes]
    if not isinstance(shape, list) or axes not in ([], [-1], [len(shape) - 1]):
        raise ValueError("it has a normalisation of other axes than the last, or of no shape")
    channels = shape[-1] if shape else None
    if type(channels) is not int or not 0 < channels <= MOST_CHANNELS:
        raise ValueError(f"it has a normalisation of more than {MOST_CHANNELS} channels, or none")
    return [*[None] * (len(shape) - 1), channels]


def _most_arguments(module: str, kind: str) -> int:
    """Return how many arguments without a name a call may have; what follows are masks."""
    if kind == "MultiHeadAttention":
        return 3
    return 2 if module.startswith("keras.src.ops.") else 1


def _refuse_arguments(unnamed: Any, named: Any, most: int) -> None:
    """Refuse a call that Keras would compute at once, or that gives more than Keras says.

    At once it computes what takes no connection; and it does not look at the shapes of masks and
    of arrays that are no connections.
    """
    good = (
        isinstance(unnamed, list)
        and isinstance(named, dict)
        and len(unnamed) <= most
        and all(isinstance(each, int | float) or _is_connected(each) for each in unnamed)
        and all(_may_be_named(name, each) for name, each in named.items())
        and any(map(_is_connected, [*unnamed, *named.values()]))
    )
    if not good:
        raise _no_connection()


def _no_connection() -> ValueError:
    return ValueError("it has a layer that takes something else than connections")


def _may_be_named(name: str, value: Any) -> bool:
    if all(part is None for part in _parts(value)):
        return True
    if name == "training":
        return isinstance(value, bool)
    return name in _NAMED and _is_connected(value)


def _is_connected(value: Any) -> bool:
    """Return whether a value is a connection, or is made of nothing else."""
    parts = list(_parts(value))
    return bool(parts) and all(isinstance(part, dict) for part in parts)


def _taken(nodes: list[dict[str, Any]]) -> list[str]:
    """Return the names of the layers whose tensors a layer takes."""
    found = (part for part in _parts(nodes) if isinstance(part, dict))
    return [part["config"]["keras_history"][0] for part in found]


def _parts(value: Any) -> Iterator[Any]:
    """Yield what lists and dictionaries are made of; of dictionaries only connections are left."""
    if isinstance(value, dict) and value.get("class_name") != _TENSOR:
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    else:
        yield value


def _refuse_class(module: Any, kind: str, value: dict[str, Any], allowed: Table) -> None:
    if not isinstance(module, str) or kind not in allowed.get(module, ()):
        # Known, but not where it stands.
        where = " there" if isinstance(module, str) and kind in ALLOWED.get(module, ()) else ""
        name = f"{module}.{kind}"[:100]
        raise ValueError(f"it has a {name}, which a model from elsewhere may not have{where}")
    if value.get("registered_name") not in (None, kind):
        raise ValueError(f"it names another object in place of {module}.{kind}")
    if unknown := sorted(value.keys() - _KEYS):
        raise ValueError(f"a {module}.{kind} in it has the unknown key '{unknown[0][:100]}'")


def _without_class() -> ValueError:
    return ValueError("it has an object without a class or a configuration")


def _plain(value: Any, key: str) -> Any:
    """Return a text, a number, or none of them."""
    if isinstance(value, str):
        return _text(value, key)
    if not isinstance(value, bool) and isinstance(value, int | float):
        _refuse_number(value, key)
    return value


def _text(value: str, key: str) -> str:
    if len(value) > LONGEST:
        raise ValueError(f"it has a text of {len(value)} characters")
    if key == "dtype":
        _refuse_type(value)
    if key == "activation" and value not in ACTIVATIONS:
        raise ValueError(f"it has the activation '{value[:100]}'")
    if key == "data_format" and value != "channels_last":
        raise ValueError(f"it has images of the format '{value[:100]}'")
    return "zeros" if key.endswith("_initializer") else value


def _refuse_type(name: Any) -> None:
    """Refuse a type of what layers compute with that is no float of at most four bytes."""
    if not isinstance(name, str) or not _FLOAT.fullmatch(name):
        raise ValueError(f"it has numbers of the type '{str(name)[:100]}'")


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
