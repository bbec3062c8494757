"""Build hook: give editable installs one ordinary ``spikec`` directory.

The repository keeps the core, the frontends, the passes and the backends in four top-level
folders, while the import package is called ``spikec``.  For wheels hatchling renames the folders.
For ``pip install -e .`` this hook writes ``build/dev/spikec``, a tree of symbolic links, so that
Python, mypy, import-linter and pytest see the same package as a user of the wheel.

A new file at the top of ``compiler/`` needs a new link: ``python compiler/_build/link_tree.py``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script, outside a build
    BuildHookInterface = object  # type: ignore[assignment, misc]

SUBPACKAGES = ("frontends", "passes", "backends")
HIDDEN = ("_build", "__pycache__", "README", ".")


def sources(root: Path) -> dict[str, Path]:
    """Name every entry of the package and the file or folder behind it."""
    core = [p for p in (root / "compiler").iterdir() if not p.name.startswith(HIDDEN)]
    return {p.name: p for p in [*core, *(root / name for name in SUBPACKAGES)]}


def link_tree(root: Path) -> None:
    """Bring ``build/dev/spikec`` up to date; links that are right are left alone.

    Nothing is removed that is still wanted, so that a process that imports through the tree
    while it is refreshed never finds it empty.
    """
    package = root / "build" / "dev" / "spikec"
    package.mkdir(parents=True, exist_ok=True)
    wanted = sources(root)
    for entry in package.iterdir():
        if entry.name not in wanted and entry.is_symlink():
            entry.unlink()
    for name, source in wanted.items():
        link, target = package / name, os.path.relpath(source, package)
        if not (link.is_symlink() and os.readlink(link) == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target, target_is_directory=source.is_dir())


class LinkTreeHook(BuildHookInterface):  # type: ignore[type-arg]  # none at run time
    """Called by hatchling before it writes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Link only for editable installs; a real wheel holds real files."""
        if version == "editable":
            link_tree(Path(self.root))


if __name__ == "__main__":
    link_tree(Path(__file__).resolve().parents[2])
