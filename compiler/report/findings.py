"""All that a report tells, gathered: one pass over the samples, one check per target."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from typing import Any, Protocol

import numpy as np

from spikec.data import Data, Preprocess, read_data
from spikec.energy.catalog import DEFAULT, load_profile, profiles
from spikec.energy.count import Counter
from spikec.energy.estimate import estimate
from spikec.energy.measure import counter_of, measured
from spikec.energy.profile import Profile
from spikec.energy.result import Energy
from spikec.errors import DataError, UnsupportedModel, UsageError
from spikec.evaluation import (
    Activity,
    Progress,
    evaluate,
    gives_scores,
    neurons_in,
    observe,
)
from spikec.ir import Graph
from spikec.ir.printer import fingerprint
from spikec.report.firing import Firing, Numbers, Watch
from spikec.report.thresholds import Thresholds, thresholds_of
from spikec.report.uses import Use, uses_of
from spikec.target import Target


class Subject(Protocol):
    """What is reported: a Program."""

    graph: Graph
    reference: Graph
    recipe: str
    preprocess: Preprocess
    record: dict[str, Any]

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the layers of neurons."""

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""


@dataclass(frozen=True)
class Choice:
    """What a reader wants to see."""

    layer: str = ""
    """whose raster is open: the last layer of neurons where none is named"""
    sample: int = 0
    """whose events the rasters show"""


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that a page shows."""

    name: str
    steps: int
    neurons: Mapping[str, int]
    """by layer"""
    activity: Activity
    """an Evaluation where outputs are class scores, else an Observation"""
    firing: tuple[Firing, ...]
    choice: Choice
    thresholds: tuple[Thresholds, ...]
    uses: tuple[Use, ...]
    energies: tuple[Energy, ...]
    """by profile, the chosen one first; none where samples have no energy of their own"""
    no_energy: str
    """why there is none"""
    graph: Graph
    program: Mapping[str, str]
    """where it comes from, in words"""
    passes: tuple[Mapping[str, Any], ...]
    search: Mapping[str, Any] | None
    """the candidates, where a search chose the program"""
    history: tuple[Mapping[str, float], ...]
    """a record per epoch of a fine-tuning"""

    @property
    def energy(self) -> Energy | None:
        """The estimate by the chosen profile."""
        return self.energies[0] if self.energies else None


def gather(
    program: Subject,
    data: object,
    steps: int,
    targets: Mapping[str, Target],
    choice: Choice | None = None,
    memory: int | None = None,
    progress: Progress = lambda done, total: None,
    profile: str | PathLike[str] | Profile = DEFAULT,
) -> Findings:
    """Run every sample once; check the program against the targets."""
    prices = load_profile(profile)
    samples = read_data(data)
    choice = _checked(choice or Choice(), program.neurons, len(samples))
    watch = Watch(program.graph, program.neurons, steps, choice.sample)
    counter, reason = _counter(program, steps)
    watchers = (watch,) if counter is None else (watch, counter)
    measure = evaluate if gives_scores(program.graph) else observe
    activity = measure(program, samples, steps, memory, progress, watchers)
    graph = program.graph
    return Findings(
        name=graph.name,
        steps=steps,
        neurons={name: neurons_in(graph, name) for name in program.neurons},
        activity=activity,
        firing=watch.result(),
        choice=choice,
        thresholds=thresholds_of(graph, program.neurons),
        uses=uses_of(graph, targets),
        energies=() if counter is None else _energies(program, counter, prices),
        no_energy=reason,
        graph=graph,
        program=_provenance(program, samples),
        passes=_passes(program.record),
        search=program.record.get("search"),
        history=tuple(program.record.get("finetune", {}).get("history", ())),
    )


def _counter(program: Subject, steps: int) -> tuple[Counter | None, str]:
    """Give what counts operations, or the reason why nothing can."""
    try:
        return counter_of(program.graph, steps), ""
    except UnsupportedModel as error:
        return None, error.what


def _energies(program: Subject, counter: Counter, chosen: Profile) -> tuple[Energy, ...]:
    found = measured(program, counter)
    rest = {name: one for name, one in profiles().items() if name != chosen.name}
    return tuple(estimate(found, one) for one in (chosen, *rest.values()))


def _checked(choice: Choice, layers: Sequence[str], samples: int) -> Choice:
    """Find the layer, and see that the sample is there, before anything runs."""
    from spikec.pipeline import suggestion

    if choice.layer and choice.layer not in layers:
        raise UsageError(
            f"no layer of neurons is called {choice.layer!r}",
            expected=", ".join(layers) or "none: the program has no neurons",
            remedy=suggestion(choice.layer, layers),
        )
    whole = isinstance(choice.sample, Integral) and not isinstance(choice.sample, bool)
    if not whole or not 0 <= choice.sample < samples:
        raise DataError(
            f"sample {choice.sample!r} of {samples:,}",
            expected=f"a number from 0 to {samples - 1}",
        )
    last = layers[-1] if layers else ""
    return Choice(choice.layer or last, int(choice.sample))


def _passes(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Give the passes that made a program, and those that fitted it to a target."""
    lowered = record.get("lowered", {})
    found = [*record.get("passes", ()), *lowered.get("passes", ())]
    return tuple(one for one in found if isinstance(one, Mapping))


def _provenance(program: Subject, samples: Data) -> dict[str, str]:
    """Say where program and samples come from; fingerprints tell whether two are the same."""
    from spikec import __version__

    record, settings = program.record, program.preprocess
    versions = record.get("versions", {})
    made = ", ".join(f"{name} {version}" for name, version in versions.items())
    told = {
        "network": program.reference.name,
        "recipe": _recipe(record.get("recipe"), program.recipe),
        "steps": str(record.get("steps", "")),
        "seed": str(record.get("seed", "")),
        "calibrated on": f"{record.get('calibration_samples', 0):,} samples",
        "preprocessing": "none" if settings == Preprocess() else _settings(settings),
        "converted by": made,
        "reported by": f"spikec {__version__}",
        "measured on": f"{len(samples):,} samples",
        "fingerprint of the samples": _digest_of(samples),
        "fingerprint of the program": f"sha256 {fingerprint(program.graph)[:16]}",
    }
    notes = {f"network: {key}": str(text) for key, text in program.reference.notes.items()}
    return {key: text for key, text in {**told, **notes}.items() if text}


def _recipe(options: object, text: str) -> str:
    if not isinstance(options, Mapping):
        return text
    told = ", ".join(f"{key}={value}" for key, value in options.items() if key != "name")
    return f"{options.get('name', '')} ({told})" if told else str(options.get("name", ""))


def _settings(settings: Preprocess) -> str:
    parts = (f"{key} {value}" for key, value in settings.to_json().items() if value)
    return ", ".join(parts)


def _digest_of(samples: Data) -> str:
    arrays = [*samples.inputs.items()]
    if samples.labels is not None:
        arrays.append(("y", samples.labels))
    parts = (
        f"{name}{array.dtype.str}{array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        for name, array in arrays
    )
    return _digest(*parts)


def _digest(*parts: bytes) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(part)
    return f"sha256 {made.hexdigest()[:16]}"
