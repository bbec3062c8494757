"""The node test cases of the onnx package, run through the frontend and the reference runtime.

A case gives a model and data.  Its operands stay inputs as far as the frontend allows: all of them,
else the first or the second one, with the others turned into weights; if only constants will do,
all of them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from spikec.errors import SpikecError
from spikec.frontends.onnx_graph import import_model
from spikec.frontends.onnx_graph.reading import OLDEST_OPSET
from spikec.frontends.onnx_graph.rules import CLAIMED
from spikec.ir.verify import verify
from spikec.runtime import run

BFLOAT16_RTOL = 2.0**-6
"""What onnx's own runner allows for results in bfloat16, of which float32 is computed here."""

_UNROUNDED = (
    "the case divides by the unrounded size; onnxruntime, PyTorch and spikec by the rounded one"
)
_FLOAT16 = "the case rounds every step to float16; spikec computes in float32"
DIFFERENT = {
    "test_attention_4d_gqa_with_past_and_present_fp16": _FLOAT16,
    "test_attention_4d_gqa_with_past_and_present_fp16_expanded": _FLOAT16,
    "test_resize_downsample_scales_cubic_align_corners": _UNROUNDED,
    "test_resize_downsample_scales_linear_align_corners": _UNROUNDED,
}
"""Cases whose expected numbers are not ours, and why."""


class Outcome(Enum):
    """How a case ended."""

    EQUAL = "equal"
    REFUSED = "refused"
    """the frontend or the runtime says that it does not support it"""
    FOREIGN = "foreign"
    """the data are sequences, optional values or text"""
    DIFFERENT = "different"


@dataclass(frozen=True)
class Verdict:
    """One case, how it ended, and why."""

    name: str
    op: str
    outcome: Outcome
    reason: str = ""
    inputs: tuple[str, ...] = ()
    """operands that stayed inputs"""


def collect() -> list[Any]:
    """Give the cases whose nodes are all of claimed op types."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases' own NumPy code overflows on purpose
        found = collect_testcases(None)
    cases = {case.name: case for case in found if case.model is not None and _claimed(case.model)}
    return [cases[name] for name in sorted(cases)]


def _claimed(model: ModelProto) -> bool:
    nodes = model.graph.node
    return bool(nodes) and all(n.op_type in CLAIMED and not n.domain for n in nodes)


def op_of(case: Any) -> str:
    """Give the op that a case is about."""
    nodes = case.model.graph.node
    return str(nodes[0].op_type) if len(nodes) == 1 else "several ops"


def judge(case: Any) -> Verdict:
    """Run one case."""
    op = op_of(case)
    model = _raised(case.model)
    names = [info.name for info in model.graph.input]
    data, expected = case.data_sets[0]
    arrays, results = list(map(_array, data)), list(map(_array, expected))
    if any(array is None for array in (*arrays, *results)):
        return Verdict(case.name, op, Outcome.FOREIGN, "sequences, optional values or text")
    given = dict(zip(names, arrays, strict=True))
    refusals: list[str] = []
    for kept in (tuple(names), tuple(names[:1]), tuple(names[1:2]), ()):
        try:
            got = _run(model, given, kept)
        except SpikecError as error:
            refusals.append(_reason(error))
            continue
        rtol = _tolerance(case, model)
        found = _difference(got, results, rtol, case.atol)
        outcome = Outcome.DIFFERENT if found else Outcome.EQUAL
        return Verdict(case.name, op, outcome, found, kept)
    specific = [text for text in refusals if "must be constant" not in text]
    return Verdict(case.name, op, Outcome.REFUSED, (specific or refusals)[0])


def _raised(model: ModelProto) -> ModelProto:
    """Declare the oldest opset that spikec takes, where it means the same for these nodes."""
    raised = ModelProto()
    raised.CopyFrom(model)
    for entry in raised.opset_import:
        if not entry.domain and entry.version < OLDEST_OPSET:
            since = (onnx.defs.get_schema(n.op_type, OLDEST_OPSET) for n in model.graph.node)
            if all(schema.since_version <= entry.version for schema in since):
                entry.version = OLDEST_OPSET
    return raised


def _array(item: Any) -> NDArray[Any] | None:
    """Read an operand or result; None for what is no tensor of numbers."""
    if isinstance(item, TensorProto):
        item = numpy_helper.to_array(item)
    if not isinstance(item, np.ndarray | np.generic):
        return None
    array = np.asarray(item)
    return None if array.dtype.kind in "OUS" else array


def _run(
    model: ModelProto, given: dict[str, NDArray[Any]], kept: Sequence[str]
) -> tuple[NDArray[Any], ...]:
    """Import with some operands as inputs, the others as weights, and run."""
    graph = import_model(_with_weights(model, given, kept))
    if kept:
        verify(graph)
    got = run(graph, tuple(map(_fed, (given[name] for name in kept))))
    return got if isinstance(got, tuple) else (got,)


def _fed(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _with_weights(
    model: ModelProto, given: dict[str, NDArray[Any]], kept: Sequence[str]
) -> ModelProto:
    result = ModelProto()
    result.CopyFrom(model)
    infos = [info for info in model.graph.input if info.name in kept]
    del result.graph.input[:]
    result.graph.input.extend(infos)
    for name, array in given.items():
        if name not in kept:
            result.graph.initializer.append(numpy_helper.from_array(array, name))
    return result


def _tolerance(case: Any, model: ModelProto) -> float:
    types = {output.type.tensor_type.elem_type for output in model.graph.output}
    narrow = TensorProto.BFLOAT16 in types
    return max(float(case.rtol), BFLOAT16_RTOL) if narrow else float(case.rtol)


def _difference(
    got: Sequence[NDArray[Any]], expected: Sequence[Any], rtol: float, atol: float
) -> str:
    """Say how results differ; nothing where they do not."""
    if len(got) != len(expected):
        return f"{len(got)} results instead of {len(expected)}"
    for mine, theirs in zip(got, expected, strict=True):
        if mine.shape != theirs.shape:
            return f"shape {mine.shape} instead of {theirs.shape}"
        a, b = (np.asarray(x).astype(np.float64) for x in (mine, theirs))
        if not np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True):
            with np.errstate(all="ignore"):
                return f"largest difference {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def _reason(error: SpikecError) -> str:
    first = error.problems[0] if error.problems else error
    return " ".join(f"{first.what} {first.where and ''}".split())


def judged() -> Iterator[Verdict]:
    """Run all cases of claimed ops."""
    for case in collect():
        yield judge(case)
