"""Programs that are placed on a chip run in Lava as they are."""

from __future__ import annotations

import pytest

import spikec
from spikec.backends.lava_net.environment import seen
from tests.passes.helpers import calibration, mlp
from tests.test_lowering import OPTIONS, STEPS, samples


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
def test_lowered_programs_run_in_lava(chip: str) -> None:
    if not seen():
        pytest.skip("Lava is not set up: spikec lava-setup")
    net = mlp(6, 12, 8, 3)
    program = spikec.convert(
        net, calibration(net), STEPS, "rate", weight_bits=7, weight_options=OPTIONS, input_bits=3
    )
    found = spikec.lower(program, chip).verify("lava_net", samples(program))
    assert found.ok, found
    assert [check.way for check in found.checks] == ["float", "fixed"]
    assert all(compared.unequal == 0 for compared in found.compared)
