"""What each target makes of a program: whether it runs, why not, and what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spikec.ir import Graph
from spikec.target import Examination, Resources, Target, examine


@dataclass(frozen=True, eq=False)
class Use:
    """One target's part of a report."""

    target: str
    about: str
    ok: bool
    violations: int
    reasons: tuple[tuple[str, int], ...]
    """kinds of violations, with how many there are of each, and one of them in words"""
    resources: Resources
    host: int
    """nodes that the host computes"""

    @property
    def fullest(self) -> tuple[str, float]:
        """The resource of which a core uses most, and its share."""
        peaks = {name: self.resources.peak(name) for name in self.resources.limits}
        name = max(peaks, key=lambda key: peaks[key], default="")
        return name, peaks.get(name, 0.0)


def uses_of(
    graph: Graph,
    targets: Mapping[str, Target],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Use, ...]:
    """Check a program against targets; those that run it come first."""
    found = []
    for done, target in enumerate(targets.values(), start=1):
        found.append(_use(examine(graph, target)))
        progress(done, len(targets))
    return tuple(sorted(found, key=lambda use: (not use.ok, use.violations)))


def _use(found: Examination) -> Use:
    kinds: dict[str, list[str]] = {}
    for violation in found.violations:
        kinds.setdefault(violation.rule.value, []).append(violation.what)
    return Use(
        found.target.name,
        found.target.about,
        found.ok,
        len(found.violations),
        tuple((f"{kind}: {texts[0]}", len(texts)) for kind, texts in kinds.items()),
        found.resources,
        len(found.partition.prefix) + len(found.partition.suffix),
    )
