"""Nodes without state, compared with PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch.nn import functional

from spikec.errors import UnsupportedModel
from spikec.ir import ops
from tests.frontends.nir_graph.nets import (
    BATCH,
    SIZE,
    STEPS,
    Numbers,
    chain,
    currents,
    imported,
    outputs,
    uniform,
)

W = uniform(0, 4, SIZE, low=-1)
IMAGE, ROW = (4, 7, 6), (4, 9)
KERNEL, BIAS = uniform(1, 6, 2, 3, 2, low=-1), uniform(2, 6, low=-1)
FULL = uniform(3, 6, 4, 3, 2, low=-1)


def conv2d(**fields: Any) -> Any:
    given = {
        "input_shape": IMAGE[1:],
        "weight": FULL,
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        "bias": BIAS,
    }
    return nir.Conv2d(**{**given, **fields})


def torched(rule: Callable[[Any], Any]) -> Callable[[Numbers], Numbers]:
    """Apply a rule of PyTorch to each step."""

    def apply(x: Numbers) -> Numbers:
        flat = torch.from_numpy(x.reshape(-1, *x.shape[2:])).double()
        y = rule(flat).numpy()
        return np.asarray(y.reshape(*x.shape[:2], *y.shape[1:]))

    return apply


def wide(array: Numbers) -> Any:
    return torch.from_numpy(array).double()


CASES: dict[str, tuple[Any, tuple[int, ...], Callable[[Any], Any]]] = {
    "Linear": (nir.Linear(W), (SIZE,), lambda x: x @ wide(W).T),
    "Affine": (nir.Affine(W, BIAS[:4]), (SIZE,), lambda x: x @ wide(W).T + wide(BIAS[:4])),
    "Scale": (nir.Scale(uniform(4, *ROW)), ROW, lambda x: x * wide(uniform(4, *ROW))),
    "Conv1d": (
        nir.Conv1d(9, FULL[..., 0], 2, 1, 2, 1, BIAS),
        ROW,
        lambda x: functional.conv1d(x, wide(FULL[..., 0]), wide(BIAS), 2, 1, 2),
    ),
    "Conv2d": (
        conv2d(stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        IMAGE,
        lambda x: functional.conv2d(x, wide(FULL), wide(BIAS), (2, 1), (1, 2), (1, 2)),
    ),
    "Conv2d in groups": (
        conv2d(weight=KERNEL, groups=2),
        IMAGE,
        lambda x: functional.conv2d(x, wide(KERNEL), wide(BIAS), groups=2),
    ),
    "Conv2d, same": (
        conv2d(padding="same"),
        IMAGE,
        lambda x: functional.conv2d(x, wide(FULL), wide(BIAS), padding="same"),
    ),
    "Conv2d, valid": (
        conv2d(padding="valid"),
        IMAGE,
        lambda x: functional.conv2d(x, wide(FULL), wide(BIAS)),
    ),
    "AvgPool2d": (
        nir.AvgPool2d(np.array([3, 2]), np.array([2, 2]), np.array([1, 0])),
        IMAGE,
        lambda x: functional.avg_pool2d(x, (3, 2), 2, (1, 0)),
    ),
    "SumPool2d": (
        nir.SumPool2d(np.array([3, 2]), np.array([2, 2]), np.array([1, 0])),
        IMAGE,
        lambda x: functional.avg_pool2d(x, (3, 2), 2, (1, 0)) * 6,
    ),
    "Flatten": (nir.Flatten({"input": np.array(IMAGE)}, 0), IMAGE, lambda x: x.flatten(1)),
    "Flatten of some axes": (
        nir.Flatten({"input": np.array(IMAGE)}, 1, 2),
        IMAGE,
        lambda x: x.flatten(2),
    ),
    "Threshold": (
        nir.Threshold(np.full(SIZE, 0.3, np.float32)),
        (SIZE,),
        lambda x: (x > 0.3).double(),
    ),
}


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", CASES)
def test_a_node_computes_what_pytorch_does(name: str) -> None:
    node, shape, rule = CASES[name]
    x = currents(0, *shape)
    expected = torched(rule)(x)
    found = imported(chain(node, shape=shape, out=expected.shape[2:]))
    np.testing.assert_allclose(outputs(found, x), expected, rtol=1e-5, atol=1e-5)


def test_delays_of_each_element() -> None:
    steps = np.array([0, 2, 1, 2, 5])
    x = currents()
    found = imported(chain(nir.Delay(steps * 0.5)), dt=0.5)
    expected = np.zeros_like(x)
    for element, late in enumerate(steps):
        expected[late:, :, element] = x[: STEPS - late, :, element]
    np.testing.assert_array_equal(outputs(found, x), expected)


def test_one_delay_for_all_is_one_op() -> None:
    found = imported(chain(nir.Delay(np.full(SIZE, 3.0))), dt=1.0)
    assert [n.op for n in found if isinstance(n.op, ops.Delay)] == [ops.Delay(3)]


@pytest.mark.parametrize(
    ("node", "shape", "told"),
    [
        (nir.Affine(W, BIAS), (SIZE,), "bias"),
        (nir.Linear(W), (2, SIZE), "a vector is expected"),
        (nir.Linear(W), (SIZE + 1,), "last axis"),
        (nir.Scale(np.ones(3)), (SIZE,), "scale of shape [3]"),
        (conv2d(input_shape=(9, 9)), IMAGE, "input_shape"),
        (conv2d(stride=(2, 2), padding="same"), IMAGE, "padding 'same'"),
        (conv2d(stride=np.array([1.5, 1])), IMAGE, "stride"),
        (conv2d(groups=4), IMAGE, "groups"),
        (conv2d(), (9,), "an operand"),
        (nir.SumPool2d(*np.array([[9, 9], [1, 1], [0, 0]])), IMAGE, ""),
        (nir.SumPool2d(*np.array([[2, 2], [1, 1], [0, 0]])), (SIZE,), "an operand"),
        (nir.Flatten({"input": np.array([3, 3])}, 0), IMAGE, "input_type"),
        (nir.Flatten({"input": np.array(IMAGE)}, 5), IMAGE, "axes"),
        (nir.Delay(np.full(SIZE, 0.3)), (SIZE,), "a delay"),
        (nir.Threshold(np.ones(2)), (SIZE,), "threshold"),
    ],
)
def test_what_does_not_fit_is_refused(node: Any, shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        imported(chain(node, shape=shape))
    (problem,) = caught.value.problems
    assert told in problem.what
    assert problem.where == "NIR node n0"


def test_a_delay_between_steps_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="whole number of steps"):
        imported(chain(nir.Delay(np.full(SIZE, 0.3))), dt=1.0)


def test_tensors_of_pytorch_may_stand_in_objects() -> None:
    node = nir.Affine(torch.from_numpy(W), torch.from_numpy(BIAS[:4]).requires_grad_())
    x = currents()
    assert outputs(imported(chain(node, out=(4,))), x).shape == (STEPS, BATCH, 4)
