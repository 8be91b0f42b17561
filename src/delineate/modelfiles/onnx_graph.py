"""ONNX models from elsewhere: one file each, and operators that compute."""

from typing import Any

from delineate.errors import BundleError

# Operators of Microsoft's domain are what float16 and int8 exports are made of, this one aside: it
# names a file of compiled code, or holds it.
_DOMAINS, _COMPILED = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft"), "EPContext"
_EXTERNAL = 1


def refuse_references(model: Any, name: str) -> None:
    """Refuse a model that names other files, or operators from elsewhere, anywhere in it.

    Args:
        model: The package onnx's ``ModelProto``; its external data has not been loaded.
        name: What the file is called in errors.

    Raises:
        BundleError: It does.
    """
    functions = {(each.domain, each.name) for each in model.functions}
    waiting = [model]
    while waiting:
        message = waiting.pop()
        reason = _fault(message, functions)
        if reason:
            raise BundleError(
                f"{name} is not opened: {reason}.",
                hint="Ask whoever made it for one file of standard operators.",
            )
        for _, value in message.ListFields():
            # One message, several of them, or plain values.
            if hasattr(value, "ListFields"):
                waiting.append(value)
            elif hasattr(value, "add"):
                waiting.extend(value)


def _fault(message: Any, functions: set[tuple[str, str]]) -> str:
    kind = message.DESCRIPTOR.name
    if kind == "TensorProto" and (message.external_data or message.data_location == _EXTERNAL):
        return f"its tensor '{message.name[:100]}' is in another file"
    if kind == "FunctionProto" and message.domain in _DOMAINS:
        return f"it has an operator {message.domain[:100]}.{message.name[:100]} of its own"
    if kind != "NodeProto":
        return ""
    # By its name alone, whatever a function of that name would be.
    is_compiled = message.op_type == _COMPILED
    known = message.domain in _DOMAINS or (message.domain, message.op_type) in functions
    if is_compiled or not known:
        return f"it has the operator {message.domain[:100]}.{message.op_type[:100]}"
    return ""
