"""Import a network from PyTorch and from ONNX, run both, and hold them against PyTorch.

python examples/import_and_run.py
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

import spikec
from spikec.report.rows import rows, totals


class Block(nn.Module):
    """Two convolutions with a shortcut around them, then a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.classify = nn.Linear(3, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.first(x)))
        y = torch.relu(self.second(y) + x)
        features: Tensor = self.classify(y.mean(dim=(2, 3)))
        return features


def write_onnx(path: Path, weight: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    """Write relu(x @ weight) with a free batch size."""
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size])
        for name, size in (("x", weight.shape[0]), ("y", weight.shape[1]))
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "weight"], ["product"], name="/product"),
        helper.make_node("Relu", ["product"], ["y"], name="/relu"),
    ]
    constants = [numpy_helper.from_array(weight, "weight")]
    graph = helper.make_graph(nodes, "small", ports[:1], ports[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


def from_torch() -> float:
    """Give the largest difference to PyTorch, as a share of its largest output."""
    torch.manual_seed(0)
    network = Block().eval()
    graph = spikec.import_model(network, torch.zeros(2, 3, 8, 8))
    for row in rows(graph):
        print(f"{row.name:<12} {row.op:<12} {', '.join(row.types):<20} {row.place}")
    print(f"captured by {graph.notes['capture']}; {totals(rows(graph)).macs:,} MACs per sample")
    x = torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        expected = network(x).numpy()
    found = np.asarray(spikec.runtime.run(graph, x))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def from_onnx() -> float:
    """Give the largest difference to the same formula in NumPy."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((6, 4)).astype(np.float32)
    x = rng.standard_normal((7, 6)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.onnx")
        write_onnx(path, weight)
        graph = spikec.import_model(path)
    expected = np.maximum(x @ weight, 0)
    found = np.asarray(spikec.runtime.run(graph, x))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def main() -> int:
    """Print both differences; exit code 1 if one is too large."""
    differences = {"PyTorch": from_torch(), "ONNX": from_onnx()}
    for source, difference in differences.items():
        print(f"imported from {source}: largest difference {difference:.1e}")
    return int(max(differences.values()) > 1e-4)


if __name__ == "__main__":
    sys.exit(main())
