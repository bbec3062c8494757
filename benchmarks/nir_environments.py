"""Environments for frameworks that read NIR, which do not fit into one with spikec.

They are made in the folder that SPIKEC_ENVIRONMENTS names, by default in the user's cache, and are
used again where they hold what is wanted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TORCH = "2.13.0"


@dataclass(frozen=True)
class Environment:
    """What is installed, and what is installed without the things that it asks for."""

    name: str
    plain: tuple[str, ...]
    alone: tuple[str, ...] = ()

    @property
    def versions(self) -> Mapping[str, str]:
        """Give the versions that are pinned, by distribution."""
        pinned = (text.split("==") for text in (*self.plain, *self.alone) if "==" in text)
        return dict(pinned)


PEERS = Environment(
    "peers",
    (
        *(f"torch=={TORCH}", "nir==1.0.8", "nirtorch==2.6", "snntorch==1.0.0", "scipy"),
        *("matplotlib", "loguru<1", "tqdm", "requests", "packaging", "pbr"),
    ),
    ("norse==1.1.0", "spikingjelly==2.0.0"),
)
"""norse and SpikingJelly ask for a torchvision that is not used here"""
SINABS = Environment("sinabs", (f"torch=={TORCH}", "sinabs==3.1.3"))
"""needs nir 1.0.4"""

_LIST = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({d.metadata['Name'].lower(): d.version for d in m.distributions()}))"
)


def interpreter(environment: Environment) -> Path:
    """Give the interpreter of an environment; make it where it is not there, or not complete."""
    folder = _root() / environment.name
    python = folder / "bin" / "python"
    if not _holds(python, environment):
        print(f"installing {', '.join(environment.versions)} into {folder} ...", file=sys.stderr)
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *environment.plain], check=True)
        if environment.alone:
            subprocess.run([*pip, "--no-deps", *environment.alone], check=True)
    if not _holds(python, environment):
        raise SystemExit(f"{folder} does not hold {environment.versions}: remove it")
    return python


def _holds(python: Path, environment: Environment) -> bool:
    if not python.exists():
        return False
    listed = subprocess.run([str(python), "-c", _LIST], capture_output=True, text=True, check=True)
    found = json.loads(listed.stdout)
    wanted = environment.versions.items()
    return all(found.get(name, "").split("+")[0] == version for name, version in wanted)


def _root() -> Path:
    named = os.environ.get("SPIKEC_ENVIRONMENTS")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache) if cache else Path.home() / ".cache"
    return root / "spikec" / "environments"
