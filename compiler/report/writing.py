"""Writes reports: the page is there whole or not at all, and so is the folder of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spikec.artifact import check_folder, new_folder
from spikec.errors import UsageError
from spikec.ir.atomic import check_replaceable, replace_file
from spikec.report.findings import Findings
from spikec.report.formats import Format
from spikec.report.page import page, pictures
from spikec.report.png import check_matplotlib, png_file
from spikec.report.shapes import Picture
from spikec.report.svg import svg_file


def check_page(path: Path) -> None:
    """Refuse, before any work is done, what is no HTML file, or could not be written."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"a report is an HTML page, not {path.suffix or 'a file without suffix'}",
            where=str(path),
            remedy=f"call it {path.with_suffix('.html') if path.name else 'report.html'}",
        )
    check_replaceable(path)


def check_pictures(folder: Path, format_: Format) -> None:
    """Refuse, before any work is done, pictures that could not be drawn, or written."""
    if format_ is Format.PNG:
        check_matplotlib()
    check_folder(folder)


def write_page(found: Findings, path: Path) -> int:
    """Write the page; give its size in bytes."""
    content = page(found).encode()
    with replace_file(path) as file:
        file.write(content)
    return len(content)


def write_pictures(
    found: Findings,
    folder: Path,
    format_: Format = Format.SVG,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Write every picture of the page into a folder, new or empty."""
    check_pictures(folder, format_)
    drawn = pictures(found)
    with new_folder(folder) as fresh:
        for done, picture in enumerate(drawn, start=1):
            name = f"{picture.name}.{format_.value}"
            (fresh / name).write_bytes(_CONTENT[format_](picture))
            progress(done, len(drawn))
    return [folder / f"{picture.name}.{format_.value}" for picture in drawn]


def _svg(picture: Picture) -> bytes:
    return svg_file(picture).encode()


_CONTENT: dict[Format, Callable[[Picture], bytes]] = {Format.SVG: _svg, Format.PNG: png_file}
