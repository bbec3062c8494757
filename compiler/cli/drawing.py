"""``--dot FILE``: a graph as a picture, drawn by Graphviz, or as its .dot text."""

from __future__ import annotations

import shutil
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from spikec.cli.files import check_target, renamed
from spikec.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from spikec.ir import Graph

PICTURES = (".svg", ".png", ".pdf")
SECONDS = 300


def check_drawing(path: Path) -> None:
    """Refuse, before any work is done, a picture that could not be written."""
    suffix = path.suffix.lower()
    formats = (".dot", *PICTURES)
    if suffix not in formats:
        close = get_close_matches(suffix, formats, n=1)
        raise UsageError(
            f"--dot cannot write {suffix or 'a file without suffix'}",
            where=str(path),
            expected=f"a name that ends in {', '.join(formats)}",
            remedy=f"did you mean {renamed(path, close[0])}?" if close else "",
        )
    check_target("--dot", path)
    if suffix in PICTURES and shutil.which("dot") is None:
        raise MissingDependency(
            f"{suffix} pictures are drawn by Graphviz, whose program `dot` was not found",
            where=f"--dot {path}",
            remedy="install it (apt install graphviz, brew install graphviz), or write "
            f"{renamed(path, '.dot')}, which needs nothing",
        )


def draw(graph: Graph, path: Path) -> None:
    """Write the picture; the file is whole or absent."""
    from spikec.ir.atomic import replace_file
    from spikec.report.dot import to_dot

    text = to_dot(graph).encode()
    suffix = path.suffix.lower()
    content = text if suffix == ".dot" else _rendered(text, suffix)
    with replace_file(path) as file:
        file.write(content)


def _rendered(text: bytes, suffix: str) -> bytes:
    import subprocess  # `--help` can do without

    program = shutil.which("dot") or "dot"
    try:
        done = subprocess.run(
            [program, f"-T{suffix[1:]}"], input=text, capture_output=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"Graphviz did not finish the drawing in {SECONDS} s",
            remedy="write a .dot file and lay it out with another program, such as sfdp",
        ) from None
    except OSError as error:
        raise UsageError(f"Graphviz cannot be run: {error}", where=program) from None
    if done.returncode:
        message = done.stderr.decode(errors="replace").strip()
        raise UsageError(f"Graphviz failed: {message}", where=program)
    return done.stdout
