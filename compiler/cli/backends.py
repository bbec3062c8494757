"""Which backends there are, and what each still needs here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spikec.cli import versions

if TYPE_CHECKING:
    from spikec.backends import Needs


@dataclass(frozen=True)
class BackendState:
    """A backend of the design: in this version or not, and what it still needs."""

    name: str
    makes: str
    built: bool
    missing: tuple[str, ...]
    install: str


def states() -> tuple[BackendState, ...]:
    """Look at every backend, without importing its tool."""
    from spikec.backends import BACKENDS, PLANNED

    built = (_state(name, b.needs, True, b.missing()) for name, b in BACKENDS.items())
    return (*built, *(_state(name, needs, False) for name, needs in PLANNED.items()))


def _state(name: str, needs: Needs, built: bool, more: tuple[str, ...] = ()) -> BackendState:
    missing = tuple(d for d in needs.distributions if not versions.installed(d)) + more
    return BackendState(name, needs.makes, built, missing, needs.install if missing else "")
