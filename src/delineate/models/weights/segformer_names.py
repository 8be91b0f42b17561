"""How the layers of a Mix Transformer are named by SegFormer's authors and by Hugging Face.

One Keras layer may have the tensors of several PyTorch modules: an attention has four.
"""

import re
from collections.abc import Collection, Mapping

import numpy as np

_LAYER = re.compile(r"stage(\d)(?:_block(\d+))?_(\w+)")
# By what a layer does in Keras; {s} and {n} are the numbers of stage and block, from 0.
_OF_AUTHORS = {
    "embed": ("patch_embed{s1}.proj",),
    "normalise": ("patch_embed{s1}.norm",),
    "out": ("norm{s1}",),
    "normalise1": ("block{s1}.{n}.norm1",),
    "reduce": ("block{s1}.{n}.attn.sr",),
    "reduce_normalise": ("block{s1}.{n}.attn.norm",),
    "attend": tuple(f"block{{s1}}.{{n}}.attn.{part}" for part in ("q", "k", "v", "proj")),
    "normalise2": ("block{s1}.{n}.norm2",),
    "widen": ("block{s1}.{n}.mlp.fc1",),
    "mix": ("block{s1}.{n}.mlp.dwconv.dwconv",),
    "narrow": ("block{s1}.{n}.mlp.fc2",),
}
_BLOCK = "encoder.block.{s}.{n}."
_ATTENTION = f"{_BLOCK}attention."
_OF_HUGGING_FACE = {
    "embed": ("encoder.patch_embeddings.{s}.proj",),
    "normalise": ("encoder.patch_embeddings.{s}.layer_norm",),
    "out": ("encoder.layer_norm.{s}",),
    "normalise1": (f"{_BLOCK}layer_norm_1",),
    "reduce": (f"{_ATTENTION}self.sr",),
    "reduce_normalise": (f"{_ATTENTION}self.layer_norm",),
    "attend": (
        *(f"{_ATTENTION}self.{part}" for part in ("query", "key", "value")),
        f"{_ATTENTION}output.dense",
    ),
    "normalise2": (f"{_BLOCK}layer_norm_2",),
    "widen": (f"{_BLOCK}mlp.dense1",),
    "mix": (f"{_BLOCK}mlp.dwconv.dwconv",),
    "narrow": (f"{_BLOCK}mlp.dense2",),
}
# What a whole network puts before the names of its encoder.
_ABOVE = re.compile(r"(segformer|backbone|encoder(?=\.(patch_embed\d|block\d|norm\d)\.))\.")
_BOTH = re.compile(r"(.*\.attn\.)kv(\.\w+)")


def segformer_state(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors without what stands before the encoder's names, keys apart from values."""
    found: dict[str, np.ndarray] = {}
    for name, value in state.items():
        short = _ABOVE.sub("", name, count=1) if _ABOVE.match(name) else name
        both = _BOTH.fullmatch(short)
        if both and value.ndim and len(value) % 2 == 0:
            for part, half in zip("kv", np.split(value, 2), strict=True):
                found[f"{both[1]}{part}{both[2]}"] = half
        else:
            found[short] = value
    return found


def segformer_modules(
    layers: Collection[str], state: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the modules of each layer of a Mix Transformer.

    Args:
        layers: The names of the Keras layers with weights.
        state: The names of the tensors, as :func:`segformer_state` returns them.
    """
    of_authors = any(name.startswith("patch_embed1.") for name in state)
    table = _OF_AUTHORS if of_authors else _OF_HUGGING_FACE
    modules = {}
    for layer in layers:
        if found := _LAYER.fullmatch(layer):
            stage, block, part = int(found[1]) - 1, int(found[2] or 1) - 1, found[3]
            modules[layer] = tuple(
                name.format(s=stage, s1=stage + 1, n=block) for name in table[part]
            )
    return modules
