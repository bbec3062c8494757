"""``spikec demo``: the whole way of a small network, from training to a report, and checked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli import demo_convert, demo_deploy, demo_import
from spikec.cli.demo_outcome import Outcome
from spikec.cli.digits import load_digits, one_thread
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

FOLDER = Path("spikec-demo")
DATA = "digits.npz"
"""what was trained on and tested on, as other commands read it: digits.npz:test"""
MARK = "written-by-spikec-demo"
"""a file by which the demo knows what it may replace"""
OUT = "Where files are kept: a new folder, or an earlier demo's, which is replaced."


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help=OUT)] = FOLDER,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of training.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train on digits, import, convert, export to every backend, verify, and report."""
    screen = Screen(as_json=as_json, quiet=quiet)
    with _folder(out) as folder, one_thread():
        outcome = _play(screen, folder, seed)
    outcome.files = [str(out / name) for name in outcome.files]
    if as_json:
        screen.document({"passed": outcome.passed, **asdict(outcome)})
    else:
        _print(screen, outcome, out)
    raise typer.Exit(int(not outcome.passed))


def _play(screen: Screen, folder: Path, seed: int) -> Outcome:
    """Do everything, and note what is seen."""
    import numpy as np

    outcome = Outcome()
    data = load_digits(seed)
    np.savez_compressed(folder / DATA, **vars(data))
    outcome.files.append(DATA)
    graph = demo_import.train_and_import(screen, outcome, data, folder, seed)
    programs = demo_convert.convert_all(screen, outcome, graph, data, folder)
    deployed = programs[demo_convert.DEPLOYED]
    demo_deploy.deploy(screen, outcome, deployed, data, folder)
    demo_deploy.write_report(screen, outcome, deployed, data, folder)
    return outcome


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """Give a folder that becomes ``out`` at the end, in the place of an earlier demo's."""
    from spikec.artifact import new_folder

    if (out / MARK).is_file():
        shutil.rmtree(out, ignore_errors=True)
    with new_folder(out) as fresh:
        (fresh / MARK).touch()
        yield fresh


def _print(screen: Screen, outcome: Outcome, out: Path) -> None:
    table = Table("check", "found", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for check in outcome.checks:
        verdict = Text("ok", "green") if check.holds else Text("FAILED", "red")
        table.add_row(check.promise, check.found, verdict)
    screen.show(table)
    for name, reason in outcome.skipped.items():
        screen.say(f"skipped {name}: {reason}")
    screen.say(f"wrote {len(outcome.files)} files and folders into {out}")
    screen.say(f"open {out / demo_deploy.PAGE} in a browser")
    screen.say("all checks hold" if outcome.passed else "a check failed")
