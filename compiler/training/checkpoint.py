"""Where a fine-tuning stands, as a file: tensors, and what they belong to, without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spikec.errors import BadFile, Problem, UsageError
from spikec.ir.atomic import replace_file

FORMAT = 1


@dataclass
class Standing:
    """All that a training needs to go on as if it had never stopped."""

    free: list[Tensor]
    """what is learned"""
    best: list[Tensor]
    """the same, of the best epoch so far"""
    moments: dict[str, Tensor] = field(default_factory=dict)
    """of the optimiser: ``INDEX.NAME``"""
    epoch: int = 0
    """epochs that are done"""
    batch: int = 0
    """batches of the next epoch that are done"""
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """loss and right answers of those batches, added up"""
    history: list[dict[str, float]] = field(default_factory=list)
    """one record per epoch; the first is that of the untouched program"""

    @property
    def kept(self) -> int:
        """The epoch with the most right answers, then the least loss, then the first.

        Where no samples are held out, the last one.
        """
        scored = [record for record in self.history if "validation" in record]
        if not scored:
            return self.epoch
        best = min(scored, key=lambda r: (-r["validation"], r["validation_loss"], r["epoch"]))
        return int(best["epoch"])


def write(path: Path, standing: Standing, identity: Mapping[str, Any]) -> None:
    """Write a checkpoint; a crash leaves the old one or the new one."""
    tensors = {f"free.{i}": x.detach() for i, x in enumerate(standing.free)}
    tensors |= {f"best.{i}": x for i, x in enumerate(standing.best)}
    tensors |= {f"moment.{name}": x for name, x in standing.moments.items()}
    told = {
        "format": FORMAT,
        "identity": dict(identity),
        "epoch": standing.epoch,
        "batch": standing.batch,
        "sums": standing.sums,
        "history": standing.history,
    }
    content = save({n: x.contiguous() for n, x in tensors.items()}, {"spikec": json.dumps(told)})
    with replace_file(path) as file:
        file.write(content)


def read(path: Path, identity: Mapping[str, Any]) -> Standing:
    """Read a checkpoint of this program, these data and these options; refuse any other."""
    theirs, standing = _content(path)
    _check_identity(path, theirs, identity)
    return standing


def _content(path: Path) -> tuple[dict[str, Any], Standing]:
    """Give what a checkpoint belongs to, and what it holds."""
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {})["spikec"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        if told["format"] != FORMAT:
            raise BadFile(f"a checkpoint of format {told['format']}", where=str(path))
        return dict(told["identity"]), _standing(told, tensors)
    except FileNotFoundError:
        raise BadFile("no such checkpoint", where=str(path)) from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise BadFile(
            f"no checkpoint of a fine-tuning, or a damaged one ({error})",
            where=str(path),
            remedy="delete it to begin anew",
        ) from None


def _standing(told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Standing:
    groups: dict[str, dict[str, Tensor]] = {"free": {}, "best": {}, "moment": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    return Standing(
        [groups["free"][str(i)] for i in range(len(groups["free"]))],
        [groups["best"][str(i)] for i in range(len(groups["best"]))],
        groups["moment"],
        *(told[name] for name in ("epoch", "batch", "sums", "history")),
    )


def _check_identity(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    problems = [
        Problem(f"{name}: {theirs.get(name)!r} there, {ours.get(name)!r} here")
        for name in {**theirs, **ours}
        if theirs.get(name) != ours.get(name)
    ]
    if problems:
        raise UsageError(
            "the checkpoint belongs to another fine-tuning",
            where=str(path),
            problems=problems,
            remedy="resume with the program, data and options that it was begun with, or delete it",
        )


def moments_of(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Give the optimiser's state as tensors."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}.{name}": torch.as_tensor(value).clone()
        for index, entry in state.items()
        for name, value in entry.items()
    }


def give_moments(optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Put a state back into a fresh optimiser."""
    whole = optimiser.state_dict()
    for name, tensor in moments.items():
        index, _, key = name.partition(".")
        whole["state"].setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict(whole)
