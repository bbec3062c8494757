"""Training of torch modules, spiking or not, by labels: networks before they are converted.

Loss: cross-entropy of the scores, after the last step where the module gives [T, B, classes].
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from torch import Tensor, nn

from spikec.data import Data, as_network_input, checked_labels, read_data
from spikec.errors import DataError, Problem, UsageError
from spikec.training import checkpoint
from spikec.training.finetune import Hooks, checked_device, split
from spikec.training.objective import Samples
from spikec.training.options import FitOptions, Loop
from spikec.training.trainer import Keeping, Task, Trainer

History = list[dict[str, float]]


class ModuleTask:
    """A module that is learned."""

    def __init__(
        self, model: nn.Module, options: FitOptions, device: str, *, over_time: bool = False
    ) -> None:
        self.model, self.options, self.device = model.to(device), options, device
        self.over_time = over_time
        """whether the module reads [steps, samples, ...]; data are [samples, steps, ...]"""
        parameters = [p for p in model.parameters() if p.requires_grad]
        if not parameters:
            raise UsageError("nothing to learn: the module has no parameters with gradients")
        self.buffers = [
            (module, name)
            for module in self.model.modules()
            for name, _ in module.named_buffers(recurse=False, remove_duplicate=False)
        ]
        self.first_buffer = len(parameters)
        self.state = [*parameters, *(getattr(*place) for place in self.buffers)]
        self.optimiser = _optimiser(parameters, options)
        if options.mixed and not device.startswith("cuda"):
            raise UsageError(f"mixed precision on {device}", expected="a graphics card: cuda")

    @property
    def state(self) -> list[Tensor]:
        """All that training changes: parameters, the buffers of now, and what a subclass adds.

        A forward may have put other tensors in the places of buffers.
        """
        for index, place in enumerate(self.buffers, self.first_buffer):
            found = getattr(*place, None)
            if found is not None:
                self._state[index] = found
        return self._state

    @state.setter
    def state(self, tensors: list[Tensor]) -> None:
        self._state = tensors

    def loss(self, batch: Samples, draw: int | None) -> tuple[Tensor, float]:
        """Give the mean loss, and the number of right answers."""
        self.model.train(draw is not None)
        if draw is not None:
            torch.manual_seed(draw)  # dropout and encoders draw from it
        with self._precision():
            answers = self.answers(batch.inputs.values())
        answers = (answers[-1] if answers.dim() == 3 else answers).float()
        assert batch.labels is not None  # fit_module has seen to it
        loss = F.cross_entropy(answers, batch.labels)
        return loss, float((answers.argmax(-1) == batch.labels).sum())

    def answers(self, inputs: Iterable[Tensor]) -> Any:
        """Apply the module to samples."""
        return self.model(*(x.movedim(0, 1) if self.over_time else x for x in inputs))

    def _precision(self) -> AbstractContextManager[object]:
        if not self.options.mixed:
            return nullcontext()
        return torch.autocast("cuda", torch.bfloat16)


def fit_module(
    model: nn.Module,
    data: object,
    options: FitOptions,
    hooks: Hooks | None = None,
    validation: object = None,
    time_axis: int | None = None,
) -> History:
    """Train a module in place; it ends in its best epoch. Gives a record per epoch.

    ``validation`` are samples that choose the epoch, in the place of a share of ``data``.
    ``time_axis=0``: the module reads [steps, samples, ...], data are [samples, steps, ...].
    """
    check_time_axis(time_axis)
    hooks = hooks or Hooks()
    task = ModuleTask(model, options, checked_device(hooks.device), over_time=time_axis == 0)
    classes = _classes(task, read_data(data))
    learned, chosen = divided(data, validation, classes, options)
    identity = identity_of(model, learned, options, chosen)
    history = fit_task(task, learned, chosen, options, hooks, identity)
    model.eval()
    return history


def fit_task(
    task: Task,
    learned: Samples,
    chosen: Samples | None,
    options: Loop,
    hooks: Hooks,
    identity: dict[str, Any],
) -> History:
    """Train whatever a task says; it ends in its best epoch. Gives a record per epoch.

    ``identity`` says what a checkpoint belongs to; :func:`identity_of` gives one.
    """
    keeping = Keeping(hooks.checkpoint, hooks.every, identity)
    standing = None
    if hooks.resume:
        assert hooks.checkpoint is not None  # Hooks refuse to resume without one
        standing = checkpoint.read(hooks.checkpoint, keeping.identity)
    trainer = Trainer(task, options, keeping, hooks.progress, hooks.on_epoch)
    with torch.random.fork_rng(devices=[task.device] if task.device.startswith("cuda") else []):
        done = trainer.run(learned, chosen, standing)
    trainer.best(done)
    return done.history


def check_time_axis(axis: int | None) -> None:
    """Refuse all but the first axis, and none."""
    if axis not in (None, 0):
        raise UsageError(f"time_axis={axis!r}", expected="0: [steps, samples, ...], or none")


def _optimiser(parameters: list[nn.Parameter], options: FitOptions) -> torch.optim.Optimizer:
    if options.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, options.rate, options.momentum, weight_decay=options.weight_decay
        )
    return torch.optim.AdamW(parameters, options.rate, weight_decay=options.weight_decay)


def _classes(task: ModuleTask, data: Data) -> int:
    """Ask the module how many classes it tells apart."""
    task.model.eval()
    with asking(data, "forward"):
        scores = task.answers(x[:2].to(task.device) for x in tensors_of(data).values())
    if not isinstance(scores, Tensor) or scores.dim() not in (2, 3):
        shape = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UsageError(
            f"the module gives {shape}",
            expected="class scores [samples, classes] or [steps, samples, classes]",
        )
    return int(scores.shape[-1])


@contextmanager
def asking(data: Data, method: str) -> Iterator[None]:
    """Name the samples that a method of a module refuses."""
    try:
        with torch.no_grad():
            yield
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        shapes = ", ".join(str(list(x.shape)) for x in data.inputs.values())
        raise UsageError(
            f"the module does not take samples of shape {shapes}: {error}",
            expected=f"inputs that its {method} accepts, samples first",
        ) from error


def divided(
    data: object, validation: object, classes: int, options: Loop
) -> tuple[Samples, Samples | None]:
    """Give what is learned from, and what chooses the epoch: other samples, or a share of them."""
    samples = _samples(read_data(data), classes, "data")
    seen, held = split(len(samples), options)
    if validation is not None:
        others = _samples(read_data(validation), classes, "validation")
        found, wanted = ([list(x.shape[1:]) for x in s.inputs.values()] for s in (others, samples))
        if found != wanted:
            raise DataError(f"samples of shape {found} to choose by", expected=f"{wanted}")
        return samples, others
    return samples.rows(seen), samples.rows(held) if len(held) else None


def _samples(data: Data, classes: int, role: str) -> Samples:
    labels = torch.from_numpy(checked_labels(data, classes))
    inputs = tensors_of(data)
    problems = [
        Problem(f"{wrong} of {x.numel()} numbers are NaN or infinite", f"input {name} of {role}")
        for name, x in inputs.items()
        if (wrong := x.numel() - int(x.isfinite().sum()))
    ]
    if problems:
        raise DataError(
            "samples hold what is no number", expected="finite float32 numbers", problems=problems
        )
    return Samples(inputs, labels, None)


def tensors_of(data: Data) -> dict[str, Tensor]:
    """Give inputs as modules want them: floats and pixels (bytes) as float32."""
    with np.errstate(over="ignore"):  # what becomes infinite is told by _samples
        return {name: torch.from_numpy(as_network_input(x)) for name, x in data.inputs.items()}


def identity_of(
    model: nn.Module, samples: Samples, options: Loop, chosen: Samples | None = None
) -> dict[str, Any]:
    """Say what a checkpoint belongs to; layers are known by shapes and by what they print.

    ``chosen`` are the samples that choose the epoch, where there are.
    """
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    printed = re.sub(r" at 0x[0-9a-f]+", "", repr(model))  # places in memory are of one process
    layers = hashlib.sha256(printed.encode()).hexdigest()
    told = {"module": shapes, "layers": layers[:12], "data": _digest(samples)}
    others = {} if chosen is None else {"chosen by": _digest(chosen)}
    return {**told, **others, **options.to_json()}


def _digest(samples: Samples) -> str:
    digest = hashlib.sha256()
    for tensor in (*samples.inputs.values(), samples.labels):
        if tensor is not None:
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
