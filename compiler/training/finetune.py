"""From a program and samples to a program whose spikes answer better."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikec.calibrate import blocks
from spikec.data import checked_labels, read_data
from spikec.errors import DataError, UsageError
from spikec.evaluation import answers
from spikec.ir import Graph
from spikec.ir.dims import without_time
from spikec.ir.printer import fingerprint
from spikec.program import Program
from spikec.runtime.bptt import check_differentiable
from spikec.runtime.feed import shown
from spikec.training import checkpoint
from spikec.training.learned import Learned
from spikec.training.objective import Samples
from spikec.training.options import Loop, Options
from spikec.training.spiking import SpikingTask
from spikec.training.trainer import Keeping, Progress, Trainer

WHOLE = ("whole-weights", "whole-numbers")
"""passes behind which nothing can be learned"""
History = list[dict[str, float]]


@dataclass(frozen=True)
class Hooks:
    """Who hears of the work, where its standing is kept, and what it runs on."""

    progress: Progress = lambda done, total: None
    on_epoch: Callable[[History], None] = lambda history: None
    checkpoint: Path | None = None
    every: int = 0
    """batches between checkpoints; 0: at the end of each epoch"""
    resume: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 0:
            raise UsageError(f"every is {self.every!r}", expected="a number of batches, or 0")
        if self.resume and self.checkpoint is None:
            raise UsageError("nothing to resume from", remedy="name the checkpoint")


def finetune_program(
    program: Program, data: object, options: Options, hooks: Hooks = Hooks()
) -> Program:
    """Train a program as it spikes; the given one stays as it is."""
    if any(name in program.recipe for name in WHOLE):
        raise UsageError(
            "the program's weights are whole numbers",
            where=program.recipe,
            remedy="convert without --weight-bits, fine-tune, and round behind it",
        )
    check_differentiable(program.graph)
    learned = Learned(program.graph, options.learn, checked_device(hooks.device))
    samples = _samples(program, data, options)
    seen, held = split(len(samples), options)
    keeping = Keeping(hooks.checkpoint, hooks.every, _identity(program, samples, options))
    standing = None
    if hooks.resume:
        assert hooks.checkpoint is not None  # Hooks refuse to resume without one
        standing = checkpoint.read(hooks.checkpoint, keeping.identity)
    task = SpikingTask(learned, program.reference, program.steps, options)
    trainer = Trainer(task, options, keeping, hooks.progress, hooks.on_epoch)
    done = trainer.run(samples.rows(seen), samples.rows(held) if len(held) else None, standing)
    trainer.best(done)
    note = {
        "options": options.to_json(),
        "samples": len(samples),
        "kept": done.kept,
        "history": done.history,
    }
    return replace(
        program,
        graph=learned.rounded(),
        quantised=None,
        record={**program.record, "finetune": note},
    )


def checked_device(device: str) -> str:
    """Give a device that torch has here."""
    try:
        float(torch.zeros(1, device=device))  # meta has no numbers
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"no device {device!r} here",
            expected="cpu, or cuda where there is a graphics card and torch is built for it",
        ) from error
    return device


def split(count: int, options: Loop) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the rows that are learned from, and those that choose the epoch."""
    order = np.random.default_rng((options.seed, 2**32)).permutation(count)
    held = round(options.validation * count)
    if held == count:
        raise DataError(f"{count} samples leave none to learn from", remedy="give more samples")
    return torch.from_numpy(np.sort(order[held:])), torch.from_numpy(np.sort(order[:held]))


def _samples(program: Program, data: object, options: Options) -> Samples:
    read = read_data(data)
    inputs = program.inputs(read)
    shown(program.graph, {name: x[:1] for name, x in inputs.items()}, program.steps)  # it fits
    classes = _classes(program.reference)
    labels = None
    if options.distill < 1 or read.labels is not None:
        labels = torch.from_numpy(checked_labels(read, classes))
    teacher = None
    if options.distill > 0:
        found = [answers(program.reference, block, program.steps) for block in blocks(inputs)]
        teacher = torch.from_numpy(np.concatenate(found))
    tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()}
    return Samples(tensors, labels, teacher)


def _classes(graph: Graph) -> int:
    dims = without_time(graph.outputs[0].inputs[0].type.dims)
    if len(dims) != 2 or not isinstance(dims[1], int):
        raise UsageError(
            f"the network gives {graph.outputs[0].inputs[0].type}",
            expected="class scores [samples, classes]",
        )
    return dims[1]


def _identity(program: Program, samples: Samples, options: Options) -> dict[str, Any]:
    """Say what a checkpoint belongs to."""
    digest = hashlib.sha256()
    for tensor in (*samples.inputs.values(), samples.labels):
        if tensor is not None:
            digest.update(tensor.numpy().tobytes())
    return {
        "program": fingerprint(program.graph),
        "reference": fingerprint(program.reference),
        "steps": program.steps,
        "data": digest.hexdigest(),
        **options.to_json(),
    }
