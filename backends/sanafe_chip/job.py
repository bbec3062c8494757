"""What a chip is given with some samples: events, and currents that are set as biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikec.backends.sanafe_chip.writing import ARRAYS
from spikec.errors import DataError, Problem
from spikec.ir import Graph, Sizes, Value
from spikec.ir.layout import folded
from spikec.pipeline.host import name_of
from spikec.target.edges import Edges

Numbers = NDArray[Any]
Plan = Mapping[str, Any]


def job_of(
    graph: Graph, plan: Plan, folder: Path, sent: Mapping[str, Numbers], sizes: Sizes
) -> dict[str, Numbers]:
    """Give the arrays of a job, from what the host sends, by name."""
    values = {value.name: value for node in graph for value in node.outputs}
    job: dict[str, Numbers] = {"samples": np.array(sizes.batch)}
    problems: list[Problem] = []
    with np.load(folder / ARRAYS) as arrays:
        for group in plan["groups"]:
            key = group["key"]
            if group["kind"] == "events":
                value = values[group["name"]]
                job[f"{key}.events"] = _rows(value, sent, sizes) != 0
            elif group["currents"]:
                current = np.zeros((sizes.batch, sizes.steps, group["size"]))
                for name, edges in _edges(group, arrays):
                    current += edges.apply(_rows(values[name], sent, sizes))
                problems += _problems(current, group, arrays[f"{key}.bias"], plan)
                job[f"{key}.current"] = current
    if problems:
        raise DataError("currents of the host that the chip does not hold", problems=problems)
    return job


def _rows(value: Value, sent: Mapping[str, Numbers], sizes: Sizes) -> Numbers:
    """Give what is sent as [samples, steps, elements]."""
    rows = folded(sent[name_of(value)], value.type, sizes).astype(np.float64)
    return np.broadcast_to(rows, (sizes.batch, *rows.shape[1:]))


def _edges(group: Plan, arrays: Mapping[str, Numbers]) -> Iterator[tuple[str, Edges]]:
    for number, name in enumerate(group["currents"]):
        start = f"{group['key']}.current{number}"
        parts = (arrays[f"{start}.{part}"] for part in ("source", "target", "weight"))
        source, target, weight = parts
        sources = int(arrays[f"{start}.sources"])
        yield name, Edges(target, source, weight, group["size"], sources)


def _problems(current: Numbers, group: Plan, bias: Numbers, plan: Plan) -> Iterator[Problem]:
    """Refuse currents by which potentials would be cut, or overflow."""
    broken = int((current != np.round(current)).sum())
    where = f"%{group['name']}"
    if broken:
        what = f"{broken} of {current.size} currents are no whole numbers"
        remedy = "round what comes in (quantise-input), then the weights (whole-weights)"
        yield Problem(what, where, "whole numbers: potentials are cut to 1/64", remedy)
    most = float((np.abs(current).sum(axis=1) + np.abs(bias).sum(axis=0)).max(initial=0))
    if most >= plan["most"]:
        what = f"potentials of up to {most:.3g}"
        yield Problem(what, where, f"below {plan['most']:.3g}", "fewer weight bits, or fewer steps")
