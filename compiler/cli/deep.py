"""``spikec doctor --deep``: import the heavy libraries and let each compute something."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One library at work."""

    name: str
    seconds: float
    error: str
    """empty where it works"""


def run_all() -> tuple[Check, ...]:
    """Run every check; a library that fails does not keep the next from being tried."""
    return tuple(_check(name, work) for name, work in _WORK.items())


def _check(name: str, work: Callable[[], None]) -> Check:
    start = time.perf_counter()
    error = ""
    try:
        work()
    except Exception as caught:  # whatever a broken installation raises
        error = f"{type(caught).__name__}: {caught}"
    return Check(name, round(time.perf_counter() - start, 3), error)


def _torch() -> None:
    import torch

    total = float((torch.eye(3) @ torch.ones(3, 1)).sum())
    _expect(total, 3.0)


def _onnx() -> None:
    import onnx

    onnx.checker.check_model(_identity_model())


def _onnxruntime() -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(_identity_model(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": np.full(3, 2.0, np.float32)})
    _expect(float(np.asarray(result).sum()), 6.0)


def _runtime() -> None:
    import numpy as np

    from spikec.ir import B, Editor, Graph, TensorType
    from spikec.ir.ops.activation import ReLU
    from spikec.runtime import run

    edit = Editor(Graph("doctor"), by="doctor")
    edit.output("y", edit.add(ReLU(), edit.input("x", TensorType((B, 2)))))
    _expect(float(np.asarray(run(edit.graph, np.array([[-1.0, 2.0]], np.float32))).sum()), 2.0)


def _identity_model() -> bytes:
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("x", "y")]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "doctor", ports[:1], ports[1:])
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def _expect(found: float, right: float) -> None:
    if found != right:
        raise ArithmeticError(f"computed {found}, not {right}")


_WORK: dict[str, Callable[[], None]] = {
    "torch": _torch,
    "onnx": _onnx,
    "onnxruntime": _onnxruntime,
    "reference runtime": _runtime,
}
