"""``spikec targets``: chips, simulators and formats, and who says what of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

if TYPE_CHECKING:
    from spikec.target import Target

HELP = "A target to show in full: its name, or the path of a .toml file."
MANY = 40
"""most ops that are named one by one"""


def targets(
    name: Annotated[
        str | None, typer.Argument(metavar="TARGET", help=HELP, show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the targets; with a name, every number of one, and its source."""
    screen = Screen(as_json=as_json, quiet=quiet)
    if name is None:
        _list(screen)
        return
    from spikec.target import load_target

    target = load_target(name)
    if as_json:
        screen.document(document(target))
        return
    screen.say(f"{target.name}: {target.about}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("what", "value", "source"):
        table.add_column(header, overflow="fold")
    for what, value, source in rows(target):
        table.add_row(Text(what), Text(shown(value)), Text(source))
    screen.show(table)
    screen.say(f"from {target.origin}")


def _list(screen: Screen) -> None:
    from spikec.api import targets as known
    from spikec.target import user_folder

    found = known().values()
    if screen.as_json:
        screen.document([document(target) for target in found])
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("target", "what it is", "neurons", "levels", "weights", "cores"):
        table.add_column(header, overflow="fold")
    for target in found:
        kinds = ", ".join(kind.__name__ for kind in target.neurons)
        table.add_row(Text(target.name), Text(target.about), kinds, *_numbers(target))
    screen.show(table)
    screen.say(f"spikec targets NAME shows every number with its source; your own: {user_folder()}")


def _numbers(target: Target) -> tuple[str, str, str]:
    levels, bits, cores = target.signals.levels, target.weights.bits, target.limits.cores
    sign = "±" if target.signals.signed.value else ""
    return (
        "any" if levels is None else f"{sign}{levels.value:,}",
        "float" if bits is None else f"{bits.value} bits",
        "" if cores is None else f"{cores.value:,}",
    )


def rows(target: Target) -> Iterator[tuple[str, Any, str]]:
    """Give each fact of a target: what, value, source."""
    from spikec.target.model import SECTIONS

    for section in SECTIONS:
        part = getattr(target, section)
        for option in fields(part):
            fact = getattr(part, option.name)
            if fact is not None:
                name = f"{section}.{option.name}".replace("_", "-")
                yield name, plain(fact.value), fact.source
    for neuron, kind in target.neurons.items():
        options = {name.replace("_", "-"): plain(values) for name, values in kind.options.items()}
        if kind.absent:
            options["absent"] = [name.replace("_", "-") for name in kind.absent]
        yield f"neurons.{neuron.__name__}", options, kind.source
        for reset, fact in kind.compartments.items():
            yield f"neurons.{neuron.__name__}.compartments.{reset.value}", fact.value, fact.source


def document(target: Target) -> dict[str, Any]:
    """Give all facts of a target for machines."""
    facts = {name: {"value": value, "source": source} for name, value, source in rows(target)}
    return {"name": target.name, "about": target.about, "origin": target.origin, "facts": facts}


def plain(value: Any) -> Any:
    """Give a value in words and numbers."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value.__name__ if isinstance(value, type) else value


def shown(value: Any) -> str:
    """Write a value for people."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {shown(part)}" for key, part in value.items()) or "any option"
    if isinstance(value, list):
        return (
            f"all {len(value)} ops" if len(value) > MANY else ", ".join(map(str, value)) or "none"
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
