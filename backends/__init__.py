"""Backends: graph in, artifact out; this table says what each makes and what it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikec.artifact import Exporter


@dataclass(frozen=True)
class Needs:
    """What a backend makes, and what must be installed beside spikec to run that."""

    makes: str
    distributions: tuple[str, ...] = ()
    install: str = ""


@dataclass(frozen=True)
class Backend:
    """A backend of this version, and how to get at it."""

    needs: Needs
    load: Callable[[], Exporter]
    missing: Callable[[], tuple[str, ...]] = tuple
    """tools that are not there, of those that cannot be installed beside spikec"""
    reads_back: str = ""
    """the frontend that can read what it writes"""
    target: str = ""
    """the target that programs have to be lowered for before they are exported"""


def _onnx_graph() -> Exporter:
    from spikec.backends.onnx_graph import OnnxExporter

    return OnnxExporter()


def _lava_missing() -> tuple[str, ...]:
    from spikec.backends.lava_net.environment import seen

    return () if seen() else ("Lava",)


def _lava_net() -> Exporter:
    from spikec.backends.lava_net import LavaExporter

    return LavaExporter()


def _nir_graph() -> Exporter:
    from spikec.backends.nir_graph import NirExporter

    return NirExporter()


def _sanafe_chip() -> Exporter:
    from spikec.backends.sanafe_chip import SanafeExporter

    return SanafeExporter()


_SANAFE = Needs(
    "a simulated Loihi or TrueNorth chip, with energy and latency",
    ("sanafe",),
    'pip install "spikec[sanafe]"',
)
BACKENDS: dict[str, Backend] = {
    "onnx_graph": Backend(Needs("an ONNX model of standard ops"), _onnx_graph),
    "lava_net": Backend(
        Needs("a Lava process graph, and NetX files", install="spikec lava-setup"),
        _lava_net,
        _lava_missing,
    ),
    "nir_graph": Backend(
        Needs("a NIR file", ("h5py", "nir"), 'pip install "spikec[nir]"'),
        _nir_graph,
        reads_back="nir_graph",
    ),
    "sanafe_chip": Backend(_SANAFE, _sanafe_chip, target="sanafe-loihi"),
}
"""what this version can export to"""

PLANNED: dict[str, Needs] = {
    "torch_sim": Needs("a PyTorch module that simulates the spiking network"),
}
"""what later versions will export to; `spikec doctor` shows both tables"""
