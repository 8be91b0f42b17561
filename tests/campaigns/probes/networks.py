"""Keras models: their configuration, and the archive around it."""

import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.probes.making import (
    BAIT,
    MODEL,
    Probe,
    config_of,
    layer_of,
    rewrite,
    rezip,
    seal,
)

Make = Callable[[Path], None]
Config = dict[str, Any]


def _layer(**changes: Any) -> Make:
    """Change the last layer, an activation."""

    def make(folder: Path) -> None:
        config = config_of(folder)
        layer_of(config, "probabilities").update(changes)
        rewrite(folder, config)

    return make


def _setting(name: str, **changes: Any) -> Make:
    """Change settings of a layer."""

    def make(folder: Path) -> None:
        config = config_of(folder)
        layer_of(config, name)["config"].update(changes)
        rewrite(folder, config)

    return make


def _inserted(module: str, kind: str, /, *, inputs: int = 1, **settings: Any) -> Make:
    """Put a layer between the image and the first one."""
    return _behind_the_image(lambda image: [_made(module, kind, [image] * inputs, settings)])


def _made(
    module: str, kind: str, arguments: list[Any], settings: Config, *, name: str = "inserted"
) -> Config:
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name} | settings,
        "registered_name": None,
        "name": name,
        "inbound_nodes": [{"args": arguments, "kwargs": {}}],
    }


def _beside(kind: str, arguments: list[Any] | None, /, build: Any = None, **settings: Any) -> Make:
    """Put a layer beside the graph, which nothing takes; without arguments it is not called."""

    def make(folder: Path) -> None:
        config = config_of(folder)
        made = _made("keras.layers", kind, arguments or [], settings)
        if arguments is None:
            made["inbound_nodes"] = []
        if build is not None:
            made["build_config"] = {"input_shape": build}
        config["config"]["layers"].append(made)
        rewrite(folder, config)

    return make


def _behind_the_image(grow: Callable[[Any], list[Config]]) -> Make:
    """Put layers between the image and the first one, which then takes what the last one gives.

    Args:
        grow: Takes the image's tensor, and returns the layers.
    """

    def make(folder: Path) -> None:
        config = config_of(folder)
        layers = config["config"]["layers"]
        assert layers[0]["class_name"] == "InputLayer"
        arguments = layers[1]["inbound_nodes"][0]["args"]
        fresh = grow(arguments[0])
        arguments[0] = _from(arguments[0], fresh[-1]["name"])
        layers[1:1] = fresh
        rewrite(folder, config)

    return make


def _from(taken: Any, name: str) -> Any:
    """Return a tensor like another one, which a layer of a name gives."""
    given = json.loads(json.dumps(taken))
    given["config"]["keras_history"] = [name, 0, 0]
    return given


def _copies(factor: int, count: int) -> Make:
    """Enlarge the image, copy it many times, add all copies, and make the sum small again."""

    def grow(image: Any) -> list[Config]:
        up = _made("keras.layers", "UpSampling2D", [image], {"size": [factor] * 2}, name="up")
        same = {"scale": 1.0, "offset": 0.0}
        copies = [
            _made("keras.layers", "Rescaling", [_from(image, "up")], same, name=f"copy{number}")
            for number in range(count)
        ]
        together = [_from(image, each["name"]) for each in copies]
        added = _made("keras.layers", "Add", [together], {}, name="added")
        pool = {"pool_size": [factor] * 2}
        down = _made("keras.layers", "AveragePooling2D", [_from(image, "added")], pool)
        return [up, *copies, added, down]

    return _behind_the_image(grow)


def _pooled_and_spread(image: Any) -> list[Config]:
    """Return the image and its largest number, which PyTorch looks for in a padded image."""
    pool = {"pool_size": [59_999] * 2, "padding": "same"}
    found = _made("keras.layers", "MaxPooling2D", [image], pool, name="largest")
    together = [image, _from(image, "largest")]
    return [found, _made("keras.layers", "Add", [together], {})]


def _enlarged_together(folder: Path) -> None:
    _copies(8, 2)(folder)
    seal(folder, fit="resize", size=[2048, 2048], tile=16_384)


def _object(module: str, kind: str, /, **settings: Any) -> Config:
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": "inside"} | settings,
        "registered_name": None,
    }


def _many_calls(count: int) -> Make:
    """Call one layer that does nothing many times."""

    def grow(image: Any) -> list[Config]:
        made = _made("keras.layers", "Identity", [image], {})
        made["inbound_nodes"] *= count
        return [made]

    return _behind_the_image(grow)


def _models_within_models(depth: int, calls: int) -> Make:
    """Call a model several times in which a model is called several times, and so on."""

    def grow(image: Any) -> list[Config]:
        made = _made("keras.layers", "Identity", [image], {})
        for _ in range(depth):
            made["inbound_nodes"] *= calls
            settings = {
                "layers": [_input(), made],
                "input_layers": [["image", 0, 0]],
                "output_layers": [["inserted", calls - 1, 0]],
            }
            made = _made("keras.src.models.functional", "Functional", [image], settings)
        return [made]

    return _behind_the_image(grow)


def _row(count: int) -> Make:
    """Put a row of layers that do nothing behind the image: Keras builds it anew with each."""

    def grow(image: Any) -> list[Config]:
        steps = [
            _made("keras.layers", "Identity", [image], {}, name=f"step{number}")
            for number in range(count)
        ]
        return [_made("keras", "Sequential", [image], {"layers": [_input(), *steps]})]

    return _behind_the_image(grow)


def _input() -> Config:
    settings = {"batch_shape": [None, None, None, 1]}
    return _made("keras.layers", "InputLayer", [], settings, name="image") | {"inbound_nodes": []}


def _masked(image: Any) -> list[Config]:
    """Return a softmax that its mask makes a thousand times as large as Keras says."""
    wide = _made("keras.layers", "Concatenate", [[image] * 1000], {}, name="wide")
    return [wide, _made("keras.layers", "Softmax", [image, _from(image, "wide")], {})]


def _chain(count: int, *, backwards: bool = False) -> Make:
    """Put many layers that do nothing behind the image, in their order or the other one."""

    def make(folder: Path) -> None:
        config = config_of(folder)
        layers = config["config"]["layers"]
        taken = layers[1]["inbound_nodes"][0]["args"][0]
        fresh, before = [], taken
        for number in range(count):
            fresh.append(_made("keras.layers", "Identity", [before], {}, name=f"inserted{number}"))
            before = _from(taken, f"inserted{number}")
        layers[1]["inbound_nodes"][0]["args"][0] = before
        layers[1:1] = reversed(fresh) if backwards else fresh
        rewrite(folder, config)

    return make


def _without_module(folder: Path) -> None:
    config = config_of(folder)
    layer = layer_of(config, "probabilities")
    del layer["module"]
    layer["class_name"] = "Lambda"
    rewrite(folder, config)


def _deep(folder: Path) -> None:
    rezip(folder, config=b'{"class_name": "Functional", "config": ' + b"[" * 100_000)


def _nested(folder: Path) -> None:
    config = config_of(folder)
    for _ in range(100):
        config = {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": "nested", "layers": [config]},
            "registered_name": None,
        }
    rewrite(folder, config)


def _large(folder: Path) -> None:
    rezip(folder, config=json.dumps(config_of(folder)).encode() + b" " * 9 * 2**20)


def _endless(folder: Path) -> None:
    text = json.dumps(config_of(folder)).replace('"trainable": true', '"trainable": 1e999', 1)
    rezip(folder, config=text.encode())


def _compiled(folder: Path) -> None:
    config = config_of(folder)
    config["compile_config"] = {
        "optimizer": {
            "module": "builtins",
            "class_name": "function",
            "config": "exec",
            "registered_name": "function",
        }
    }
    rewrite(folder, config)


def _built_large(folder: Path) -> None:
    config = config_of(folder)
    layer_of(config, "logits")["build_config"] = {"input_shape": [None, None, None, 65_536]}
    layer_of(config, "logits")["config"]["filters"] = 65_536
    rewrite(folder, config)


class _Runs:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def _pickle(folder: Path) -> None:
    (folder / MODEL).write_bytes(pickle.dumps(_Runs(folder.parent / BAIT)))
    seal(folder)


def _with_member(name: str) -> Make:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / MODEL, "a") as archive:
            archive.writestr(name, b"more")
        seal(folder)

    return make


def _twice(folder: Path) -> None:
    content = (folder / MODEL).read_bytes()
    with zipfile.ZipFile(folder / MODEL, "a") as archive:
        archive.writestr("config2json", json.dumps({}))
    # The name of the fourth member becomes that of another one, in both of its places.
    made = (folder / MODEL).read_bytes().replace(b"config2json", b"config.json")
    assert len(made) > len(content)
    (folder / MODEL).write_bytes(made)
    seal(folder)


def _grows(folder: Path) -> None:
    with zipfile.ZipFile(folder / MODEL) as archive:
        small = {name: archive.read(name) for name in archive.namelist() if "h5" not in name}
    with zipfile.ZipFile(folder / MODEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in small.items():
            archive.writestr(name, content)
        archive.writestr("model.weights.h5", bytes(64 * 2**20))
    seal(folder)


def _long_list(folder: Path) -> None:
    with zipfile.ZipFile(folder / MODEL, "a") as archive:
        for number in range(2000):
            archive.writestr(f"assets/{number:050}", b"")
    seal(folder)


def _large_list(folder: Path) -> None:
    content = bytearray((folder / MODEL).read_bytes())
    struct.pack_into("<I", content, len(content) - 10, 2**31)
    (folder / MODEL).write_bytes(content)
    seal(folder)


def _encrypted(folder: Path) -> None:
    content = bytearray((folder / MODEL).read_bytes())
    # The flags of each entry of the list of members.
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 8] |= 1
        place = content.find(b"PK\x01\x02", place + 1)
    (folder / MODEL).write_bytes(content)
    seal(folder)


def _half(folder: Path) -> None:
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:900])
    seal(folder)


_LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "config": {"name": "probabilities", "function": {"class_name": "__lambda__", "config": {}}},
}
_ARRAY = {"class_name": "__tensor__", "config": {"value": [[[[0.0]]]], "dtype": "float32"}}
_IMAGE = {
    "class_name": "__keras_tensor__",
    "config": {
        "shape": [None, None, None, 1],
        "dtype": "float32",
        "keras_history": ["image", 0, 0],
    },
}
_OTHER = "which a model from elsewhere may not have"
PROBES = {
    "a lambda": Probe(_layer(**_LAMBDA), _OTHER),
    "a lambda without a module": Probe(_without_module, _OTHER),
    "a layer that loads a SavedModel": Probe(
        _inserted("keras.layers", "TFSMLayer", filepath="/etc"), _OTHER
    ),
    "a layer that unpickles": Probe(
        _inserted("keras.layers", "TorchModuleWrapper", module="gASVAAAA"), _OTHER
    ),
    "a layer that reads a file": Probe(
        _inserted("keras.layers", "StringLookup", vocabulary="/etc/passwd"), _OTHER
    ),
    "a function of the system": Probe(_inserted("os", "system"), _OTHER),
    "a class of Keras's insides": Probe(_inserted("keras.src.utils.file_utils", "File"), _OTHER),
    "a class that is a list": Probe(_layer(class_name=["Activation"]), "without a class"),
    "the name of another object": Probe(_layer(registered_name="own>Layer"), "names another"),
    "an unknown key": Probe(_layer(code="exec"), "unknown key 'code'"),
    "a function as activation": Probe(
        _setting(
            "probabilities",
            activation={
                "module": "builtins",
                "class_name": "function",
                "config": "exec",
                "registered_name": "exec",
            },
        ),
        "without a class or|" + _OTHER,
    ),
    "a layer that enlarges as an activation": Probe(
        _setting(
            "probabilities", activation=_object("keras.layers", "UpSampling2D", size=[9000] * 2)
        ),
        _OTHER,
    ),
    "a model as an activation": Probe(
        _setting("logits", activation=_object("keras", "Sequential", layers=[])), _OTHER
    ),
    "a dense layer as an activation": Probe(
        _setting("logits", activation=_object("keras.layers", "Dense", units=65_536)), _OTHER
    ),
    "a layer that enlarges as a regulariser": Probe(
        _setting(
            "probabilities",
            activity_regularizer=_object("keras.layers", "UpSampling2D", size=[9000] * 2),
        ),
        None,
    ),
    "an activation that gives less than it takes": Probe(
        _setting("probabilities", activation="glu"), "it has the activation 'glu'"
    ),
    "a slope for each of 1,000 channels": Probe(
        _inserted("keras.layers", "ELU", alpha=[1.0] * 1000), "alpha is no single number"
    ),
    "probabilities that are whole numbers": Probe(
        _setting("probabilities", dtype="int32"), "numbers of the type 'int32'"
    ),
    "pooling that is padded to 14 GB": Probe(
        _behind_the_image(_pooled_and_spread), "it has a tensor of 3599880001 numbers"
    ),
    "16 images at once, each of which fits": Probe(
        _enlarged_together, "it has a tensor of 4294967296 numbers for 16 images of"
    ),
    "quantized numbers": Probe(_setting("logits", dtype="int8_from_float32"), "of the type"),
    "10^9 filters": Probe(_setting("logits", filters=10**9), "it has the number 1000000000"),
    "65,536 filters": Probe(_setting("logits", filters=65_536), "which the file has not"),
    "a layer built larger than it is": Probe(_built_large, "Keras cannot open"),
    "padding by 60,000 pixels": Probe(
        _inserted("keras.layers", "ZeroPadding2D", padding=[[60_000] * 2] * 2), "card says|numbers"
    ),
    "enlargement by 1,000": Probe(
        _inserted("keras.layers", "UpSampling2D", size=[1000, 1000]), "card says|a tensor of"
    ),
    "attention between all pixels": Probe(
        _inserted(
            "keras.layers",
            "MultiHeadAttention",
            inputs=2,
            num_heads=2,
            key_dim=1,
            attention_axes=[1, 2],
        ),
        "which the file has not",
    ),
    "100,000 levels": Probe(_deep, "levels deep|cannot open"),
    "models within models": Probe(_nested, "levels deep"),
    "9 MiB of configuration": Probe(_large, "config.json would have"),
    "a number that is infinite": Probe(_endless, "not finite"),
    "an array enlarged to 17 GB": Probe(
        _beside("UpSampling2D", [_ARRAY], size=[65_536] * 2), "something else than connections"
    ),
    "a mask of 1,000 channels": Probe(
        _behind_the_image(_masked), "something else than connections"
    ),
    "a convolution of 17 GB beside the graph": Probe(
        _beside("Conv2D", [_IMAGE], filters=65_536, kernel_size=[256, 256]), None
    ),
    "a normalisation of 17 GB": Probe(
        _beside("Normalization", None, build=[None, 65_536, 65_536, 1], axis=[1, 2]),
        "a normalisation of other axes",
    ),
    "a factor for each of 1,000 channels": Probe(
        _inserted("keras.layers", "Rescaling", scale=[0.0] * 1000, offset=0.0),
        "its shapes cannot be told",
    ),
    "100 copies of an enlarged image": Probe(_copies(64, 100), "it has a tensor of"),
    "100 copies of an image a little enlarged": Probe(_copies(16, 100), "its tensors have"),
    "pooling of all pixels, for each": Probe(
        _inserted(
            "keras.layers", "MaxPooling2D", pool_size=[8192] * 2, strides=[1, 1], padding="same"
        ),
        "multiply-adds",
    ),
    "40,000 calls of a layer": Probe(_many_calls(40_000), "more than 3000 connections"),
    "models called within models": Probe(_models_within_models(5, 20), "more than 3000"),
    "a row of 2,000 layers": Probe(_row(2000), "more than 3000 connections"),
    "5,000 layers": Probe(_chain(5000), "more than 3000 connections"),
    "2,000 layers backwards": Probe(_chain(2000, backwards=True), "out of order"),
    "an optimizer that is a function": Probe(_compiled, None),
    "a pickle": Probe(_pickle, "no Keras model"),
    "a fourth member": Probe(_with_member("assets/code.py"), "it holds"),
    "a member above": Probe(_with_member("../../code.py"), "it holds"),
    "a member twice": Probe(_twice, "it holds"),
    "weights that grow": Probe(_grows, "model.weights.h5 would have"),
    "2,000 members": Probe(_long_list, "its list of members has"),
    "a list of members of 2 GiB": Probe(_large_list, "its list of members has"),
    "an encrypted archive": Probe(_encrypted, "is encrypted"),
    "half an archive": Probe(_half, "cut short"),
}
