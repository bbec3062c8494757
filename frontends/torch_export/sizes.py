"""Sizes as torch writes them (sympy expressions of batch and steps) -> sizes of the IR."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import sympy
import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

from spikec.errors import Problem, UnsupportedModel
from spikec.frontends.common import Refused
from spikec.ir.dims import Dim, Dims, SymbolicDim

Number = int | float | bool
CLOCK = "spikec_clock"
"""an argument of no use but for its size: the number of steps"""
_MONOMIALS = ((1, 0), (0, 1), (1, 1))
"""powers of batch and steps that a size may have"""


@dataclass(frozen=True)
class Probe:
    """Sizes at which constants and other sizes are computed."""

    batch: int
    steps: int


_PROBES = (Probe(2, 3), Probe(3, 5), Probe(5, 2))


@dataclass(frozen=True)
class Size:
    """A number computed from sizes: its value at each probe."""

    values: tuple[Number, ...]
    probes: tuple[Probe, ...]

    def dim(self) -> Dim:
        """Give it as a size of the IR: a number, or a multiple of the batch, the steps, or both.

        Rounded quotients count as exact ones: the IR refuses, at run time, batches that they do
        not divide.
        """
        if len(set(self.values)) == 1 and isinstance(self.values[0], int):
            return self.values[0]
        for batch, time in _MONOMIALS:
            units = (p.batch**batch * p.steps**time for p in self.probes)
            ratios = {Fraction(v) / unit for v, unit in zip(self.values, units, strict=True)}
            ratio = ratios.pop()
            if not ratios and ratio > 0:
                return SymbolicDim(ratio, batch, time)
        told = ", ".join(f"{v} at {p.batch}" for v, p in zip(self.values, self.probes, strict=True))
        raise Refused(
            f"a size that is {told} samples",
            expected="sizes that are numbers or multiples of the batch",
            remedy="let only whole multiples of the batch size be the size of an axis",
        )


@dataclass(frozen=True)
class Batch:
    """The symbols that stand for batch and steps, and the sizes at which constants are probed."""

    symbols: frozenset[sympy.Symbol]
    times: Mapping[sympy.Symbol, int]
    """symbols of the steps; each counts windows of so many"""
    probes: tuple[Probe, ...]
    found: dict[sympy.Symbol, Number] = field(default_factory=dict)
    """sizes that torch left open and that constants have decided (a mask that is a buffer)"""

    def decide(self, shape: Iterable[object], actual: Iterable[object]) -> None:
        """Take note of sizes that torch left open."""
        for size, number in zip(shape, actual, strict=True):
            if isinstance(size, torch.SymInt) and isinstance(number, int):
                symbol = size.node.expr
                if symbol.is_Symbol and symbol not in self.symbols | self.times.keys():
                    self.found[symbol] = number

    def size(self, value: object) -> Size:
        """Evaluate a size at each probe."""
        if not isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool):
            number = value if isinstance(value, int | float) else int(str(value))
            return Size((number,) * len(self.probes), self.probes)
        expression = sympy.sympify(value.node.expr)
        expression = expression.subs(self.found)
        strange = expression.free_symbols - self.symbols - self.times.keys()
        if strange:
            raise Refused(
                f"a size that depends on the values of a tensor ({expression})",
                remedy="use operations whose result has a size known from the input's size",
            )
        return Size(tuple(self._at(expression, probe) for probe in self.probes), self.probes)

    def _at(self, expression: sympy.Expr, probe: Probe) -> Number:
        known = dict.fromkeys(self.symbols, probe.batch)
        known |= {symbol: probe.steps // window for symbol, window in self.times.items()}
        result = expression.subs(known)
        return bool(result) if result.is_Boolean else _number(result)

    def dims(self, shape: Iterable[object]) -> Dims:
        """Give a shape in sizes of the IR."""
        return tuple(self.size(size).dim() for size in shape)


def batch_of(program: ExportedProgram, time_axis: int | None = None) -> Batch:
    """Find the symbols of the inputs' sizes; they have to be the batch, and the steps.

    The steps are the size of the argument ``CLOCK``, or of the axis ``time_axis`` of every input
    with more than one varying axis; the batch stands on axis 0, or on the one behind that of time.
    """
    symbols: set[sympy.Symbol] = set()
    times: dict[sympy.Symbol, int] = {}
    for node in user_inputs(program):
        for leaf in pytree.tree_leaves(node.meta.get("val")):
            for axis, size in enumerate(getattr(leaf, "shape", ())):
                if isinstance(size, torch.SymInt):
                    found = size.node.expr.free_symbols
                    if node.name == CLOCK or axis == time_axis:
                        window = int(size.node.expr.as_coeff_Mul()[0])
                        times |= dict.fromkeys(found, window)
                        continue
                    if (
                        axis != (0 if time_axis is None else 1)
                        and not found <= symbols | times.keys()
                    ):
                        raise _second_symbol(node, axis)
                    symbols |= found
    step = math.lcm(*(_denominators(program)), *times.values(), 1)
    probes = tuple(Probe(step * probe.batch, step * probe.steps) for probe in _PROBES)
    return Batch(frozenset(symbols), times, probes)


def user_inputs(program: ExportedProgram) -> list[fx.Node]:
    """Give the placeholders of the model's own arguments."""
    kinds = [spec.kind for spec in program.graph_signature.input_specs]
    places = program.graph.find_nodes(op="placeholder")
    pairs = zip(places, kinds, strict=True)
    return [place for place, kind in pairs if kind is InputKind.USER_INPUT]


def _denominators(program: ExportedProgram) -> set[int]:
    """Collect what sizes are divided by, anywhere in the program."""
    found: set[int] = set()
    for node in program.graph.nodes:
        for leaf in pytree.tree_leaves(node.meta.get("val")):
            for size in getattr(leaf, "shape", ()):
                if isinstance(size, torch.SymInt):
                    for call in sympy.sympify(size.node.expr).atoms(sympy.Function, sympy.Rational):
                        found |= {abs(int(a)) for a in call.args[1:] if a.is_Integer and a != 0}
                        found.add(int(call.q) if call.is_Rational else 1)
    return found


def _number(value: sympy.Expr) -> int | float:
    return int(value) if value.is_integer else float(value)


def _second_symbol(node: fx.Node, axis: int) -> UnsupportedModel:
    return UnsupportedModel(
        f"axis {axis} of input {node.name!r} has a size that varies by itself",
        expected="only the batch, axis 0, varies",
        remedy="export with a fixed size on all other axes; time_axis=0 says that steps vary there",
        problems=[Problem(f"{node.name}: {list(map(str, node.meta['val'].shape))}")],
    )
