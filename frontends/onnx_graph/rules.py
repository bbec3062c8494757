"""Every rule of this frontend in one table, and what is known to be out of reach."""

from __future__ import annotations

from collections.abc import Mapping

from spikec.frontends.onnx_graph import (
    rules_activation,
    rules_affine,
    rules_math,
    rules_norm,
    rules_pool,
    rules_reduce,
    rules_resize,
    rules_shape,
)
from spikec.frontends.onnx_graph.rule import Rules

RULES: Mapping[str, Rules] = {
    **rules_activation.RULES,
    **rules_affine.RULES,
    **rules_math.RULES,
    **rules_norm.RULES,
    **rules_pool.RULES,
    **rules_reduce.RULES,
    **rules_resize.RULES,
    **rules_shape.RULES,
}
"""Op type of the standard domain -> rules by opset."""

BODIES = (
    "Attention",
    "CenterCropPad",
    "MeanVarianceNormalization",
    "RotaryEmbedding",
    "Shrink",
    "SwiGLU",
)
"""Ops that are imported through the function body of the ONNX standard."""

FOLDED = ("Constant", "GatherElements", "IsInf", "ScatterElements", "ScatterND")
"""Ops that are computed while importing, where their operands are constant."""

_CONSTANT = "it is supported on constants only, and its operands depend on data"
_LOOP = "a loop has no place in a graph without cycles"
_RECURRENT = "recurrent layers are not supported"
_RANDOM = "random numbers are not supported"
_SEQUENCE = "sequences and optional values are not supported"

UNSUPPORTED: Mapping[str, tuple[str, str]] = {
    "GatherElements": (_CONSTANT, "use Gather with constant indices"),
    "GRU": (_RECURRENT, "unroll the layer, or write it with MatMul, Sigmoid and Tanh"),
    "LSTM": (_RECURRENT, "unroll the layer, or write it with MatMul, Sigmoid and Tanh"),
    "Loop": (_LOOP, "unroll the loop before the export"),
    "NonMaxSuppression": ("the size of its result depends on data", "cut the model before it"),
    "Optional": (_SEQUENCE, ""),
    "OptionalGetElement": (_SEQUENCE, ""),
    "RNN": (_RECURRENT, "unroll the layer, or write it with MatMul and Tanh"),
    "RandomNormal": (_RANDOM, "export the model in evaluation mode"),
    "RandomNormalLike": (_RANDOM, "export the model in evaluation mode"),
    "RandomUniform": (_RANDOM, "export the model in evaluation mode"),
    "RandomUniformLike": (_RANDOM, "export the model in evaluation mode"),
    "ScatterElements": (_CONSTANT, "use Where with a constant mask"),
    "ScatterND": (_CONSTANT, "use Where with a constant mask, or Concat"),
    "IsInf": (_CONSTANT, "compare with a large number"),
    "Scan": (_LOOP, "unroll the loop before the export"),
    "SequenceAt": (_SEQUENCE, ""),
    "SequenceConstruct": (_SEQUENCE, ""),
}
"""Op type -> reason and remedy."""

CLAIMED: tuple[str, ...] = tuple(sorted({*RULES, *BODIES, *FOLDED}))
"""Every op type that a model may hold (each within what its rule says)."""
