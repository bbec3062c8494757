"""Gives every activation its quantiser: the thresholds of the neurons to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from spikec.calibrate import (
    RULES,
    Histogram,
    Rule,
    RuleName,
    Share,
    alive_scale,
    blocks,
    check_finite,
    chosen,
    counts_of,
    observe,
    ranges_of,
    rows_of,
)
from spikec.errors import Problem, UnsupportedModel, UsageError
from spikec.ir import Array, Editor, Graph, Node, Value, ops
from spikec.pipeline import Approximately, Context, Inputs, Pass, Promise, check_option
from spikec.pipeline.channels import channel_axis
from spikec.pipeline.known import Known
from spikec.pipeline.normal import ONE, Normal, spread
from spikec.pipeline.roles import is_activation

MOST_LEVELS = 2**24
"""up to which float32 counts one by one"""
MOST_ITERATIONS = 10**6
Numbers = NDArray[Any]
Vector = NDArray[np.float64]


class Source(Enum):
    """Where the statistics come from."""

    DATA = "data"
    """calibration samples"""
    BATCHNORM = "batchnorm"
    """mean and deviation that the BatchNorm layers were trained to give: no data"""


def levels_at(text: str) -> dict[str, int]:
    """Read ``NAME:LEVELS+NAME:LEVELS``.

    >>> levels_at("relu_3:7+relu_5:3")
    {'relu_3': 7, 'relu_5': 3}
    """
    found: dict[str, int] = {}
    for item in filter(None, text.split("+")):
        name, colon, levels = item.rpartition(":")
        if not colon or not levels.isdecimal():
            raise UsageError(f"levels {item!r}", expected="NAME:LEVELS, joined by +")
        found[name] = int(levels)
    return found


def _check_names(others: Mapping[str, int], sites: Sequence[Node]) -> None:
    known = [node.name for node in sites]
    unknown = [name for name in others if name not in known]
    if unknown:
        raise UsageError(
            f"no activation is called {', '.join(unknown)}", expected=f"some of {', '.join(known)}"
        )


@dataclass(frozen=True)
class Thresholds(Pass):
    """ReLU(z), Clip(z; 0, h)  ->  QuantReLU(z; step s = θ/N, N levels), θ by ``rule``, θ <= h.

    ``levels`` is N for the whole run: levels per step times steps.

    ``source=batchnorm`` takes z as normal, with mean and deviation from the BatchNorm that
    fold-batchnorm has folded, in the same pipeline; behind sums as in ``pipeline.normal``.
    """

    levels: int
    rule: RuleName = RuleName.MSE
    p: float = 99.9
    """percentile, for rule=percentile"""
    iterations: int = 1000
    """for rule=ltb"""
    per: Share = Share.CHANNEL
    source: Source = Source.DATA
    samples: int = 0
    """calibration samples used; 0: all of them"""
    at: str = ""
    """other levels of some activations: ``relu_3:7+relu_5:3``"""

    name: ClassVar[str] = "thresholds"
    promise: ClassVar[Promise] = Approximately("activations are clipped and rounded to levels")

    def __post_init__(self) -> None:
        check_option(f"{self.name}.levels", self.levels, 1, MOST_LEVELS)
        check_option(f"{self.name}.p", self.p, 0, 100)
        check_option(f"{self.name}.iterations", self.iterations, 1, MOST_ITERATIONS)
        check_option(f"{self.name}.samples", self.samples, 0, 10**9)
        for name, levels in levels_at(self.at).items():
            check_option(f"{self.name}.at, {name}", levels, 1, MOST_LEVELS)

    def apply(self, edit: Editor, context: Context) -> None:
        sites = [node for node in edit.graph if is_activation(node)]
        if not sites:
            return
        _check_names(levels_at(self.at), sites)
        for node, scale in self._scales(edit.graph, sites, context):
            context.record.setdefault("thresholds", {})[node.name] = scale.tolist()
            axis = channel_axis(node.inputs[0])
            levels = self._levels(node)
            step = _wide(scale / levels, axis) if scale.size > 1 else scale / levels
            edit.change_op(node, ops.QuantReLU(Array(step, "float32"), levels))

    def _levels(self, node: Node) -> int:
        return levels_at(self.at).get(node.name, self.levels)

    def _scales(
        self, graph: Graph, sites: Sequence[Node], context: Context
    ) -> list[tuple[Node, Vector]]:
        rule = self._rule()
        if self.source is Source.BATCHNORM:
            return list(self._without_data(graph, sites, rule, context.normal))
        if context.calibration is None:
            raise UsageError(
                "thresholds need calibration data",
                remedy="give calibration=data, or rule=ti,source=batchnorm for a network with "
                "BatchNorm",
            )
        data = chosen(context.calibration, self.samples) if self.samples else context.calibration
        if rule.sequential:
            return list(self._one_by_one(graph, sites, rule, data))
        axes = {node.inputs[0]: channel_axis(node.inputs[0]) for node in sites}
        seen = observe(graph, data, axes, counted=rule.counted)
        return [(node, self._scale(node, rule, seen[node.inputs[0]])) for node in sites]

    def _one_by_one(
        self, graph: Graph, sites: Sequence[Node], rule: Rule, data: Inputs
    ) -> Iterator[tuple[Node, Vector]]:
        """Give the scales in order; later layers see earlier ones clipped."""
        known = Known(graph, data, 1)
        for node in sites:
            current = node.inputs[0]
            axis = channel_axis(current)
            z = known.value(current)
            scale = self._scale(node, rule, _histogram(current, z, axis))
            yield node, scale
            known.keep(node.outputs[0], np.clip(z, 0, _wide(scale, axis).astype(z.dtype)))

    def _without_data(
        self, graph: Graph, sites: Sequence[Node], rule: Rule, normal: Mapping[str, Normal]
    ) -> Iterator[tuple[Node, Vector]]:
        seen = spread(graph, normal)
        _check_known([node for node in sites if node.inputs[0] not in seen])
        for node in sites:
            z = seen[node.inputs[0]].full(node.inputs[0].type.shape(ONE))
            axis = None if self.per is Share.LAYER else channel_axis(node.inputs[0])
            z = z.per_channel(axis)
            scale = rule.scale_of_normal(z.mean, z.deviation, self._levels(node))
            yield node, _bounded(node, alive_scale(scale))

    def _scale(self, node: Node, rule: Rule, seen: Histogram) -> Vector:
        pooled = seen.pooled() if self.per is Share.LAYER else seen
        return _bounded(node, alive_scale(rule.scale(pooled, self._levels(node))))

    def _rule(self) -> Rule:
        kind = RULES[self.rule]
        names = [f.name for f in fields(kind)]  # type: ignore[arg-type]  # all rules are dataclasses
        return kind(**{name: getattr(self, name) for name in names})


def _bounded(node: Node, scale: Vector) -> Vector:
    """Let no scale be above the bound of a Clip."""
    bound = node.op.high if isinstance(node.op, ops.Clip) else None
    return scale if bound is None else np.minimum(scale, bound)


def _histogram(value: Value, z: Numbers, axis: int) -> Histogram:
    def parts() -> Iterator[dict[Value, Numbers]]:
        return ({value: rows_of(block[""], axis)} for block in blocks({"": z}))

    ranges = ranges_of(parts())
    check_finite(ranges)
    return counts_of(parts(), ranges)[value]


def _wide(vector: Vector, axis: int) -> Vector:
    return vector.reshape(-1, *(1,) * (-axis - 1))


def _check_known(unknown: Sequence[Node]) -> None:
    if unknown:
        raise UnsupportedModel(
            "no BatchNorm tells the mean and deviation of what these activations see",
            expected="weights with BatchNorm behind them, or sums of such branches",
            remedy="give calibration data and leave out source=batchnorm; fold-batchnorm has to "
            "run in the same pipeline, and a model whose BatchNorm was folded before it was "
            "exported has lost it: export it before that",
            problems=[Problem("no statistics of BatchNorm", node.place) for node in unknown],
        )
