"""Files that frameworks wrote, and the spikes that they sent themselves.

Each of ``golden/*.nir`` was written by the framework of its name (norse 1.1.0 and SpikingJelly
2.0.0 with nir 1.0.8, sinabs 3.1.3 with nir 1.0.4); the ``.npz`` beside it holds what it was given
and what it sent, both [steps, samples, …].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.frontends.nir_graph.nets import imported, outputs

GOLDEN = Path(__file__).with_name("golden")
OPTIONS: dict[str, dict[str, Any]] = {
    "norse": {"dt": 1e-6, "gain": "unit-if"},
    "spikingjelly": {"dt": 1e-4, "comparison": ">="},
    "sinabs": {"comparison": ">=", "levels": 1000},
}
CLASSES = {
    "norse": ["Linear", "IntegrateFire", "Linear", "IntegrateFire"],
    "spikingjelly": ["Conv", "IntegrateFire", "AvgPool", "Reshape", "Linear", "IntegrateFire"],
    "sinabs": ["Conv", "IntegrateFire", "SumPool", "Reshape", "Linear", "IntegrateFire"],
}


@pytest.mark.parametrize("engine", ["reference", "layerwise"])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_of_a_framework_sends_its_spikes(name: str, engine: str) -> None:
    with np.load(GOLDEN / f"{name}.npz") as stored:
        x, y = stored["x"], stored["y"]
    found = outputs(imported(GOLDEN / f"{name}.nir", **OPTIONS[name]), x, engine=engine)
    assert 0.1 < y.mean() < 0.9
    np.testing.assert_array_equal(found, y)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_becomes_these_ops_and_no_others(name: str) -> None:
    found = imported(GOLDEN / f"{name}.nir", **OPTIONS[name])
    inner = [type(node.op).__name__ for node in found if node.inputs and node.outputs]
    assert inner == CLASSES[name]


def test_the_version_of_a_file_makes_its_neurons_subtract() -> None:
    """The file of sinabs is of nir 1.0.4: no option says what a reset is."""
    found = imported(GOLDEN / "sinabs.nir", **OPTIONS["sinabs"])
    assert found.notes["nir"] == "1.0.4"
