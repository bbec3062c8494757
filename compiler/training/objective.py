"""What is minimised.

With answers o of the program, labels y and answers a of the network, a batch has the loss

    (1 - d) CE(o, y) + d τ² KL(softmax(a / τ) | softmax(o / τ))
      + f mean over layers of |r - b|² / |b|²,

d = ``distill``, τ = ``temperature``, f = ``features``; r is the mean of what a layer of neurons
sends, and b its activation in the network; f plays no part where the network itself was trained
spiking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor

from spikec.ir import Graph, Stage, Value, ops
from spikec.runtime.gradient import Parameters, check_gradients, forward
from spikec.training.options import Options

SITES = (ops.IntegrateFire, ops.MultiThreshold, ops.QuantReLU)
SMALLEST = 1e-12
"""beside |b|², which may be 0"""


@dataclass(frozen=True)
class Samples:
    """Inputs by name, batch on axis 0, with labels and the network's answers where there are."""

    inputs: Mapping[str, Tensor]
    labels: Tensor | None
    teacher: Tensor | None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def rows(self, which: Tensor) -> Samples:
        """Give some of them."""
        return self._each(lambda x: x[which])

    def on(self, device: str) -> Samples:
        """Give them on another device."""
        return self._each(lambda x: x.to(device))

    def targets(self) -> Tensor:
        """Give the right classes; those that the network chooses, where nobody has said."""
        if self.labels is not None:
            return self.labels
        assert self.teacher is not None  # one of both is there
        return self.teacher.argmax(-1)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Samples:
        return Samples(
            {name: change(x) for name, x in self.inputs.items()},
            None if self.labels is None else change(self.labels),
            None if self.teacher is None else change(self.teacher),
        )


class Objective:
    """The loss of a batch."""

    def __init__(self, graph: Graph, reference: Graph, options: Options, device: str) -> None:
        self.options = options
        self.reference = reference
        self.fixed = Parameters()
        self.fixed.device = device
        self.twins: list[tuple[Value, Value]] = []
        if options.features and reference.stage is Stage.ANALOG:
            check_gradients(reference, remedy="features=0 learns from answers alone")
            sites = [node for node in graph if isinstance(node.op, SITES)]
            known = [node for node in sites if node.name in reference]
            self.twins = [(n.outputs[0], reference[n.name].outputs[0]) for n in known]

    def __call__(self, found: Mapping[Value, Tensor], answers: Tensor, batch: Samples) -> Tensor:
        """Give the mean over the batch."""
        return torch.stack(list(self._terms(found, answers, batch))).sum()

    def _terms(
        self, found: Mapping[Value, Tensor], answers: Tensor, batch: Samples
    ) -> Iterator[Tensor]:
        share, heat = self.options.distill, self.options.temperature
        if share < 1:
            assert batch.labels is not None  # was checked
            yield (1 - share) * F.cross_entropy(answers, batch.labels)
        if share > 0:
            assert batch.teacher is not None
            wanted, given = (F.log_softmax(x / heat, -1) for x in (batch.teacher, answers))
            apart = F.kl_div(given, wanted, reduction="batchmean", log_target=True)
            yield share * heat**2 * apart
        if self.twins:
            yield self.options.features * self._features(found, batch.inputs)

    def _features(self, found: Mapping[Value, Tensor], inputs: Mapping[str, Tensor]) -> Tensor:
        """Give the mean over layers of |r - b|² / |b|²."""
        with torch.no_grad():
            wanted = forward(self.reference, inputs, self.fixed)
        terms = []
        for own, twin in self.twins:
            r, b = found[own], wanted[twin]
            r = r if own.type.is_static else r.mean(0)
            terms.append((r - b).square().mean() / (b.square().mean() + SMALLEST))
        return torch.stack(terms).mean()
