"""Steps that meet: against NumPy, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikec
from spikec.errors import DataError, SpikecError, UnsupportedModel, UsageError
from spikec.nn import (
    IF,
    Direct,
    HybridAttention,
    StepWeights,
    TimeMix,
    WaveMixer,
    and_over_time,
    haar,
    haar_inverse,
    steps_multiple,
)
from spikec.target import examine, targets


def test_and_is_the_least_and_its_derivative_that_of_the_product() -> None:
    spikes = (torch.rand(5, 3, 7, generator=torch.Generator().manual_seed(0)) < 0.8).double()
    spikes.requires_grad_()
    y = and_over_time(spikes)
    np.testing.assert_array_equal(y.detach().numpy(), spikes.detach().numpy().min(0))
    y.sum().backward()  # type: ignore[no-untyped-call]  # torch declares none
    others = [np.delete(spikes.detach().numpy(), t, axis=0).prod(0) for t in range(5)]
    assert spikes.grad is not None
    np.testing.assert_array_equal(spikes.grad.numpy(), np.stack(others))


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_bands_of_an_odd_axis_hold_its_last_element_twice(axis: int) -> None:
    x = torch.arange(60.0).reshape(3, 5, 4)
    size = x.shape[axis]
    low, high = haar(x, axis)
    assert low.shape[axis] == high.shape[axis] == -(-size // 2)
    torch.testing.assert_close(haar_inverse(low, high, axis).narrow(axis, 0, size), x)


def test_weights_go_round() -> None:
    weights = StepWeights(2, (3,))
    nn.init.normal_(weights.weight)
    x = torch.randn(5, 4, 3)
    wanted = x * weights.weight[torch.tensor([0, 1, 0, 1, 0])][:, None]
    torch.testing.assert_close(weights(x), wanted)


def test_axes_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="axis 2 of a value of 2 axes"):
        haar(torch.zeros(2, 3), 2)
    with pytest.raises(UsageError, match="of 9 axes"):
        haar(torch.zeros((1,) * 9), 0)


class Windows(nn.Module):
    """An encoder and steps that meet in pairs and triples."""

    def __init__(self, *, still: bool) -> None:
        super().__init__()
        self.encoder = Direct(6) if still else nn.Identity()
        self.neuron, self.twos, self.threes = IF(0.5), TimeMix(2), TimeMix(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.threes(self.twos(self.neuron(self.encoder(x))))
        return y.mean(0)


def test_steps_vary_among_multiples() -> None:
    net, x = Windows(still=True).eval(), torch.rand(3, 4)
    assert steps_multiple(net) == 6
    program = spikec.convert(net, x, 12)
    with spikec.nn.steps(net, 12), torch.no_grad():
        wanted = net(x)
    np.testing.assert_allclose(program.run(x).output, wanted.numpy(), atol=1e-6)
    with pytest.raises(SpikecError, match="7 steps in windows of 2"):
        program.run(x, steps=7)


def test_recordings_of_another_number_are_refused() -> None:
    net = Windows(still=False).eval()
    with pytest.raises(DataError, match="expected: a multiple of 6"):
        spikec.import_model(net, torch.rand(4, 3, 5), time_axis=0)
    graph = spikec.import_model(net, torch.rand(6, 3, 5), time_axis=0)
    x = np.random.default_rng(0).random((12, 3, 5), np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(np.asarray(spikec.runtime.run(graph, x)), wanted, atol=1e-6)


class Bands(nn.Module):
    """Neurons, a wavelet over time, a reshape of its bands, neurons."""

    steps_multiple = 2

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.first, self.second = Direct(4), IF(0.5), IF(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bands = torch.cat(haar(self.first(self.encoder(x)), 0), 2)
        y: torch.Tensor = self.second(bands.reshape(*bands.shape[:2], 2, -1).flatten(2))
        return y.mean(0)


def test_targets_look_at_bands_at_half_the_rate() -> None:
    program = spikec.convert(Bands().eval(), torch.rand(3, 4), 4)
    told = {
        name: {violation.what for violation in examine(program.graph, target).violations}
        for name, target in targets().items()
    }
    assert "Haar needs all steps at once" in told["nir"]
    assert not told["onnx"]


def test_compiled_wavelets_take_odd_sizes_that_vary() -> None:
    @torch.compile(backend="aot_eager", dynamic=True)
    def both(x: Tensor) -> Tensor:
        return torch.cat(haar(x, -1), -1).reshape(-1)

    for size in (6, 7, 9, 10):
        x = torch.randn(2, 3, size)
        torch.testing.assert_close(both(x), torch.cat(haar(x, -1), -1).reshape(-1))


def test_and_over_time_is_the_least_of_events_of_any_amplitude() -> None:
    events = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 0], [1, 1, 1, 0]])
    for amplitude in (1.0, 0.5, 3.0):
        x = (amplitude * events).requires_grad_()
        y = and_over_time(x)
        assert torch.equal(y, x.amin(0))
        (found,) = torch.autograd.grad(y.sum(), x)
        alone = torch.tensor([[1.0, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]])
        assert torch.equal(found, alone)  # of two silent steps, neither counts
    bits = events.bool()
    assert torch.equal(and_over_time(bits), bits.all(0))


@pytest.mark.parametrize("steps", [0, 6])
def test_steps_that_fill_no_window_are_refused(steps: int) -> None:
    x = torch.zeros(steps, 2, 8, 4, 4)
    mixer = WaveMixer(8, (4, 4), 4)
    for layer in (TimeMix(4), HybridAttention(8, 4), mixer):
        with pytest.raises(DataError, match="a multiple of 4, 4 steps at least"):
            layer(x)
    with pytest.raises(DataError, match=r"\[steps, samples, 8, 4, 4\]"):
        mixer(torch.zeros(4, 2, 8, 4, 5))
    with pytest.raises(DataError, match=r"expected: \[steps, ..., 3, 4\]"):
        StepWeights(2, (3, 4))(torch.zeros(4, 2, 1, 1))


def test_no_sample_gives_no_sample() -> None:
    assert TimeMix(4, 2)(torch.zeros(8, 0, 3)).shape == (4, 0, 3)


def test_a_network_of_wavelets_that_never_fires_is_refused() -> None:
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(torch.cat(haar(x, -1), -1))

    with pytest.raises(UnsupportedModel, match="nothing in it spikes"):
        spikec.convert(spikec.import_model(Net(), torch.zeros(2, 6)), None, 8)
