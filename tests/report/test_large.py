"""The page about a ResNet-20 on CIFAR-10 stays small, and its pictures are those of its layers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import spikec
from spikec.data import read_data
from tests.report.reading import Tree

DATA = Path(os.environ.get("SPIKEC_DATA", Path(__file__).parents[3] / "shared"))
MODEL = DATA / "models" / "resnet20_cifar10.onnx"
SAMPLES = DATA / "data" / "cifar10_exact.npz"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.slow
def test_a_page_about_a_residual_network_is_small(tmp_path: Path) -> None:
    if not (MODEL.is_file() and SAMPLES.is_file()):
        pytest.skip("ResNet-20 and CIFAR-10 are not here; SPIKEC_DATA names the folder")
    settings = spikec.Preprocess(1 / 255, MEAN, STD)
    train = read_data(f"{SAMPLES}:train").first(64)
    program = spikec.convert(str(MODEL), train, 32, "percentile", preprocess=settings)
    path = tmp_path / "report.html"
    found = program.report(path, read_data(f"{SAMPLES}:test").first(16))
    assert len(found.firing) == len(program.neurons) == 19
    assert path.stat().st_size < 2_000_000
    tree = Tree(path.read_text("utf-8"))
    labels = [svg["aria-label"] for svg in tree.of("svg")]
    for layer in program.neurons:
        assert sum(label.startswith(f"Events of one sample in {layer}:") for label in labels) == 1
        assert sum(label.startswith(f"Firing rates of {layer}:") for label in labels) == 1
