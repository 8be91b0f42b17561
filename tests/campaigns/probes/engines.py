"""Models for other engines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.probes.making import MODEL, Probe, seal

Make = Callable[[Path], None]
_ONNX = ("onnx", "onnxruntime")


def _as(name: str, runtime: str) -> dict[str, Any]:
    return {"members": [{"file": name, "runtime": runtime}]}


def _onnx(make: Callable[[Any, Any], Any], name: str = "model.onnx") -> Make:
    """Make a model with the package's helpers: from ``image`` to ``probabilities``."""

    def write(folder: Path) -> None:
        import onnx

        model = make(onnx, onnx.helper)
        (folder / MODEL).unlink()
        (folder / name).write_bytes(model.SerializeToString())
        seal(folder, **_as(name, "onnx"))

    return write


def _model(onnx: Any, nodes: list[Any], *, weights: Any = (), own: str = "") -> Any:
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    domains = {"": 17} | ({own: 1} if own else {})
    shape = ["batch", "height", "width", 1]
    image = helper.make_tensor_value_info("image", number, shape)
    end = helper.make_tensor_value_info("probabilities", number, None)
    graph = helper.make_graph(nodes, "network", [image], [end], list(weights))
    versions = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    return helper.make_model(graph, opset_imports=versions, ir_version=9)


def _good(onnx: Any, helper: Any) -> Any:
    return _model(onnx, [helper.make_node("Sigmoid", ["image"], ["probabilities"])])


def _elsewhere(onnx: Any, where: str) -> Any:
    weight = onnx.TensorProto(name="weight", data_type=onnx.TensorProto.FLOAT, dims=[1])
    weight.data_location = onnx.TensorProto.EXTERNAL
    said = weight.external_data.add()
    said.key, said.value = "location", where
    return weight


def _external(where: str) -> Callable[[Any, Any], Any]:
    def make(onnx: Any, helper: Any) -> Any:
        nodes = [helper.make_node("Add", ["image", "weight"], ["probabilities"])]
        return _model(onnx, nodes, weights=[_elsewhere(onnx, where)])

    return make


def _external_inside(onnx: Any, helper: Any) -> Any:
    """Hide it in a constant of a branch that is never taken."""
    inner = helper.make_node("Constant", [], ["inside"], value=_elsewhere(onnx, "/etc/passwd"))
    given = onnx.helper.make_tensor_value_info("inside", onnx.TensorProto.FLOAT, None)
    branch = helper.make_graph([inner], "branch", [], [given])
    false = helper.make_tensor("no", onnx.TensorProto.BOOL, [], [False])
    nodes = [
        helper.make_node("Constant", [], ["never"], value=false),
        helper.make_node("If", ["never"], ["taken"], then_branch=branch, else_branch=branch),
        helper.make_node("Add", ["image", "taken"], ["probabilities"]),
    ]
    return _model(onnx, nodes)


def _own_operator(onnx: Any, helper: Any) -> Any:
    node = helper.make_node("Run", ["image"], ["probabilities"], domain="own")
    return _model(onnx, [node], own="own")


def _compiled(onnx: Any, helper: Any) -> Any:
    node = helper.make_node(
        "EPContext", ["image"], ["probabilities"], domain="com.microsoft",
        embed_mode=0, ep_cache_context="../code.so",
    )  # fmt: skip
    return _model(onnx, [node], own="com.microsoft")


def _compiled_function(onnx: Any, helper: Any) -> Any:
    """Call an operator of compiled code, and name a function like it."""
    model = _compiled(onnx, helper)
    model.functions.append(_function(helper, "com.microsoft", "EPContext"))
    return model


def _own_function(onnx: Any, helper: Any) -> Any:
    """Put a function in the place of one of ONNX's own operators."""
    model = _good(onnx, helper)
    model.functions.append(_function(helper, "", "Sigmoid"))
    return model


def _function(helper: Any, domain: str, name: str) -> Any:
    inner = helper.make_node("Identity", ["taken"], ["given"])
    versions = [helper.make_opsetid("", 17)]
    return helper.make_function(domain, name, ["taken"], ["given"], [inner], versions)


def _other_channels(onnx: Any, helper: Any) -> Any:
    nodes = [helper.make_node("Concat", ["image", "image"], ["probabilities"], axis=3)]
    return _model(onnx, nodes)


def _large(onnx: Any, helper: Any) -> Any:
    """Make 16 GiB of zeros on the way."""
    sides = helper.make_tensor("sides", onnx.TensorProto.INT64, [2], [2**16, 2**16])
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["zeros"]),
        helper.make_node("NonZero", ["zeros"], ["places"]),
        helper.make_node("ReduceMax", ["zeros"], ["least"], keepdims=0),
        helper.make_node("Add", ["image", "least"], ["probabilities"]),
    ]
    return _model(onnx, nodes, weights=[sides])


def _endless(onnx: Any, helper: Any) -> Any:
    """Add up to 2^60 times."""
    number, integer, truth = (
        onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL
    )  # fmt: skip
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes"]),
            helper.make_node("Sigmoid", ["before"], ["after"]),
        ],
        "body",
        [info("count", integer, []), info("going", truth, []), info("before", number, None)],
        [info("goes", truth, []), info("after", number, None)],
    )
    nodes = [helper.make_node("Loop", ["times", "", "image"], ["probabilities"], body=body)]
    times = helper.make_tensor("times", integer, [], [2**60])
    return _model(onnx, nodes, weights=[times])


def _garbage(name: str, runtime: str) -> Make:
    def make(folder: Path) -> None:
        (folder / MODEL).unlink()
        (folder / name).write_bytes(b"no model at all, and longer than any magic number" * 9)
        seal(folder, **_as(name, runtime))

    return make


_GRAPH = """<?xml version="1.0"?>{before}
<net name="network" version="11">
  <layers>
    <layer id="0" name="image" type="Parameter" version="opset1">
      <data shape="1,8,8,1" element_type="f32"/>
      <output><port id="0" precision="FP32"><dim>1</dim><dim>8</dim><dim>8</dim><dim>1</dim></port></output>
    </layer>
    <layer id="1" name="weight" type="Const" version="opset1">
      <data element_type="f32" shape="1" offset="{offset}" size="4"/>
      <output><port id="0" precision="FP32"><dim>1</dim></port></output>
    </layer>
  </layers>
  <edges/>
</net>
"""


def _openvino(before: str = "", offset: str = "0", *, weights: bool = True) -> Make:
    def make(folder: Path) -> None:
        (folder / MODEL).unlink()
        (folder / "model.xml").write_text(_GRAPH.format(before=before, offset=offset))
        if weights:
            (folder / "model.bin").write_bytes(bytes(4))
        seal(folder, **_as("model.xml", "openvino"))

    return make


def _weights_off_the_card(folder: Path) -> None:
    _openvino(weights=False)(folder)
    # Hidden files are passed over; this one would be read all the same.
    (folder / "model.bin").write_bytes(bytes(4))


def _program(folder: Path) -> None:
    (folder / MODEL).unlink()
    (folder / "savedmodel").mkdir()
    (folder / "savedmodel" / "saved_model.pb").write_bytes(b"")
    seal(folder, **_as("savedmodel/saved_model.pb", "savedmodel"))


def _onnx_for_openvino(folder: Path) -> None:
    _garbage("model.onnx", "openvino")(folder)


_ENTITIES = '<!DOCTYPE net [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
PROBES = {
    "an ONNX model that only computes": Probe(_onnx(_good), None, _ONNX),
    "tensors in a file of the system": Probe(
        _onnx(_external("/etc/passwd")), "another file", _ONNX
    ),
    "tensors in a file above": Probe(_onnx(_external("../../secret")), "another file", _ONNX),
    "tensors in another file, deep inside": Probe(_onnx(_external_inside), "another file", _ONNX),
    "an operator of its own": Probe(_onnx(_own_operator), "the operator own.Run", _ONNX),
    "an operator of compiled code": Probe(_onnx(_compiled), "EPContext", _ONNX),
    "a function in place of compiled code": Probe(_onnx(_compiled_function), "EPContext", _ONNX),
    "a function in place of an operator": Probe(
        _onnx(_own_function), "an operator .Sigmoid of its own", _ONNX
    ),
    "ONNX of other channels": Probe(_onnx(_other_channels), "its card says", _ONNX),
    "16 GiB on the way": Probe(
        _onnx(_large), "cannot open|cannot predict with this model|within|ended", _ONNX
    ),
    "a loop without an end": Probe(_onnx(_endless), "within", _ONNX),
    "no ONNX": Probe(_garbage("model.onnx", "onnx"), "does not run", _ONNX),
    "ONNX for OpenVINO": Probe(_onnx_for_openvino, "whose files end in .xml"),
    "a document type": Probe(_openvino(_ENTITIES), "a document type"),
    "a constant beyond the weights": Probe(_openvino(offset="4"), "is beyond"),
    "a constant before the weights": Probe(_openvino(offset="-4"), "no place"),
    "weights that no card names": Probe(_weights_off_the_card, "model.bin"),
    "no graph": Probe(_garbage("model.xml", "openvino"), "model.bin"),
    "no LiteRT": Probe(_garbage("model.tflite", "litert"), "cannot open", ("ai_edge_litert",)),
    "a program": Probe(_program, "is a program from elsewhere"),
}
