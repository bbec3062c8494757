"""A list of ONNX nodes under construction: of a model's graph, or of a function's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 20
"""ONNX 1.15, IR version 9: what onnxruntime runs from 1.17 on"""
IR_VERSION = 9
DOMAIN = "spikec"
"""of the functions: each neuron is one, written in standard operators"""
SHARED = 64
"""elements from which a constant that stands twice is stored once"""


class Scope:
    """Nodes, constants and the names that are taken; a call adds one node.

    A function's body has no initializers: ``stored`` is false there, and constants are nodes.
    """

    def __init__(self, prefix: str = "", *, stored: bool = True) -> None:
        self.prefix = prefix
        self.stored = stored
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._taken: set[str] = set()

    def __call__(
        self, op: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any
    ) -> str:
        """Add a node with one result; give the result's name."""
        return self.several(op, *inputs, results=1, domain=domain, name=name, **attributes)[0]

    def several(
        self,
        op: str,
        *inputs: str,
        results: int,
        domain: str = "",
        name: str = "",
        **attributes: Any,
    ) -> tuple[str, ...]:
        """Add a node with several results."""
        outputs = tuple(self.fresh(name or op.lower()) for _ in range(results))
        node = helper.make_node(
            op, list(inputs), list(outputs), name=f"{outputs[0]}.node", domain=domain, **attributes
        )
        self.nodes.append(node)
        return outputs

    def fresh(self, name: str) -> str:
        """Give a name that nothing has."""
        wanted, count = f"{self.prefix}{name}", 1
        while wanted in self._taken:
            count += 1
            wanted = f"{self.prefix}{name}_{count}"
        self._taken.add(wanted)
        return wanted

    def constant(self, array: NDArray[Any], name: str = "constant") -> str:
        """Give the name of a constant; equal ones are stored once."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = self._store(array, self.fresh(name))
        return self._known[key]

    def _store(self, array: NDArray[Any], name: str) -> str:
        tensor = numpy_helper.from_array(array, name)
        if self.stored:
            self.initializers.append(tensor)
        else:
            node = helper.make_node("Constant", [], [name], name=f"{name}.node", value=tensor)
            self.nodes.append(node)
        return name

    def ints(self, *numbers: int) -> str:
        """Give a constant list of integers: axes, shapes, repeats."""
        return self.constant(np.asarray(numbers, np.int64), "ints")

    def rename(self, start: int, names: Mapping[str, str]) -> None:
        """Rename results of the nodes from number ``start`` on, wherever they are read."""
        for node in self.nodes[start:]:
            for field in (node.input, node.output):
                for i, name in enumerate(field):
                    field[i] = names.get(name, name)


def element_type(dtype: np.dtype[Any]) -> int:
    """Give ONNX's number of a NumPy element type."""
    return int(helper.np_dtype_to_tensor_dtype(dtype))
