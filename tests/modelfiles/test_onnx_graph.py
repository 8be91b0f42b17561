"""ONNX models: which operators and functions are refused; the probes have the rest."""

import pytest

from delineate.errors import BundleError
from delineate.modelfiles.onnx_graph import refuse_references

onnx = pytest.importorskip("onnx")


def model_of(*nodes, functions=()):
    """Return a model of nodes, each a domain and an operator, and of functions, each likewise."""
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    image, end = (helper.make_tensor_value_info(name, number, [1]) for name in "ab")
    made = [helper.make_node(kind, ["a"], ["b"], domain=domain) for domain, kind in nodes]
    graph = helper.make_graph(made, "network", [image], [end])
    model = helper.make_model(graph)
    inner = helper.make_node("Identity", ["a"], ["b"])
    versions = [helper.make_opsetid("", 17)]
    for domain, name in functions:
        model.functions.append(helper.make_function(domain, name, ["a"], ["b"], [inner], versions))
    return model


@pytest.mark.parametrize(
    ("nodes", "functions"),
    [
        ([("", "Sigmoid")], []),
        ([("com.microsoft", "FusedConv")], []),
        ([("own", "Run")], [("own", "Run")]),
    ],
)
def test_operators_that_compute_are_let_through(nodes, functions):
    refuse_references(model_of(*nodes, functions=functions), "model.onnx")


@pytest.mark.parametrize(
    ("nodes", "functions", "told"),
    [
        ([("own", "Run")], [], "the operator own.Run"),
        ([("own", "Run")], [("own", "Other")], "the operator own.Run"),
        ([("com.microsoft", "EPContext")], [], "EPContext"),
        ([("own", "EPContext")], [("own", "EPContext")], "EPContext"),
        ([("com.microsoft", "EPContext")], [("com.microsoft", "EPContext")], "EPContext"),
        ([("", "Sigmoid")], [("", "Sigmoid")], "an operator .Sigmoid of its own"),
        ([("", "Sigmoid")], [("ai.onnx", "Relu")], "an operator ai.onnx.Relu of its own"),
        ([("", "Sigmoid")], [("com.microsoft", "Gelu")], "an operator com.microsoft.Gelu of its"),
    ],
)
def test_what_may_be_compiled_code_is_refused_whatever_functions_there_are(nodes, functions, told):
    with pytest.raises(BundleError, match=told) as error:
        refuse_references(model_of(*nodes, functions=functions), "model.onnx")
    assert error.value.hint
