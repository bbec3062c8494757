"""Transformers and other smooth networks as spiking programs, as two tables.

    python -m benchmarks.transformers [--trained vit swin] [--random swin_t bert ...]

1. A ViT and a small Swin, trained here on MNIST images: accuracy of their programs, by step.
2. Networks of torchvision and a BERT encoder with random weights: |spiking - PyTorch| / |PyTorch|
   in the 2-norm over the outputs of the test samples after T steps, each T with its own program.
   BERT's weights are wider than it is started with: its blocks would hardly change a token.

The data are looked for in the folder that SPIKEC_DATA names, by default ``../shared``:
``data/mnist10k.npz``.  torchvision and transformers come with the `bench` extra.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import spikec
from benchmarks.conversion_accuracy import settled
from benchmarks.conversion_torchvision import images, relative
from benchmarks.mnist_nets import data
from benchmarks.mnist_transformers import TRAINED
from benchmarks.models import randomised, torchvision_models, transformers_module
from spikec.data import read_data

TRAINED_STEPS = (2, 4, 8)
RANDOM_STEPS = (2, 4, 8, 16)
SIZE = 64
"""pixels per side of what torchvision's networks see"""
CALIBRATION, TEST = 16, 8
"""samples of networks with random weights"""
MNIST_CALIBRATION = 512
Samples = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Accuracy:
    """One trained network and number of steps."""

    network: str
    recipe: str
    steps: int
    reference: float
    accuracy: float
    drop: float
    agreement: float
    events_per_neuron: float
    seconds: float
    equal: int | None
    """images whose outputs are those of the quantised network, bit for bit; None where the program
    is not meant to equal one"""


def accuracy(name: str, recipe: str, steps: int) -> Accuracy:
    """Convert and evaluate on all test images."""
    split = data()
    start = time.perf_counter()
    program = spikec.convert(TRAINED[name](), split.train_x[:MNIST_CALIBRATION], steps, recipe)
    test = read_data((split.test_x, split.test_y))
    found = program.evaluate(test)
    return Accuracy(
        name,
        recipe,
        steps,
        found.reference_accuracy,
        found.accuracy,
        found.drop,
        found.agreement,
        found.events_per_neuron,
        time.perf_counter() - start,
        settled(program, test).get("equal_to_quantised"),
    )


@dataclass(frozen=True)
class Subject:
    """A network with random weights, and how its samples are drawn."""

    build: Callable[[], nn.Module]
    draw: Callable[[int, int], Samples]


def _torchvision(name: str, **options: Any) -> Subject:
    def build() -> nn.Module:
        torch.manual_seed(0)
        return fitted(randomised(getattr(torchvision_models(), name)(weights=None, **options)))

    return Subject(build, lambda count, seed: {"x": images(count, SIZE, seed)})


def fitted(model: nn.Module) -> nn.Module:
    """Give batch normalisations the statistics of images, so that no activation vanishes."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.6, 1.4)
            norm.bias.normal_(1, 0.3)
            norm.momentum = None  # averages over all batches
            norm.train()
        if norms:
            model(torch.from_numpy(images(64, SIZE, seed=1)))
    return model.eval()


def _bert() -> nn.Module:
    transformers = transformers_module()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=1000,
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=64,
        initializer_range=0.15,
    )
    return randomised(transformers.BertModel(config))


def _tokens(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 25, (count, 1))
    ids = rng.integers(0, 1000, (count, 24))
    return {"input_ids": ids, "attention_mask": (np.arange(24) < lengths).astype(np.int64)}


RANDOM: Mapping[str, Subject] = {
    "vit_b_16": _torchvision("vit_b_16", image_size=SIZE),
    "swin_t": _torchvision("swin_t"),
    "convnext_tiny": _torchvision("convnext_tiny"),
    "efficientnet_b0": _torchvision("efficientnet_b0"),
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small"),
    "bert": Subject(_bert, _tokens),
}


@dataclass(frozen=True)
class Errors:
    """One network with random weights."""

    network: str
    recipe: str
    errors: dict[int, float]
    """by T"""
    layers: int
    """of neurons"""
    events_per_neuron: float
    """at the largest T"""
    seconds: float


def errors(name: str, recipe: str, steps: Sequence[int]) -> Errors:
    """Convert for each number of steps, and compare the first output with PyTorch's."""
    subject = RANDOM[name]
    model = subject.build()
    calibration, test = subject.draw(CALIBRATION, 2), subject.draw(TEST, 3)
    tensors = {key: torch.from_numpy(array) for key, array in test.items()}
    with torch.no_grad():
        outputs = model(**tensors) if len(tensors) > 1 else model(*tensors.values())
    wanted = (outputs if isinstance(outputs, Tensor) else outputs[0]).numpy()
    example = {key: array[:2] for key, array in tensors.items()}
    graph = spikec.import_model(model, example)
    start, found, layers, events = time.perf_counter(), {}, 0, 0.0
    for count in steps:
        program = spikec.convert(graph, named(graph, calibration), count, recipe)
        run = program.run(named(graph, test))
        found[count] = relative(run.output, wanted)
        layers = len(run.spikes)
        neurons = sum(train[0].size for train in run.spikes.values())
        events = run.events / neurons
    return Errors(name, recipe, found, layers, events, time.perf_counter() - start)


def named(graph: spikec.ir.Graph, samples: Samples) -> Samples:
    """Give the samples by the names of the graph's inputs, which stand in the same order."""
    return dict(zip((node.name for node in graph.inputs), samples.values(), strict=True))


def main() -> None:
    """Print one line per network (and number of steps)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trained", nargs="*", default=list(TRAINED), choices=list(TRAINED))
    parser.add_argument("--random", nargs="*", default=list(RANDOM), choices=list(RANDOM))
    parser.add_argument("--recipes", nargs="+", default=["differential"])
    parser.add_argument("--steps", nargs="+", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    show: Callable[[str], None] = print_nothing if options.json else print_now
    rows: list[Any] = []
    for name in options.trained:
        for recipe in options.recipes:
            for steps in options.steps or TRAINED_STEPS:
                rows.append(accuracy(name, recipe, steps))
                show(accuracy_line(rows[-1]))
    for name in options.random:
        for recipe in options.recipes:
            rows.append(errors(name, recipe, options.steps or RANDOM_STEPS))
            show(errors_line(rows[-1]))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


def print_now(text: str) -> None:
    """Show a row as soon as it is known."""
    print(text, flush=True)


def print_nothing(text: str) -> None:
    """Keep the rows for the end."""


def accuracy_line(row: Accuracy) -> str:
    """Show one row for people."""
    return (
        f"| {row.network} | {row.recipe} | {row.steps} | {100 * row.reference:.2f} "
        f"| {100 * row.accuracy:.2f} | {row.drop:+.2f} | {100 * row.agreement:.2f} "
        f"| {row.events_per_neuron:.2f} | {row.seconds:.0f} "
        f"| {'' if row.equal is None else row.equal} |"
    )


def errors_line(row: Errors) -> str:
    """Show one row for people."""
    shown = " | ".join(f"T={t}: {error:.4f}" for t, error in row.errors.items())
    return (
        f"| {row.network} | {row.recipe} | {shown} | {row.layers} "
        f"| {row.events_per_neuron:.2f} | {row.seconds:.0f} |"
    )


if __name__ == "__main__":
    main()
