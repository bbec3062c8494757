"""Inputs of a model: which axis is the batch, and what other symbolic sizes stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from spikec.errors import ModelError, Problem, TypeMismatch, UsageError
from spikec.ir.dims import B, Dim
from spikec.ir.types import DType, TensorType

Axis = int | str
"""A size, or the name of a symbolic one ("" where it has none)."""


class Signature:
    """Turns declared inputs into IR types.

    The batch ``B`` is the symbolic first axis; where no input has one, and a single symbolic size
    occurs on other axes, it is that one.  A first axis of fixed size becomes ``B`` on request only.
    """

    def __init__(
        self,
        infos: Sequence[ValueInfoProto],
        example: Mapping[str, tuple[int, ...]],
        sizes: Mapping[str, int],
        *,
        dynamic_batch: bool,
    ) -> None:
        self._infos = infos
        self._example = example
        self._sizes = sizes
        self._dynamic = dynamic_batch
        self._axes = {info.name: _axes(info) for info in infos}
        self._batch = self._batch_names()

    def types(self, origin: str) -> dict[str, TensorType]:
        """Give a type for every input; all that are impossible stand in one error."""
        problems: list[Problem] = []
        types: dict[str, TensorType] = {}
        for info in self._infos:
            try:
                types[info.name] = self._type(info)
            except (TypeMismatch, ModelError) as error:
                where = f"input {info.name!r}"
                problems.append(Problem(error.what, where, error.expected, error.remedy))
        if problems:
            raise ModelError("the model's inputs cannot be taken", where=origin, problems=problems)
        self._check_sizes()
        return types

    def _batch_names(self) -> set[str]:
        """Names of symbolic sizes that are the batch."""
        first = {axes[0] for axes in self._axes.values() if axes and isinstance(axes[0], str)}
        names = {name for name in first if name not in self._sizes}
        if names or self._dynamic:
            return names
        others = {a for axes in self._axes.values() for a in axes if isinstance(a, str)}
        others -= set(self._sizes)
        return others if len(others) == 1 and "" not in others else set()

    def _type(self, info: ValueInfoProto) -> TensorType:
        kind = info.type.WhichOneof("value")
        if kind != "tensor_type":
            raise ModelError(f"it is a {kind or 'value without a type'}", expected="a tensor")
        tensor = info.type.tensor_type
        if not tensor.HasField("shape"):
            raise ModelError("its shape is not declared", remedy="export the model with shapes")
        axes = self._axes[info.name]
        self._check_example(info.name, axes)
        dims = tuple(self._dim(info.name, place, axis) for place, axis in enumerate(axes))
        return TensorType(dims, _dtype(tensor.elem_type))

    def _dim(self, name: str, place: int, axis: Axis) -> Dim:
        if isinstance(axis, int):
            return B if self._dynamic and place == 0 else axis
        if (place == 0 and axis == "") or (axis and axis in self._batch):
            return B
        if axis in self._sizes:
            return self._sizes[axis]
        shape = self._example.get(name, ())
        if place < len(shape):
            return shape[place]
        label = repr(axis) if axis else "without a name"
        raise ModelError(
            f"the size of axis {place} is symbolic ({label})",
            expected="whole numbers on every axis but the batch",
            remedy=f"give an example input, or sizes={{{axis or 'name'!r}: …}}",
        )

    def _check_example(self, name: str, axes: tuple[Axis, ...]) -> None:
        """Refuse an example that the model could not take."""
        shape = self._example.get(name)
        if shape is None:
            return
        pairs = list(zip(axes, shape, strict=False))[1 if self._dynamic else 0 :]
        if len(shape) != len(axes) or any(isinstance(a, int) and a != n for a, n in pairs):
            raise ModelError(
                f"the example input has shape {list(shape)}",
                expected=f"[{', '.join(str(axis) or '?' for axis in axes)}]",
            )

    def _check_sizes(self) -> None:
        known = {a for axes in self._axes.values() for a in axes if isinstance(a, str)}
        unknown = sorted(set(self._sizes) - known)
        if unknown:
            raise UsageError(
                f"no symbolic size is called {', '.join(unknown)}",
                expected=f"one of {', '.join(sorted(known - {''})) or 'none: all are numbers'}",
            )


def example_shapes(names: Sequence[str], example: Any) -> dict[str, tuple[int, ...]]:
    """Give the shapes of example inputs by name."""
    if example is None:
        return {}
    if isinstance(example, Mapping):
        unknown = sorted(str(key) for key in example if key not in names)
        if unknown:
            raise UsageError(
                f"no input is called {', '.join(unknown)}", expected=f"inputs: {', '.join(names)}"
            )
        return {name: tuple(np.shape(array)) for name, array in example.items()}
    arrays = example if isinstance(example, tuple | list) else (example,)
    if len(arrays) > len(names):
        raise UsageError(
            f"{len(arrays)} example inputs", expected=f"at most {len(names)}: {', '.join(names)}"
        )
    return {name: tuple(np.shape(array)) for name, array in zip(names, arrays, strict=False)}


def _axes(info: ValueInfoProto) -> tuple[Axis, ...]:
    result: list[Axis] = []
    for dim in info.type.tensor_type.shape.dim:
        fixed = dim.HasField("dim_value") and dim.dim_value >= 0
        result.append(dim.dim_value if fixed else dim.dim_param)
    return tuple(result)


def _dtype(code: int) -> DType:
    if code == TensorProto.BFLOAT16:
        return DType.F32
    try:
        return DType.of(np.dtype(helper.tensor_dtype_to_np_dtype(code)))
    except (KeyError, ValueError, TypeMismatch):
        name = TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() else code
        raise ModelError(
            f"its element type {name} is not supported",
            expected="floating point, int8 to int64, uint8 or bool",
        ) from None
