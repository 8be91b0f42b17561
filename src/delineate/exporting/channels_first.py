"""The end of an OpenVINO model, computed with channels first, as the convolutions before it are."""

from typing import Any

import numpy as np

_TO_LAST = [0, 2, 3, 1]
# Of an enlargement.
_INPUTS = ("image", "sizes", "axes")


def end_channels_first(model: Any) -> bool:
    """Let a model turn its probabilities, and not its logits, to channels last.

    A softmax over the last of several axes takes OpenVINO longer than one over channels that come
    first, and then turning them.

    Args:
        model: OpenVINO's own, which is changed: of one that ends in a change of layout, perhaps an
            enlargement, and a softmax; others stay as they are.

    Returns:
        Whether it was changed.
    """
    from openvino import opset13 as operations

    result = model.get_results()[0]
    softmax = _before(result)
    if not _is(softmax, "Softmax"):
        return False
    enlarged = _before(softmax)
    enlarging = _is(enlarged, "Interpolate") and enlarged.get_input_size() == len(_INPUTS)
    turned = _before(enlarged) if enlarging else enlarged
    if not _is(turned, "Transpose") or _constant(turned, 1) != _TO_LAST:
        return False
    last = softmax.get_attributes()["axis"] in (-1, len(_TO_LAST) - 1)
    if not last or (enlarging and _constant(enlarged, _INPUTS.index("axes")) != [1, 2]):
        return False
    logits = turned.input_value(0)
    if enlarging:
        sizes, about = enlarged.input_value(_INPUTS.index("sizes")), enlarged.get_attributes()
        axes = operations.constant(np.array([2, 3], np.int64))
        logits = operations.interpolate(logits, sizes, axes=axes, **about).output(0)
    found = operations.softmax(logits, 1)
    order = operations.constant(np.array(_TO_LAST, np.int64))
    last_again = operations.transpose(found, order)
    last_again.output(0).set_names(softmax.output(0).get_names())
    result.input(0).replace_source_output(last_again.output(0))
    model.validate_nodes_and_infer_types()
    return True


def _before(node: Any) -> Any:
    return node.input_value(0).get_node()


def _is(node: Any, kind: str) -> bool:
    return bool(node.get_type_name() == kind)


def _constant(node: Any, number: int) -> list[int] | None:
    source = node.input_value(number).get_node()
    return source.get_data().tolist() if _is(source, "Constant") else None
