"""Colours of roles, by day and by night: the only place where a colour is named."""

from __future__ import annotations

from spikec.report.shapes import Role

LIGHT: dict[Role, str] = {
    Role.INK: "#1b1f24",
    Role.MUTED: "#5d6673",
    Role.GRID: "#d5dae1",
    Role.ACCENT: "#1769c2",
    Role.SECOND: "#8a5cc4",
    Role.THIRD: "#0d8a72",
    Role.WARM: "#c8471a",
}
DARK: dict[Role, str] = {
    Role.INK: "#e8ebef",
    Role.MUTED: "#a0a9b5",
    Role.GRID: "#39414c",
    Role.ACCENT: "#62aaf5",
    Role.SECOND: "#b795ea",
    Role.THIRD: "#47c2a8",
    Role.WARM: "#f0834f",
}
SURFACES = {"light": ("#f4f6f8", "#ffffff"), "dark": ("#12161b", "#1b2128")}
"""of the page, and of a card on it"""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


def variables(scope: str) -> str:
    """Write the colours as CSS variables of ``scope``, with those of the night."""
    day, night = (
        "".join(f"--{role.value}:{colour};" for role, colour in colours.items())
        + f"--page:{SURFACES[name][0]};--card:{SURFACES[name][1]};"
        for name, colours in (("light", LIGHT), ("dark", DARK))
    )
    return (
        f"{scope}{{color-scheme:light dark;{day}}}\n"
        f"@media (prefers-color-scheme:dark){{{scope}{{{night}}}}}\n"
    )


def paints() -> str:
    """Write a class for each role's fill (f-) and stroke (s-)."""
    rules = (
        f".f-{r.value}{{fill:var(--{r.value})}}.s-{r.value}{{stroke:var(--{r.value});fill:none}}"
        for r in Role
    )
    return "\n".join(rules) + f"\nsvg text{{font-family:{FONT}}}\n"
