"""A small program that knows digits, its samples, and the page about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import spikec
from spikec.ir import Array, B, Editor, Graph, TensorType, ops
from spikec.report.findings import Findings, gather
from spikec.report.page import page
from spikec.target import Target, load_target

STEPS = 8
TARGETS = ("loihi1", "onnx", "truenorth")


@dataclass(frozen=True)
class Reported:
    """A program with its samples, what was found, and the page."""

    program: spikec.Program
    data: tuple[NDArray[np.float32], NDArray[np.int64]]
    targets: dict[str, Target]
    found: Findings
    html: str


def digits_net(seed: int = 0) -> Graph:
    """Random features of random features, and a read-out fitted to digits by least squares."""
    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(80, 64)).astype(np.float32) / 8
    further = rng.normal(size=(96, 80)).astype(np.float32) / 9
    features = np.maximum(np.maximum(x[:1200] / 16 @ hidden.T, 0) @ further.T, 0)
    wanted = np.eye(10)[y[:1200]]
    readout, *_ = np.linalg.lstsq(np.c_[features, np.ones(1200)], wanted, rcond=None)
    edit = Editor(Graph("digits"), by="test")
    value = edit.input("image", TensorType((B, 64)))
    value = edit.add(ops.Linear(Array(hidden)), value, name="features")
    value = edit.add(ops.ReLU(), value, name="relu")
    value = edit.add(ops.ReLU(), edit.add(ops.Linear(Array(further)), value), name="relu_2")
    last = ops.Linear(Array(readout[:-1].T.copy(), "float32"), Array(readout[-1], "float32"))
    edit.output("logits", edit.add(last, value, name="classify"))
    return edit.graph


@pytest.fixture(scope="session")
def samples() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    x, y = load_digits(return_X_y=True)
    return (x[1200:1400] / 16).astype(np.float32), y[1200:1400].astype(np.int64)


@pytest.fixture(scope="session")
def reported(samples: tuple[NDArray[np.float32], NDArray[np.int64]]) -> Reported:
    program = spikec.convert(digits_net(), samples[0][:100], STEPS, "signed")
    targets = {name: load_target(name) for name in TARGETS}
    found = gather(program, samples, STEPS, targets)
    return Reported(program, samples, targets, found, page(found))


@pytest.fixture(scope="session")
def page_file(reported: Reported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(reported.html, "utf-8")
    return path
