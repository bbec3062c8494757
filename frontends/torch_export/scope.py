"""What a rule works with: known and computed tensors, and how to write nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx

from spikec.frontends.common import Refused
from spikec.frontends.torch_export.sizes import Batch
from spikec.ir import Array, DType, Editor, Location, Op, TensorType, Value, ops
from spikec.ir.dims import Dim, Dims


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that does not depend on the input: one sample, or one per probed batch size."""

    samples: tuple[torch.Tensor, ...]
    dims: Dims

    @staticmethod
    def of(tensor: torch.Tensor) -> Known:
        """Take a tensor that does not depend on the batch size either."""
        return Known((tensor,), tuple(tensor.shape))

    @property
    def tensor(self) -> torch.Tensor:
        """The one sample."""
        if len(self.samples) > 1:
            raise Refused(
                "a constant whose size depends on the batch where a fixed one is needed",
                remedy="compute it from sizes other than the batch",
            )
        return self.samples[0]


Operand = Value | Known
Scalar = int | float | bool


class Scope:
    """The node that is being imported, and the graph that is being written."""

    def __init__(self, edit: Editor, batch: Batch) -> None:
        self.edit = edit
        self.batch = batch
        self._constants: dict[Known, Value] = {}
        self._node: fx.Node | None = None
        self._name = ""
        self._location = Location()

    def enter(self, node: fx.Node, name: str, location: Location) -> None:
        """Turn to another node."""
        self._node, self._name, self._location = node, name, location

    # ---- what torch says of the result -----------------------------------------------------------

    @property
    def result(self) -> Any:
        """Torch's own description of the result (fake tensors without content)."""
        assert self._node is not None  # rules run inside of a node
        return self._node.meta["val"]

    def result_dims(self, index: int | None = None) -> Dims:
        """Give the sizes of the result, or of one of several."""
        return self.batch.dims(self._part(index).shape)

    def result_dtype(self, index: int | None = None) -> torch.dtype:
        """Give the element type of the result, or of one of several."""
        dtype: torch.dtype = self._part(index).dtype
        return dtype

    def _part(self, index: int | None) -> Any:
        return self.result if index is None else self.result[index]

    # ---- operands --------------------------------------------------------------------------------

    def dims(self, x: Operand) -> Dims:
        """Give the sizes of an operand."""
        return x.dims if isinstance(x, Known) else x.type.dims

    def rank(self, x: Operand) -> int:
        """Give the number of axes."""
        return len(self.dims(x))

    def size(self, x: Operand, axis: int) -> int:
        """Give a size that must be a number."""
        dim = self.dims(x)[axis]
        if not isinstance(dim, int):
            raise Refused(
                f"works along axis {axis % self.rank(x)}, whose size {dim} is the {dim.subject}",
                expected="operations that treat every sample and every step alike",
                remedy="keep batch and time on axes of their own; x[-1] is the last step",
            )
        return dim

    def axis(self, axis: int, x: Operand) -> int:
        """Count an axis from the end."""
        rank = max(self.rank(x), 1)
        return axis - rank if axis >= 0 else axis

    def dtype(self, x: Operand) -> torch.dtype:
        """Give the element type of an operand."""
        return x.samples[0].dtype if isinstance(x, Known) else _TORCH[x.type.dtype]

    def array(self, x: Operand | None, what: str = "this operand") -> Array:
        """Give the content of an operand that must be constant."""
        if not isinstance(x, Known):
            raise Refused(
                f"{what} is computed from the input",
                expected="a parameter, a buffer or another constant",
                remedy="fix it when the module is built",
            )
        return Array(to_numpy(x.tensor))

    def optional_array(self, x: Operand | None, what: str = "this operand") -> Array | None:
        """Give the content of a constant operand that may be absent."""
        return None if x is None else self.array(x, what)

    def value(self, x: Operand) -> Value:
        """Give an operand as a value of the graph; constants are written where first used."""
        if isinstance(x, Value):
            return x
        if x not in self._constants:
            base = _base(x)
            constant = ops.Constant(Array(to_numpy(base)))
            value = self.edit.add(
                constant, name=self._part_name("constant"), location=self._location
            )
            if value.type.dims != x.dims:
                value = self.emit(ops.Expand(x.dims), value, part="expand")
            self._constants[x] = value
        return self._constants[x]

    # ---- writing ---------------------------------------------------------------------------------

    def emit(self, op: Op, *operands: Operand, part: str = "") -> Value:
        """Write a node; ``part`` names steps of an operation that becomes several nodes."""
        values = tuple(self.value(x) for x in operands)
        return self.edit.add(op, *values, name=self._part_name(part), location=self._location)

    def emit_all(self, op: Op, *operands: Operand) -> tuple[Value, ...]:
        """Write a node with several results."""
        values = tuple(self.value(x) for x in operands)
        node = self.edit.add_node(op, values, name=self._name, location=self._location)
        return node.outputs

    def cast(self, x: Operand, dtype: torch.dtype) -> Operand:
        """Change the element type, if it is another one."""
        if isinstance(x, Known):
            return Known(tuple(sample.to(dtype) for sample in x.samples), x.dims)
        wanted = dtype_of(dtype)
        return x if x.type.dtype is wanted else self.emit(ops.Cast(wanted), x, part="cast")

    def scalar(self, number: Scalar, dtype: torch.dtype) -> Known:
        """Give a number as a tensor of rank 0."""
        return Known.of(torch.tensor(self.number(number), dtype=dtype))

    def number(self, number: Scalar) -> Scalar:
        """Refuse the batch size where a rule computes with a number."""
        if isinstance(number, int | float):
            return number
        raise Refused(
            f"computes with the {number.subject} ({number})",
            expected="results that are the same for a sample in any batch",
            remedy="divide by a fixed number, or take a mean over other axes",
        )

    def promoted(self, *operands: Operand | Scalar, to: torch.dtype | None = None) -> list[Operand]:
        """Bring operands to one element type, by torch's rules or to a given one."""
        dtype = to or self._standing(operands)
        return [
            self.cast(x, dtype) if isinstance(x, Value | Known) else self.scalar(x, dtype)
            for x in operands
        ]

    def _standing(self, operands: Sequence[Operand | Scalar]) -> torch.dtype:
        """Give the common element type: tensors stand above scalars of the same kind."""
        samples: list[torch.Tensor | Scalar] = [
            torch.empty((1,) * self.rank(x), dtype=self.dtype(x), device="meta")
            if isinstance(x, Value | Known)
            else x
            for x in operands
        ]
        joint, *rest = samples
        for sample in rest:
            joint = torch.empty((1,), dtype=torch.result_type(joint, sample), device="meta")
        if not isinstance(joint, torch.Tensor):
            raise Refused("numbers without a tensor")
        return joint.dtype

    def reshape(self, x: Operand, dims: Sequence[Dim], part: str = "reshape") -> Value:
        """Give the elements of x in other sizes; nothing is written where they are equal."""
        value = self.value(x)
        if value.type.dims == tuple(dims):
            return value
        return self.emit(ops.Reshape(tuple(dims)), value, part=part)

    def permute(self, x: Operand, order: Sequence[int], part: str = "permute") -> Value:
        """Reorder axes, given as torch gives them; nothing is written for the order at hand."""
        rank = self.rank(x)
        axes = tuple(axis % rank - rank for axis in order)
        if axes == tuple(range(-rank, 0)):
            return self.value(x)
        return self.emit(ops.Permute(axes), x, part=part)

    def _part_name(self, part: str) -> str:
        return f"{self._name}.{part}" if part else self._name


def dtype_of(dtype: torch.dtype) -> DType:
    """Give the IR's element type; bfloat16, which NumPy lacks, is held as f32."""
    if dtype is torch.bfloat16:
        return DType.F32
    for mine, theirs in _TORCH.items():
        if theirs is dtype:
            return mine
    raise Refused(
        f"element type {dtype}".replace("torch.", ""),
        expected=f"one of {', '.join(d.value for d in DType)}",
        remedy="convert the model with .float()",
    )


def to_numpy(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Give the content of a tensor; types that NumPy lacks are refused or widened."""
    wide = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
    dtype_of(wide.dtype)
    array: np.ndarray[Any, Any] = wide.detach().cpu().resolve_conj().resolve_neg().numpy()
    return array


def type_of(tensor: torch.Tensor, batch: Batch) -> TensorType:
    """Give the type of a fake tensor."""
    return TensorType(batch.dims(tensor.shape), dtype_of(tensor.dtype))


def _base(x: Known) -> torch.Tensor:
    """Give what repeats along the batch: the samples cut to size 1 wherever B stands."""
    cut = []
    for sample in x.samples:
        for axis, dim in enumerate(x.dims):
            if not isinstance(dim, int):
                first = sample.narrow(axis, 0, 1)
                if not torch.equal(first.expand_as(sample), sample):
                    raise _varies()
                sample = first
        cut.append(sample)
    if not all(torch.equal(cut[0], other) for other in cut[1:]):
        raise _varies()
    return cut[0]


def _varies() -> Refused:
    return Refused(
        "a constant whose values depend on the batch size",
        expected="constants that are equal for every sample",
        remedy="compute it from sizes other than the batch",
    )


_TORCH = {
    DType.F16: torch.float16,
    DType.F32: torch.float32,
    DType.F64: torch.float64,
    DType.I8: torch.int8,
    DType.I16: torch.int16,
    DType.I32: torch.int32,
    DType.I64: torch.int64,
    DType.U8: torch.uint8,
    DType.BOOL: torch.bool,
}
