"""A program: a spiking graph, the network that it stands for, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikec.data import Preprocess, read_data
from spikec.errors import BadFile, UsageError
from spikec.ir import Graph, store
from spikec.ir.verify import verify
from spikec.pipeline.recipe import check_steps
from spikec.runtime import trace
from spikec.runtime.feed import held

if TYPE_CHECKING:
    from spikec.artifact import Artifact, Deployable
    from spikec.diagnosis import Diagnosis
    from spikec.energy.profile import Profile
    from spikec.energy.result import Energy
    from spikec.evaluation import Evaluation
    from spikec.exits import EarlyEvaluation, EarlyExit, Stopped
    from spikec.report.findings import Findings
    from spikec.verification import Verification

Numbers = NDArray[Any]
REFERENCE = "reference"
QUANTISED = "quantised"


@dataclass(frozen=True)
class Run:
    """What a program did with some samples."""

    output_by_step: Numbers
    """[steps, samples, ...]: the decoded estimate after each step"""
    spikes: Mapping[str, Numbers]
    """[steps, samples, ...] by neuron name: values of the events"""
    outputs: Mapping[str, Numbers] = field(default_factory=dict)
    """all results after the last step, by the names that the network gives them"""

    @property
    def output(self) -> Numbers:
        """The estimate after the last step."""
        return np.asarray(self.output_by_step[-1])

    @property
    def events(self) -> int:
        """Number of events."""
        return int(sum(np.count_nonzero(train) for train in self.spikes.values()))


@dataclass
class Program:
    """A spiking network ready to run, evaluate and save."""

    graph: Graph
    reference: Graph
    """the analog network in canonical form, as it came in"""
    steps: int
    recipe: str = ""
    """the pipeline that made it, as text"""
    preprocess: Preprocess = field(default_factory=Preprocess)
    quantised: Graph | None = None
    """the quantised network that the program equals: lossless exactly, phased up to rounding"""
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the layers of neurons that fire."""
        return tuple(node.name for node in self.graph if node.fires)

    @property
    def reads_frames(self) -> bool:
        """Whether inputs come over time, and say how many steps there are."""
        return any(not node.outputs[0].type.is_static for node in self.graph.inputs)

    def run(self, x: object, steps: int | None = None, engine: str = "layerwise") -> Run:
        """Run samples; keep every event and the estimate after each step.

        A program that reads frames takes [steps, samples, ...], and as many steps as there are;
        samples without steps stand still.
        """
        count = self.steps if steps is None else check_steps(steps)
        inputs = held(self.graph, self.inputs(x), count)
        timed = self.neurons or None
        known = not timed or (steps is None and self.reads_frames)
        seen = trace(
            self.graph, inputs, engine, record=self.neurons, steps=None if known else count
        )
        stills = [node.inputs[0].type.is_static for node in self.graph.outputs]
        by_step = [y[None] if s else y for y, s in zip(seen.outputs, stills, strict=True)]
        names = (node.name for node in self.graph.outputs)
        last = {name: np.asarray(y[-1]) for name, y in zip(names, by_step, strict=True)}
        return Run(by_step[0], seen.values, last)

    def inputs(self, x: object) -> dict[str, Numbers]:
        """Read samples and preprocess them; one array per input of the graph."""
        named = read_data(x).named([node.name for node in self.graph.inputs])
        return {name: self.preprocess(array) for name, array in named.items()}

    def evaluate(self, data: object, steps: int | None = None, **options: Any) -> Evaluation:
        """Compare with labels and with the network; options as in ``evaluation.evaluate``."""
        from spikec.evaluation import evaluate

        chosen = self.steps if steps is None else check_steps(steps)
        return evaluate(self, data, chosen, **options)

    def fit_exit(self, data: object, criterion: str = "margin", max_drop: float = 0.5) -> EarlyExit:
        """Fit when samples may stop: ``margin`` or ``entropy`` of the answer so far."""
        from spikec.exits import fit_exit, read_criterion

        return fit_exit(self, data, self.steps, read_criterion(criterion), max_drop)

    def run_early(self, x: object, rule: EarlyExit) -> Stopped:
        """Run samples, each no further than until its answer is settled."""
        from spikec.exits import run_early

        return run_early(self.graph, self.inputs(x), self.steps, rule)

    def evaluate_early(self, data: object, rule: EarlyExit, **options: Any) -> EarlyEvaluation:
        """Measure accuracy, steps and events of samples that stop early."""
        from spikec.exits import evaluate_early

        return evaluate_early(self, data, self.steps, rule, **options)

    def diagnose(self, data: object, steps: int | None = None, **options: Any) -> Diagnosis:
        """Say where loss arises, layer by layer; options as in ``diagnosis.diagnose``."""
        from spikec.diagnosis import diagnose

        chosen = self.steps if steps is None else check_steps(steps)
        return diagnose(self, data, chosen, **options)

    def report(
        self, path: str | PathLike[str], data: object, steps: int | None = None, **options: Any
    ) -> Findings:
        """Write an HTML page on labelled samples; options as in ``report.findings.gather``."""
        from spikec.report.findings import gather
        from spikec.report.writing import check_page, write_page
        from spikec.target import targets

        check_page(Path(path))
        chosen = self.steps if steps is None else check_steps(steps)
        found = gather(self, data, chosen, **{"targets": targets(), **options})
        write_page(found, Path(path))
        return found

    def energy(
        self,
        data: object,
        profile: str | PathLike[str] | Profile = "horowitz45-fp32",
        steps: int | None = None,
        **options: Any,
    ) -> Energy:
        """Say what a sample takes, layer by layer; options as in ``energy.measure.measure``.

        ``profile`` is one of ``spikec.energy_profiles()`` or the path of a ``.toml`` file.
        """
        from spikec.energy.catalog import load_profile
        from spikec.energy.estimate import estimate
        from spikec.energy.measure import measure

        prices = load_profile(profile)
        chosen = self.steps if steps is None else check_steps(steps)
        return estimate(measure(self, data, chosen, **options), prices)

    def export(self, backend: str, folder: str | PathLike[str], **options: Any) -> Artifact:
        """Write the program for a backend; the folder is there whole, or not at all."""
        from spikec.artifact import export
        from spikec.registry import exporter_by_name

        exporter = exporter_by_name(backend)
        return export(exporter, backend, self.deployable(), folder, **options)

    def verify(
        self,
        backend: str,
        x: object,
        artifact: Artifact | None = None,
        **options: Any,
    ) -> Verification:
        """Run an export (a fresh one, unless given) by its tool; compare it event by event.

        Further options are those of the export.
        """
        from spikec.registry import exporter_by_name
        from spikec.verification import verify

        made = (backend, options) if artifact is None else artifact
        inputs = held(self.graph, self.inputs(x), self.steps)
        return verify(exporter_by_name(backend), self.deployable(), inputs, made)

    def deployable(self) -> Deployable:
        """Give what backends get to see of a program."""
        from spikec.artifact import Deployable

        return Deployable(
            self.graph, self.steps, self.recipe, self.preprocess.to_json(), self.record
        )

    def split_encoder(self) -> tuple[Graph, Program]:
        """Give the encoder, for a host to run, and the program that reads its events.

        The events are ``spikec.runtime.run(encoder, inputs, "layerwise", steps=program.steps)``.
        What the second is compared with is the network behind its own encoder; where that has
        none, as an analog one, it is the program itself.
        """
        from spikec.pipeline.host import apart_from_encoder

        parts = apart_from_encoder(self.graph)
        if parts is None:
            raise UsageError(
                f"{self.graph.name!r} has no encoder that stands alone",
                expected="a network behind an encoder that makes events of its inputs",
            )
        encoder, rest = parts
        reference = apart_from_encoder(self.reference) or parts
        return encoder, replace(self, graph=rest, reference=reference[1], preprocess=Preprocess())

    def save(self, path: str | PathLike[str]) -> None:
        """Write the program; a crash leaves the old file or the new one."""
        graphs = {store.MAIN: self.graph, REFERENCE: self.reference}
        if self.quantised is not None:
            graphs[QUANTISED] = self.quantised
        header = {
            "steps": self.steps,
            "recipe": self.recipe,
            "preprocess": self.preprocess.to_json(),
            "made": self.record,
        }
        store.save_all(graphs, path, header)

    @staticmethod
    def load(path: str | PathLike[str]) -> Program:
        """Read a program; every byte is checked, and every graph verified."""
        graphs, header = store.load_all(path)
        if REFERENCE not in graphs or not isinstance(header.get("steps"), int):
            raise BadFile(
                "a graph, but no program: it was never converted",
                where=str(path),
                remedy="spikec convert makes programs; spikec show prints graphs",
            )
        for graph in graphs.values():
            verify(graph)
        return Program(
            graphs[store.MAIN],
            graphs[REFERENCE],
            steps=header["steps"],
            recipe=str(header.get("recipe", "")),
            preprocess=Preprocess.from_json(header.get("preprocess", {})),
            quantised=graphs.get(QUANTISED),
            record=dict(header.get("made", {})),
        )
