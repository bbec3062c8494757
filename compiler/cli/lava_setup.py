"""``spikec lava-setup``: makes the environment that Lava runs in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

PYTHON = "Use this Python (3.10 or newer) if it has lava-nc; else make the environment from it."
FOLDER = "Where the environment is made; by default in the cache folder, or $SPIKEC_LAVA_HOME."
AGAIN = "Make it anew, even where one works."


def lava_setup(
    python: Annotated[
        str | None, typer.Option(metavar="PYTHON", help=PYTHON, show_default=False)
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help=FOLDER, show_default=False)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help=AGAIN)] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Make an environment for Lava, which cannot be installed beside spikec."""
    from spikec.backends.lava_net.environment import home
    from spikec.backends.lava_net.installing import setup

    screen = Screen(as_json=as_json, quiet=quiet)
    place = (folder or home()).absolute()
    with screen.busy("making an environment for Lava"):
        found = setup(place, python, again=again, say=screen.say)
    if as_json:
        screen.document({"folder": str(place), **asdict(found)})
        return
    netx = f", lava-dl {found.netx}" if found.netx else ""
    screen.say(f"lava-nc {found.version}{netx} on Python {found.runs_on}: {found.python}")
    if folder is not None and place != home().absolute():
        screen.say(f"found by SPIKEC_LAVA_HOME={place}")
