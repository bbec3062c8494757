"""Fits a quantised network to the analog one as a whole, by gradient descent and without labels.

Fitting layer by layer leaves the errors that only the layers together can make up for.  With
outputs o and quantiser results a of the analog network, ô and â of the quantised one, on samples x
and, every other one, on mixtures of two around the mean m of all,

    m + ((1 - λ) (x - m) + λ (x' - m)) / √((1 - λ)² + λ²),   λ uniform in 0..1/2,

which vary as much as samples do,

    loss = |ô - o|² / |o|² + 0.3 · mean over quantisers of |â - a|² / |a|²

is minimised over weights, biases and the logarithms of steps by Adam, whose rate falls along half
a cosine.  Of the network before and after, the one with the smaller loss on samples that were held
out is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import cos, pi
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spikec.ir import Array, Graph, Op, Value, ops
from spikec.runtime.gradient import Parameters, forward

Inputs = Mapping[str, NDArray[Any]]
OnPart = Callable[[float], None]
Tensors = dict[str, Tensor]
Affine = ops.Linear | ops.Conv | ops.ConvTranspose
BATCH = 64
HELD_OUT = 8
"""every eighth sample"""
FEATURES = 1.0
"""weight of the quantisers' errors beside those of the outputs"""
MIXED = 0.5
"""largest share of the second sample"""
WEIGHT_RATE = 4e-3
"""of the mean magnitude of each array, per iteration"""
STEP_RATE = 2e-3
"""of the logarithm of a quantiser's step"""
SMALLEST = 1e-12
"""beside |o|² and |a|², which may be 0"""


@dataclass(frozen=True)
class Tuned:
    """What has changed."""

    ops: Mapping[str, Op]
    """by node; empty where nothing got better"""
    before: float
    """loss on the held-out samples"""
    after: float


def tune(
    graph: Graph, reference: Graph, inputs: Inputs, epochs: int, seed: int, on_part: OnPart
) -> Tuned:
    """Fit the quantised ``graph`` to its ``reference``: nodes of one name are twins."""
    samples = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()}
    count = len(next(iter(samples.values())))
    held = torch.arange(count) % HELD_OUT == HELD_OUT - 1
    seen = {name: x[~held] for name, x in samples.items()}
    unseen = {name: x[held] for name, x in samples.items()} if held.any() else seen
    model = _Model(graph, reference)
    before = model.mean_loss(unseen)
    model.learn(seen, epochs, seed, on_part)
    after = model.mean_loss(unseen)
    return Tuned(model.ops() if after < before else {}, before, after)


@dataclass
class _Model:
    graph: Graph
    reference: Graph
    twins: Sequence[tuple[Value, Value, float]] = field(init=False)
    """values to be alike, with the weights of their errors"""

    def __post_init__(self) -> None:
        sites = [n for n in self.graph if isinstance(n.op, ops.QuantReLU) and _free(n.op)]
        self.affine = [n for n in self.graph if isinstance(n.op, Affine)]
        self.sites = sites
        steps = {node.op.step for node in sites}  # type: ignore[attr-defined]  # quantisers
        weights = dict.fromkeys(a for node in self.affine for a in _arrays(node.op))
        self.parameters = Parameters(weights)
        self.logs = {
            step: torch.tensor(np.log(step.astype(np.dtype(np.float32))), requires_grad=True)
            for step in steps
        }
        self.fixed = Parameters()
        outputs = [(n.inputs[0], self.reference[n.name].inputs[0], 1.0) for n in self.graph.outputs]
        known = [n for n in sites if n.name in self.reference]
        share = FEATURES / max(1, len(known))
        inner = [(n.outputs[0], self.reference[n.name].outputs[0], share) for n in known]
        self.twins = outputs + inner

    def loss(self, inputs: Tensors) -> Tensor:
        """Give the loss on some samples."""
        for step, log in self.logs.items():
            self.parameters.put(step, log.exp())
        found = forward(self.graph, inputs, self.parameters)
        with torch.no_grad():
            wanted = forward(self.reference, inputs, self.fixed)
        terms = [share * _relative(found[own], wanted[twin]) for own, twin, share in self.twins]
        return torch.stack(terms).sum()

    def mean_loss(self, samples: Tensors) -> float:
        """Give the mean loss over all samples, in batches."""
        count = len(next(iter(samples.values())))
        with torch.no_grad():
            sums = [
                float(self.loss({n: x[i : i + BATCH] for n, x in samples.items()}))
                * min(BATCH, count - i)
                for i in range(0, count, BATCH)
            ]
        return sum(sums) / count

    def learn(self, samples: Tensors, epochs: int, seed: int, on_part: OnPart) -> None:
        """Descend."""
        count = len(next(iter(samples.values())))
        total = epochs * -(-count // BATCH)
        optimiser = torch.optim.Adam(self._groups(), betas=(0.9, 0.99))
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda done: 0.5 * (1 + cos(pi * done / total))
        )
        batches = _batches(samples, epochs, np.random.default_rng(seed))
        for done, batch in enumerate(batches, start=1):
            optimiser.zero_grad()
            self.loss(batch).backward()  # type: ignore[no-untyped-call]  # torch declares none
            optimiser.step()
            rate.step()
            on_part(done / total)

    def _groups(self) -> list[dict[str, Any]]:
        """Give each array the rate that fits its size."""
        groups = [
            {"params": [tensor], "lr": WEIGHT_RATE * float(tensor.detach().abs().mean())}
            for _, tensor in self.parameters.learned
        ]
        return [*groups, {"params": list(self.logs.values()), "lr": STEP_RATE}]

    def ops(self) -> dict[str, Op]:
        """Give the ops with what was learned."""
        learned = {
            id(array): Array(tensor.detach().numpy(), "float32")
            for array, tensor in self.parameters.learned
        }
        changed: dict[str, Op] = {}
        for node in self.affine:
            assert isinstance(node.op, Affine)
            bias = None if node.op.bias is None else learned[id(node.op.bias)]
            changed[node.name] = replace(node.op, weight=learned[id(node.op.weight)], bias=bias)
        for node in self.sites:
            assert isinstance(node.op, ops.QuantReLU)
            step = self.logs[node.op.step].detach().exp().numpy()
            changed[node.name] = replace(node.op, step=Array(step, "float32"))
        return changed


def _free(op: ops.QuantReLU) -> bool:
    """Tell whether the step is a real number, and no whole one of units that weights know."""
    return op.amplitude is None


def _arrays(op: Op) -> list[Array]:
    assert isinstance(op, Affine)
    return [op.weight] if op.bias is None else [op.weight, op.bias]


def _relative(found: Tensor, wanted: Tensor) -> Tensor:
    return (found - wanted).square().mean() / (wanted.square().mean() + SMALLEST)


def _batches(samples: Tensors, epochs: int, rng: np.random.Generator) -> Iterator[Tensors]:
    """Give all samples in a new order per epoch, every other one mixed with another."""
    count = len(next(iter(samples.values())))
    means = {n: x.mean(dim=0) for n, x in samples.items() if x.is_floating_point()}
    for _ in range(epochs):
        order, others = (torch.from_numpy(rng.permutation(count)) for _ in range(2))
        shares = torch.from_numpy(rng.uniform(0, MIXED, count).astype(np.float32))
        shares[::2] = 0
        for start in range(0, count, BATCH):
            rows = slice(start, start + BATCH)
            batch = {name: x[order[rows]] for name, x in samples.items()}
            for name, mean in means.items():  # the others are no numbers of a scale
                other = samples[name][others[rows]]
                batch[name] = _mixed(batch[name], other, mean, shares[rows])
            yield batch


def _mixed(x: Tensor, other: Tensor, mean: Tensor, share: Tensor) -> Tensor:
    wide = share.reshape(-1, *(1,) * (x.dim() - 1))
    mixed: Tensor = torch.lerp(x - mean, other - mean, wide) / torch.hypot(1 - wide, wide)
    return mean + mixed
