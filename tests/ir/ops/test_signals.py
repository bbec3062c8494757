"""Ops that move elements keep spikes and put each amplitude where its channel goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikec.ir import Analog, Array, B, Code, Dims, DType, Op, Sizes, Spikes, T, TensorType, ops
from spikec.ir.ops import Coordinates, Interpolation, PadMode, Rounding

CHANNELS = np.array([0.5, 1.0, 2.0, 4.0]).reshape(4, 1, 1)
SPIKES = Spikes(Array(CHANNELS), True, 3)
IMAGE = TensorType((T, B, 4, 3, 3), signal=SPIKES)
UNIFORM = replace(IMAGE, signal=Spikes(Array(np.array(0.5))))
NEAREST = ops.Resize(
    (6, 6), (2.0, 2.0), Interpolation.NEAREST, Coordinates.ASYMMETRIC, Rounding.FLOOR
)
MOVES = {
    "flatten": ops.Reshape((T, B, 36)),
    "merge-time-and-batch": ops.Reshape((T * B, 4, 9)),
    "permute": ops.Permute((-2, -1, -3)),
    "slice": ops.Slice(-3, 1, 4, 2),
    "slice-one": ops.Slice(-3, 2, 3),
    "gather": ops.Gather(Array(np.array([3, 0])), -3),
    "gather-table": ops.Gather(Array(np.array([[3, 0], [1, 1]])), -3),
    "flip": ops.Flip((-3, -1)),
    "roll": ops.Roll((1,), (-3,)),
    "pad": ops.Pad(((1, 1), (0, 2))),
    "pad-channels": ops.Pad(((1, 1), (0, 0), (0, 0))),
    "pad-reflect": ops.Pad(((2, 1), (0, 0), (0, 0)), PadMode.REFLECT),
    "crop": ops.Pad(((-1, 0), (-1, -1), (0, 0))),
    "expand": ops.Expand((T, B, 4, 3, 3)),
    "tile": ops.Tile((2, 1, 1)),
    "shuffle": ops.PixelShuffle(2),
    "unshuffle": ops.PixelUnshuffle(3),
    "nearest": NEAREST,
}


def events(type_: TensorType, sizes: Sizes, seed: int = 0) -> np.ndarray:
    """Draw events that the type allows."""
    assert isinstance(type_.signal, Spikes)
    rng = np.random.default_rng(seed)
    least = -type_.signal.levels if type_.signal.signed else 0
    counts = rng.integers(least, type_.signal.levels + 1, type_.shape(sizes))
    return counts * type_.signal.amplitude.data


def assert_spikes(type_: TensorType, values: np.ndarray) -> None:
    """Check values against their type: whole multiples of the amplitude, no more than allowed."""
    signal = type_.signal
    assert isinstance(signal, Spikes)
    assert signal.amplitude.ndim <= type_.rank
    assert np.broadcast_shapes(values.shape, signal.amplitude.shape) == values.shape
    assert (signal.amplitude.data > 0).all()
    counts = values / signal.amplitude.data
    np.testing.assert_array_equal(counts, np.round(counts))
    assert np.abs(counts).max() <= signal.levels
    assert signal.signed or counts.min() >= 0


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("source", [IMAGE, UNIFORM], ids=["per-channel", "uniform"])
def test_events_stay_whole_multiples_of_their_amplitudes(name: str, source: TensorType) -> None:
    op, sizes = MOVES[name], Sizes(batch=3, steps=2)
    (result,) = op.infer((source,))
    (values,) = op.run((events(source, sizes),), sizes)
    assert values.shape == result.shape(sizes)
    assert_spikes(result, values)


@pytest.mark.parametrize(
    ("name", "amplitude"),
    [
        ("flatten", np.repeat([0.5, 1, 2, 4], 9)),
        ("merge-time-and-batch", [[0.5], [1], [2], [4]]),
        ("permute", [0.5, 1, 2, 4]),
        ("slice", [[[1]], [[4]]]),
        ("slice-one", 2),
        ("gather", [[[4]], [[0.5]]]),
        ("flip", [[[4]], [[2]], [[1]], [[0.5]]]),
        ("roll", [[[4]], [[0.5]], [[1]], [[2]]]),
        ("crop", [[[1]], [[2]], [[4]]]),
        ("nearest", CHANNELS),
        ("shuffle", np.tile([[0.5, 1], [2, 4]], (3, 3))),
    ],
)
def test_amplitudes_move_along(name: str, amplitude: object) -> None:
    (result,) = MOVES[name].infer((IMAGE,))
    assert result.signal == Spikes(Array(np.array(amplitude, np.float64)), True, 3)


def test_channels_of_different_amplitudes_stand_side_by_side() -> None:
    low = TensorType((T, B, 2, 3), signal=Spikes(Array(np.array(0.5)), levels=2))
    high = TensorType((T, B, 1, 3), signal=Spikes(Array(np.array(2.0)), signed=True))
    (result,) = ops.Concat(-2).infer((low, high))
    expected = np.array([[0.5], [0.5], [2.0]])
    assert result.signal == Spikes(Array(expected), signed=True, levels=2)
    sizes = Sizes(2, 3)
    (values,) = ops.Concat(-2).run((events(low, sizes), events(high, sizes, 1)), sizes)
    assert_spikes(result, values)


def test_equal_amplitudes_stay_one_number() -> None:
    assert ops.Concat(-3).infer((UNIFORM, UNIFORM))[0].signal == UNIFORM.signal
    wide = replace(UNIFORM, signal=Spikes(Array(np.full((4, 1, 1), 0.5))))
    assert ops.Permute((-1, -2)).infer((wide,))[0].signal == UNIFORM.signal


def test_half_rate_spikes_move() -> None:
    half = replace(IMAGE, dims=(T / 2, B, 4, 3, 3))
    (result,) = ops.Reshape((T / 2, B, 36)).infer((half,))
    assert_spikes(
        result, ops.Reshape((T / 2, B, 36)).run((events(half, Sizes(2, 4)),), Sizes(2, 4))[0]
    )


def test_a_selection_of_no_channel_is_no_error() -> None:
    assert ops.Slice(-3, 1, 1).infer((IMAGE,))[0].dims == (T, B, 0, 3, 3)


@pytest.mark.parametrize(
    ("dims", "source"),
    [
        ((T, B * 4, 9), IMAGE.dims),
        ((T * B * 4, 9), IMAGE.dims),
        ((4, B, 9), (B, 4, 3, 3)),
    ],
)
def test_amplitudes_that_would_vary_along_the_batch_are_given_up(dims: Dims, source: Dims) -> None:
    image = IMAGE.with_dims(source)
    assert ops.Reshape(dims).infer((image,))[0].signal == Analog()


def test_a_channel_folded_into_the_batch_keeps_a_uniform_amplitude() -> None:
    (result,) = ops.Reshape((T, B * 4, 9)).infer((UNIFORM,))
    assert result.signal == UNIFORM.signal


@pytest.mark.parametrize(
    ("op", "operands"),
    [
        (ops.Concat(-3), (IMAGE, IMAGE.analog())),
        (ops.Concat(-3), (IMAGE, replace(IMAGE, signal=replace(SPIKES, code=Code.SUM)))),
        (ops.Pad(((1, 1),), value=0.3), (IMAGE,)),
        (ops.Resize((6, 6), (2.0, 2.0), Interpolation.LINEAR), (IMAGE,)),
        (ops.ReLU(), (IMAGE,)),
        (ops.Add(), (IMAGE, IMAGE)),
        (ops.Mul(), (IMAGE, IMAGE)),
        (ops.Where(), (replace(IMAGE, dtype=DType.BOOL), IMAGE, IMAGE)),
        (ops.Scale(Array(np.ones(4)), None, -3), (IMAGE,)),
        (ops.Conv(Array(np.ones((1, 4, 1, 1))), None, (1, 1), ((0, 0),) * 2, (1, 1)), (IMAGE,)),
        (ops.SumPool((2, 2), (1, 1), ((0, 0),) * 2, (1, 1)), (IMAGE,)),
        (ops.ReduceSum((-1,)), (IMAGE,)),
        (ops.CumSum(-1), (IMAGE,)),
        (ops.Softmax(-1), (IMAGE,)),
        (ops.Matmul(), (IMAGE, IMAGE)),
        (ops.Einsum("...ij->...ji"), (IMAGE,)),
        (ops.Cast(DType.I32), (IMAGE,)),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Op) else "",
)
def test_ops_that_compute_give_analog_values(op: Op, operands: tuple[TensorType, ...]) -> None:
    assert op.infer(operands)[0].signal == Analog()


def test_a_cast_between_floats_keeps_spikes() -> None:
    assert ops.Cast(DType.F64).infer((IMAGE,))[0].signal == IMAGE.signal
