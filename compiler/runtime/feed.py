"""What the caller gives a run: checked arrays, and what B and T stand for."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.errors import DataError, Problem, UsageError
from spikec.ir.dims import Dim, Sizes, SymbolicDim, has_batch, has_time
from spikec.ir.graph import Graph, Node
from spikec.ir.op import Timing
from spikec.ir.types import DType, TensorType

Numbers = NDArray[Any]
DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
"""What floating numbers of a run can be."""


@dataclass(frozen=True)
class Feed:
    """Arrays by input name, sizes, and the element type of all floating numbers."""

    arrays: Mapping[str, Numbers]
    sizes: Sizes
    dtype: np.dtype[Any]

    def element_type(self, declared: DType) -> np.dtype[Any]:
        """Give the NumPy element type that a declared one has in this run."""
        return self.dtype if declared.is_float else np.dtype(declared.numpy)


def bind_inputs(graph: Graph, x: object, steps: int | None, dtype: str) -> Feed:
    """Check everything that the caller gave; all that is wrong stands in one error."""
    if dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}", expected=" or ".join(DTYPES))
    given = _by_name(graph, x)
    problems: list[Problem] = []
    arrays: dict[str, Numbers] = {}
    for node in graph.inputs:
        declared = node.outputs[0].type
        where = f"input {node.name!r}, {declared}"
        outcome = _numbers(given[node.name], declared, DTYPES[dtype], where)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            arrays[node.name] = outcome
    known = _Binding(graph, problems)
    if steps is not None:
        known.give_steps(steps)
    for name, array in arrays.items():
        known.read(graph[name], array.shape)
    sizes = known.solve()
    if problems:
        raise DataError(f"the data do not fit graph {graph.name!r}", problems=problems)
    return Feed(arrays, sizes, DTYPES[dtype])


def held(graph: Graph, x: Mapping[str, Numbers], steps: int) -> dict[str, Numbers]:
    """Show still samples at every step, where a graph reads frames over time."""
    found = dict(x)
    for node in graph.inputs:
        declared, array = node.outputs[0].type, x[node.name]
        if declared.time_axis is not None and array.ndim == declared.rank - 1:
            axis = declared.time_axis % declared.rank
            found[node.name] = np.repeat(np.expand_dims(array, axis), steps, axis)
    return found


def shown(graph: Graph, x: Mapping[str, Numbers], steps: int) -> dict[str, Numbers]:
    """Give samples of a data set as a graph reads them.

    Recordings, [samples, steps, ...], get their steps in front; still samples stand still.
    """
    found = held(graph, x, steps)
    for node in _recordings(graph, x):
        declared = node.outputs[0].type
        moved = np.moveaxis(x[node.name], 0, declared.rank + (declared.batch_axis or 0))
        length = moved.shape[declared.time_axis or 0]
        if length != steps:
            raise DataError(
                f"recordings of {length} steps",
                where=f"input {node.name!r}",
                expected=f"{steps} steps: [samples, {steps}, ...]",
            )
        found[node.name] = moved
    return found


def recorded(graph: Graph, x: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Give what a graph reads as samples of a data set: the other way round."""
    found = dict(x)
    for node in _recordings(graph, x):
        declared = node.outputs[0].type
        found[node.name] = np.moveaxis(x[node.name], declared.batch_axis or 0, 0)
    return found


def _recordings(graph: Graph, x: Mapping[str, Numbers]) -> list[Node]:
    """Give the inputs that have axes of their own for steps and samples, in the arrays too."""
    types = ((node, node.outputs[0].type) for node in graph.inputs)
    return [
        node
        for node, declared in types
        if declared.batch_axis is not None
        and declared.time_axis not in (None, declared.batch_axis)
        and x[node.name].ndim == declared.rank
    ]


def told_steps(graph: Graph, steps: int) -> int | None:
    """Give the steps that a run is told: none where nothing takes time, or inputs say how many."""
    timed = any(not value.type.is_static for node in graph for value in node.outputs)
    bound = any(not node.outputs[0].type.is_static for node in graph.inputs)
    return steps if timed and not bound else None


def _by_name(graph: Graph, x: object) -> dict[str, object]:
    """Give each input its array."""
    names = [node.name for node in graph.inputs]
    expected = f"{len(names)} inputs: {', '.join(names)}" if names else "no inputs"
    remedy = "give one array, a tuple in this order, or a dict by these names"
    if isinstance(x, Mapping):
        missing, extra = [n for n in names if n not in x], [str(n) for n in x if n not in names]
        if missing or extra:
            what = [f"no array for {', '.join(missing)}"] if missing else []
            what += [f"no input is called {', '.join(extra)}"] if extra else []
            raise DataError("; ".join(what), expected=expected, remedy=remedy)
        return {name: x[name] for name in names}
    arrays = x if isinstance(x, tuple) else (x,)
    if len(arrays) != len(names):
        count = "1 array" if len(arrays) == 1 else f"{len(arrays)} arrays"
        raise DataError(f"{count} for graph {graph.name!r}", expected=expected, remedy=remedy)
    return dict(zip(names, arrays, strict=True))


def _numbers(
    given: object, declared: TensorType, dtype: np.dtype[Any], where: str
) -> Numbers | Problem:
    """Read an array as the declared element type, or say why not."""
    array = _array(given)
    if isinstance(array, str):
        return Problem(array, where, "an array of numbers")
    if declared.dtype.is_float:
        return _as_float(array, dtype, where)
    return _as_integer(array, declared.dtype, where)


def _array(given: object) -> Numbers | str:
    """Read whatever NumPy can read; a string says why it cannot."""
    if hasattr(given, "detach") and hasattr(given, "cpu"):  # a torch tensor, perhaps with gradient
        given = given.detach().cpu()
    try:
        array: Numbers = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"{type(given).__name__} is not readable as an array ({error})"
    if array.dtype.kind not in "biuf":
        return f"elements are {array.dtype}, not numbers"
    return array


def _as_float(array: Numbers, dtype: np.dtype[Any], where: str) -> Numbers | Problem:
    """Cast to floating point; integers only where no digit is lost."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = int(array.size - np.isfinite(array).sum())
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        what = f"{count} of {array.size} numbers are NaN or infinite, the first at {list(index)}"
        return Problem(what, where, "finite numbers")
    with np.errstate(over="ignore"):
        cast: Numbers = array.astype(dtype, copy=False)
    if array.dtype.kind in "iu" and not _same_integers(cast, array):
        return Problem(
            f"{array.dtype} numbers are too large for {dtype}",
            where,
            f"magnitudes up to {2 ** (np.finfo(dtype).nmant + 1)}",
            "scale the data, or run with dtype='float64'",
        )
    if cast is not array and not np.isfinite(cast).all():
        return Problem(f"numbers overflow {dtype}", where, "", "run with dtype='float64'")
    return cast


def _same_integers(cast: Numbers, array: Numbers) -> bool:
    limit = 2 ** (np.finfo(cast.dtype).nmant + 1)
    return array.size == 0 or (int(array.max()) <= limit and int(array.min()) >= -limit)


def _as_integer(array: Numbers, declared: DType, where: str) -> Numbers | Problem:
    """Cast among integers where every number fits; nothing else becomes an integer."""
    target = np.dtype(declared.numpy)
    fitting = "b" if target.kind == "b" else "biu"
    if array.dtype.kind not in fitting:
        remedy = f"convert the array with .astype({str(target)!r}) if that is what you mean"
        return Problem(f"elements are {array.dtype}", where, str(target), remedy)
    if target.kind != "b" and array.size:
        least, most = int(array.min()), int(array.max())
        info: Any = np.iinfo(target.name)
        if least < info.min or most > info.max:
            return Problem(f"numbers from {least} to {most}", where, f"{info.min}..{info.max}")
    result: Numbers = array.astype(target, copy=False)
    return result


class _Binding:
    """Finds B and T from shapes, axis by axis."""

    def __init__(self, graph: Graph, problems: list[Problem]) -> None:
        self.graph = graph
        self.problems = problems
        self.known: dict[str, tuple[int, str]] = {}
        """symbol -> value, and where it was first seen"""
        self.later: list[tuple[SymbolicDim, int, str, str]] = []
        dims = [d for n in graph for value in n.outputs for d in value.type.dims]
        self.batched = any(map(has_batch, dims))
        self.timed = any(map(has_time, dims)) or any(n.timing is Timing.SCAN for n in graph)
        rates = (v.type.rate.denominator for n in graph for v in n.outputs)
        self.divisor = math.lcm(1, *rates)

    def give_steps(self, steps: int) -> None:
        """Take the number of steps that the caller gave."""
        try:
            count = operator.index(steps)
        except TypeError:
            count = 0
        if count < 1 or isinstance(steps, bool):
            raise UsageError(f"steps = {steps!r}", expected="a whole number, 1 or more")
        if not self.timed:
            remedy = "leave steps out"
            raise UsageError(f"graph {self.graph.name!r} has no time steps", remedy=remedy)
        self.known["T"] = (count, "the option steps")

    def read(self, node: Node, shape: tuple[int, ...]) -> None:
        """Compare one input's shape with its declared sizes."""
        declared = node.outputs[0].type
        where = f"input {node.name!r}, {declared}"
        if len(shape) != declared.rank:
            what = f"shape {list(shape)} has {len(shape)} axes"
            self.problems.append(Problem(what, where, f"{declared.rank} axes"))
            return
        for axis, (dim, size) in enumerate(zip(declared.dims, shape, strict=True)):
            what = f"axis {axis} of shape {list(shape)} has size {size}"
            if isinstance(dim, SymbolicDim):
                self._symbol(dim, size, what, where)
            elif size != dim:
                self.problems.append(Problem(what, where, f"size {dim}"))

    def _symbol(self, dim: SymbolicDim, size: int, what: str, where: str) -> None:
        if size == 0:
            self.problems.append(Problem(f"{what}: the data are empty", where, f"{dim} >= 1"))
        elif dim.batch + dim.time == 1:
            self._learn("B" if dim.batch else "T", dim, size, (what, where))
        else:
            self.later.append((dim, size, what, where))

    def _learn(self, symbol: str, dim: Dim, size: int, seen: tuple[str, str]) -> None:
        """Solve ``dim == size`` for one symbol, all others being known."""
        what, where = seen
        rest = Sizes(
            1 if symbol == "B" else self.known["B"][0] if "B" in self.known else 1,
            1 if symbol == "T" else self.known["T"][0] if "T" in self.known else 1,
        )
        assert isinstance(dim, SymbolicDim)
        unit = dim.coefficient * rest.batch**dim.batch * rest.steps**dim.time
        value = size / unit
        if value.denominator != 1:
            self.problems.append(Problem(what, where, f"a multiple of {unit} ({dim})"))
            return
        first, origin = self.known.setdefault(symbol, (value.numerator, f"{what} of {where}"))
        if first != value:
            expected = f"{symbol} = {first}, as in {origin}"
            self.problems.append(Problem(f"{what}: {symbol} = {value}", where, expected))

    def solve(self) -> Sizes:
        """Use the axes that hold both symbols, then say what is still missing."""
        for dim, size, what, where in self.later:
            symbol = "T" if "B" in self.known else "B"
            if symbol == "B" and "T" not in self.known:
                remedy = "give steps=…"
                self.problems.append(Problem(f"{what}: {dim} has two unknowns", where, "", remedy))
            else:
                self._learn(symbol, dim, size, (what, where))
        if not self.problems:
            self._complete()
        steps = self.known["T"][0] if "T" in self.known else 1
        batch = self.known["B"][0] if "B" in self.known else 1
        return Sizes(batch, steps)

    def _complete(self) -> None:
        if self.timed and "T" not in self.known:
            what, remedy = "the number of time steps is not known", "give steps=…"
            self.problems.append(Problem(what, f"graph {self.graph.name!r}", "", remedy))
        if self.batched and "B" not in self.known:
            what = "the batch size is not known: no input holds B"
            self.problems.append(Problem(what, f"graph {self.graph.name!r}"))
        steps = self.known.get("T", (self.divisor, ""))[0]
        if steps % self.divisor:
            expected = f"a multiple of {self.divisor}, for values of lower rate"
            self.problems.append(Problem(f"{steps} time steps", "", expected))
