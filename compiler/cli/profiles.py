"""``spikec profiles``: tables of prices, and who says what of each number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

if TYPE_CHECKING:
    from spikec.energy.profile import Profile

HELP = "A profile to show in full: its name, or the path of a .toml file."


def profiles(
    name: Annotated[
        str | None, typer.Argument(metavar="PROFILE", help=HELP, show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the energy profiles; with a name, every number of one, its source, what is not in it."""
    screen = Screen(as_json=as_json, quiet=quiet)
    if name is None:
        _list(screen)
        return
    from spikec.energy.catalog import load_profile

    profile = load_profile(name)
    if as_json:
        screen.document(profile.to_json())
        return
    screen.say(f"{profile.name}: {profile.about}")
    screen.say(f"leaves out: {profile.leaves_out}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("what", "value", "source", "not in it"):
        table.add_column(header, overflow="fold", justify="right" if header == "value" else "left")
    for what, figure, unit in profile.figures():
        value = f"{figure.value:,g} {unit}".strip()
        table.add_row(Text(what), value, Text(figure.source), Text(figure.leaves_out))
    screen.show(table)
    screen.say(f"from {profile.origin}")


def _list(screen: Screen) -> None:
    from spikec.api import energy_profiles

    found = energy_profiles().values()
    if screen.as_json:
        screen.document([profile.to_json() for profile in found])
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("profile")
    table.add_column("what it is", overflow="fold")
    for header in ("AC (pJ)", "MAC (pJ)", "update (pJ)"):
        table.add_column(header, justify="right")
    table.add_column("leaves out", overflow="fold")
    for profile in found:
        table.add_row(profile.name, Text(profile.about), *_numbers(profile), profile.leaves_out)
    screen.show(table)
    screen.say("spikec profiles NAME shows every number with its source; your own: a .toml file")


def _numbers(profile: Profile) -> list[str]:
    figures: list[Any] = [
        profile.operations.ac,
        profile.operations.mac,
        profile.neurons.update,
    ]
    return ["" if figure is None else f"{figure.value:,g}" for figure in figures]
