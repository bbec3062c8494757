"""``spikec finetune``: trains a program as it spikes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spikec.cli import samples
from spikec.cli.evaluate import load_program
from spikec.cli.files import check_program_file, check_target
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen
from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.program import Program

RATE = "Learning rate of weights, in units of each array's mean magnitude."
SURROGATE = "Derivative of a spike: triangle{gamma=0.3}, atan, sigmoid, rectangle{width=1}."
LEARN = "What is learned: weights,thresholds,leaks."
DISTILL = "Share of the loss that follows the network's own answers; 1 needs no labels."
SET = "Any other option of docs/finetune.md: validation=0.2, patience=3, clip=1. May stand often."
CHECKPOINT = "Where the standing is kept; by default beside --out, until it is written."
EVERY = "Batches between checkpoints; 0: at the end of each epoch."
RESUME = "Go on from the checkpoint, to the result that would have come without the stop."
Log = Annotated[
    Path | None,
    typer.Option(metavar="FILE.jsonl", help="One line of JSON per epoch.", show_default=False),
]
Plot = Annotated[
    Path | None,
    typer.Option(metavar="FILE.svg", help="Draw accuracy by epoch.", show_default=False),
]


def finetune(
    source: Annotated[
        Path, typer.Argument(metavar="PROGRAM.spk", help="What `spikec convert` wrote.")
    ],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE.spk", help="The program.", show_default=False),
    ],
    epochs: Annotated[int, typer.Option(help="Passes over the samples.")] = 3,
    batch: Annotated[int, typer.Option(help="Samples per step of learning.")] = 32,
    rate: Annotated[float, typer.Option(help=RATE)] = 1e-3,
    surrogate: Annotated[str, typer.Option(help=SURROGATE)] = "rectangle{width=1}",
    learn: Annotated[str, typer.Option(metavar="KINDS", help=LEARN)] = "weights,thresholds",
    distill: Annotated[float, typer.Option(help=DISTILL)] = 0.5,
    seed: Annotated[int, typer.Option(help="Of batches and the choice of samples.")] = 0,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help=SET)
    ] = None,
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda.")] = "cpu",
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help=CHECKPOINT, show_default=False)
    ] = None,
    every: Annotated[int, typer.Option(help=EVERY)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help=RESUME)] = False,
    log: Log = None,
    plot: Plot = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train a program as it spikes, by surrogate gradients through time."""
    from spikec.training.options import read_options, read_settings

    screen = Screen(as_json=as_json, quiet=quiet)
    _check_paths(out, {"--log": log, "--plot": plot, "--checkpoint": checkpoint})
    asked = {"epochs": epochs, "batch": batch, "rate": rate, "surrogate": surrogate, "seed": seed}
    asked |= {"learn": [kind.strip() for kind in learn.split(",")], "distill": distill}
    asked |= read_settings(settings or ())
    read_options(asked)  # before any work: what is wrong is told
    kept = checkpoint or out.with_name(f"{out.stem}.checkpoint")
    _check_checkpoint(kept, resume=resume)
    asked |= {"checkpoint": kept, "every": every, "resume": resume, "device": device}
    told = _Told(screen, log)
    tuned = _tuned(screen, source, (data, first), {**asked, "on_epoch": told.epoch})
    with screen.busy(f"writing {out}"):
        tuned.save(out)
    if checkpoint is None:
        kept.unlink(missing_ok=True)
    if plot is not None:
        _draw(plot, told.history)
    _report(screen, tuned, out)


def _check_paths(out: Path, others: Mapping[str, Path | None]) -> None:
    check_program_file("--out", out)
    for option, path in others.items():
        if path is not None:
            check_target(option, path)


def _tuned(
    screen: Screen, source: Path, data: tuple[str, int | None], asked: dict[str, Any]
) -> Program:
    """Read program and samples, and fine-tune behind a bar."""
    from spikec import api

    program = load_program(source, screen)
    text, first = data
    read = samples.load_data(text)
    read = read if first is None else read.first(first)
    with screen.counting(f"fine-tuning {source}") as count:
        return api.finetune(program, read, progress=count, **asked)


class _Told:
    """Prints what an epoch has brought, and writes it into the log."""

    def __init__(self, screen: Screen, log: Path | None) -> None:
        self.screen, self.log = screen, log
        self.history: list[dict[str, float]] = []

    def epoch(self, history: list[dict[str, float]]) -> None:
        from spikec.ir.atomic import replace_file

        self.history = history
        self.screen.say(epoch_line(history[-1]))
        if self.log is not None:
            with replace_file(self.log) as file:
                file.write("".join(json.dumps(record) + "\n" for record in history).encode())


def epoch_line(record: dict[str, float]) -> str:
    """Say what an epoch has brought."""
    parts = [f"epoch {record['epoch']:>3}"]
    if "loss" in record:
        parts.append(f"loss {record['loss']:.4f}, accuracy {record['accuracy']:.2%}")
    if "validation" in record:
        parts.append(
            f"held-out samples: loss {record['validation_loss']:.4f}, "
            f"accuracy {record['validation']:.2%}"
        )
    return "  ".join(parts)


def _check_checkpoint(path: Path, *, resume: bool) -> None:
    """Refuse to overwrite the standing of another fine-tuning, or to resume from none."""
    if resume and not path.is_file():
        raise UsageError(
            "there is no checkpoint to resume from",
            where=str(path),
            remedy="leave --resume out, or name the file with --checkpoint",
        )
    if not resume and path.exists():
        raise UsageError(
            "a checkpoint of a fine-tuning that has not ended stands there",
            where=str(path),
            remedy="--resume to go on with it, or delete it",
        )


def _draw(plot: Path, history: list[dict[str, float]]) -> None:
    from spikec.ir.atomic import replace_file
    from spikec.report.plots.training import accuracy_by_epoch
    from spikec.report.svg import svg_file

    with replace_file(plot) as file:
        file.write(svg_file(accuracy_by_epoch(history)).encode())


def _report(screen: Screen, program: Program, out: Path) -> None:
    note: dict[str, Any] = program.record["finetune"]
    if screen.as_json:
        screen.document({"file": str(out), **note})
        return
    screen.say(f"kept: epoch {note['kept']}, of {note['samples']:,} samples")
    screen.say(f"wrote {out}")
