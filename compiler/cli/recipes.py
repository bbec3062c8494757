"""``spikec recipes``: the ways to make a network spiking."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from spikec.cli.options import Debug, Json, Quiet
from spikec.cli.screen import Screen

if TYPE_CHECKING:
    from spikec.pipeline.recipe import Recipe


def recipes(as_json: Json = False, quiet: Quiet = False, debug: Debug = False) -> None:
    """List the recipes with what they need and their options."""
    from spikec.api import recipes as known
    from spikec.pipeline.recipes_trained import TRAINED

    screen = Screen(as_json=as_json, quiet=quiet)
    rows = [document(recipe) for recipe in known().values()]
    if as_json:
        screen.document(rows)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("recipe", "what it is", "a target needs", "options"):
        table.add_column(header, overflow="fold")
    for row in rows:
        options = ", ".join(f"{key}={value}" for key, value in row["options"].items())
        table.add_row(row["name"], row["about"], row["needs"], options)
    screen.show(table)
    screen.say("Give options in braces: --recipe 'percentile{p=99.5,per=channel}'")
    for recipe in TRAINED.values():
        screen.say(f"For networks that were trained spiking: {recipe.name}, {recipe.about}")


def document(recipe: type[Recipe]) -> dict[str, Any]:
    """Give all that is shown of a recipe."""
    return {
        "name": recipe.name,
        "about": recipe.about,
        "needs": recipe.needs,
        "options": {f.name.replace("_", "-"): f.default for f in fields(recipe)},
    }
