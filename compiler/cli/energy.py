"""``spikec energy``: what a program takes for one sample, by layer, beside its network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli import samples
from spikec.cli.evaluate import MEMORY, load_program
from spikec.cli.files import check_program_file
from spikec.cli.numbers import memory_of
from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen, write
from spikec.errors import UsageError

if TYPE_CHECKING:
    from spikec.data import Data
    from spikec.energy.profile import Profile
    from spikec.energy.result import Energy
    from spikec.energy.tables import Sheet

PROGRAMS = "What `spikec convert` wrote; several are compared in one table."
PROFILE = "Prices: a name that `spikec profiles` lists, or a .toml file. May stand several times."
STANDARD = "horowitz45-fp32"
OUT = "Write this file instead of the screen."
SAVE = "Write the program again, with counts and energy on its nodes (`spikec show` prints them)."


class Format(Enum):
    """Ways to write an estimate."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def energy(
    sources: Annotated[list[Path], typer.Argument(metavar="PROGRAM.spk...", help=PROGRAMS)],
    data: Annotated[
        str, typer.Option(metavar="FILE.npz[:PREFIX]", help=samples.HELP, show_default=False)
    ],
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", "-p", metavar="PROFILE", help=PROFILE, show_default=STANDARD),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", "-T", metavar="T", help="Time steps, if not the program's own."),
    ] = None,
    first: Annotated[
        int | None, typer.Option("--samples", min=1, help="Use the first so many samples.")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help=MEMORY)] = "",
    format_: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TABLE,
    csv: Annotated[bool, typer.Option("--csv", help="Short for --format csv.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help=OUT, show_default=False)
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.spk", help=SAVE, show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Count every operation of every sample exactly, and price it; labels are not needed."""
    from spikec.energy.catalog import load_profile
    from spikec.ir.atomic import check_replaceable
    from spikec.pipeline.recipe import check_steps

    form = _form(format_, as_json=as_json, csv=csv)
    screen = Screen(as_json=as_json, quiet=quiet)
    if out is not None:
        check_replaceable(out)
    prices = [load_profile(name) for name in profile or (STANDARD,)]
    if save is not None:
        _check_save(save, sources, prices)
    chosen, bound = None if steps is None else check_steps(steps), memory_of(memory)
    read = samples.load_data(data)
    read = read if first is None else read.first(first)
    found = [
        one for source in sources for one in _estimates(screen, source, read, prices, chosen, bound)
    ]
    _tell(screen, found, form, out)
    if save is not None:
        _save(screen, sources[0], found[0], save)


def _check_save(save: Path, sources: Sequence[Path], prices: Sequence[Profile]) -> None:
    check_program_file("--save", save)
    if len(sources) * len(prices) > 1:
        raise UsageError("--save with several estimates", expected="one program and one profile")


def _save(screen: Screen, source: Path, found: Energy, save: Path) -> None:
    from spikec.energy.annotation import annotate

    program = load_program(source, screen)
    annotate(program.graph, found)
    program.save(save)
    screen.say(f"wrote {save}")


def _form(format_: Format, *, as_json: bool, csv: bool) -> Format:
    """Join the options that say how to write; two that differ are an error."""
    short = [form for form, given in ((Format.JSON, as_json), (Format.CSV, csv)) if given]
    wanted = {*short, *([] if format_ is Format.TABLE else [format_])}
    if len(wanted) > 1:
        names = " and ".join(sorted(form.value for form in wanted))
        raise UsageError(f"{names} at once", expected="one way to write it")
    return next(iter(wanted), format_)


def _estimates(
    screen: Screen,
    source: Path,
    read: Data,
    prices: Sequence[Profile],
    steps: int | None,
    memory: int | None,
) -> list[Energy]:
    """Run the samples once, whatever the number of profiles."""
    from dataclasses import replace

    from spikec.energy.estimate import estimate
    from spikec.energy.measure import measure

    program = load_program(source, screen)
    with screen.counting(f"counting {source}", len(read)) as progress:
        found = measure(program, read, steps or program.steps, memory, progress)
    return [replace(estimate(found, one), program=source.stem) for one in prices]


def _tell(screen: Screen, found: Sequence[Energy], form: Format, out: Path | None) -> None:
    from spikec.ir.atomic import replace_file

    if form is Format.TABLE and out is None:
        _show(screen, found)
        return
    content = _written(found, form)
    if out is None:
        write(content)
        return
    with replace_file(out) as file:
        file.write(content.encode())
    screen.say(f"wrote {out}")


def _written(found: Sequence[Energy], form: Format) -> str:
    from spikec.energy import writing

    ways: dict[Format, Callable[[Sequence[Energy]], str]] = {
        Format.TABLE: writing.text,
        Format.JSON: writing.json_text,
        Format.CSV: writing.csv_text,
        Format.MARKDOWN: writing.markdown,
    }
    return ways[form](found)


def _show(screen: Screen, found: Sequence[Energy]) -> None:
    from spikec.energy.tables import sheets
    from spikec.energy.writing import all_notes

    for sheet in sheets(found):
        screen.show(rich_table(sheet))
    for line in all_notes(found):
        screen.say(line)


def rich_table(sheet: Sheet) -> Table:
    """Draw a table in colours; the last row of layers is their sum."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", title_style="bold")
    table.title = sheet.title or None
    for index, head in enumerate(sheet.heads):
        text = index < sheet.texts
        table.add_column(head, justify="left" if text else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*map(Text, row), style="bold" if row[0] == "all" else "")
    return table
