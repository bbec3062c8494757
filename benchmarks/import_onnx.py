"""Compares imported ONNX models with onnxruntime, at batch 2 and 3.

    python -m benchmarks.import_onnx [--only light torch trained cases] [--models resnet18 …]
                                     [--json]

light: the models that ship inside the onnx package, as they are (their weights are all one and the
same number) and with random weights; their batch is fixed to 1, and is made dynamic where the model
allows it.  torch: the networks of benchmarks/models.py, exported by torch.onnx.export (dynamo) with
a dynamic batch; needs the extra `bench`.  trained: accuracy of the CIFAR-10 ResNet-20 beside the
checkout (SPIKEC_DATA names its folder).  cases: onnx's own node test cases for every op type that
the frontend claims.  Exit code 1 when a figure misses its bound.  With
--json the tables go to the standard error, and the same content as JSON to the standard output.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from benchmarks.round_trips import check_round_trips
from spikec.errors import SpikecError
from spikec.frontends.common import node_name
from spikec.frontends.onnx_graph import import_model
from spikec.ir import Graph
from spikec.ir.verify import verify
from spikec.runtime import run

BOUND = 1e-4
"""On max |spikec - onnxruntime| / max |onnxruntime|, in float32."""
ACCURACY = 0.916
BATCHES = (2, 3)


@dataclass(frozen=True)
class Row:
    """One comparison."""

    group: str
    model: str
    batch: int
    error: float
    nodes: int
    import_seconds: float
    run_seconds: float
    note: str = ""

    @property
    def ok(self) -> bool:
        """Within the bound, and finite."""
        return self.error <= BOUND


def compare(
    group: str,
    name: str,
    proto: ModelProto,
    batches: Iterable[int],
    draw: Callable[[int], dict[str, NDArray[Any]]] | None = None,
    **options: Any,
) -> Iterator[Row]:
    """Import once, then compare at each batch size; ``draw`` gives inputs other than noise."""
    start = time.perf_counter()
    graph = import_model(proto, name=name, **options)
    verify(graph)
    check_round_trips(graph)
    imported = time.perf_counter() - start
    session = _session(proto, dynamic=bool(options.get("dynamic_batch")))
    for batch in batches:
        feed = _noise(session, batch) if draw is None else draw(batch)
        expected = session.run(None, feed)
        start = time.perf_counter()
        got = run(graph, {node_name(name): array for name, array in feed.items()})
        seconds = time.perf_counter() - start
        results = got if isinstance(got, tuple) else (got,)
        error = max(_error(a, b) for a, b in zip(results, expected, strict=True))
        yield Row(group, name, batch, error, len(graph), imported, seconds)


def _session(proto: ModelProto, *, dynamic: bool) -> Any:
    """Give onnxruntime's session; with a dynamic batch, declared sizes of the batch are dropped."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if dynamic:
        changed = ModelProto()
        changed.CopyFrom(proto)
        weights = {tensor.name for tensor in changed.graph.initializer}
        for info in (*changed.graph.input, *changed.graph.output):
            if info.name not in weights:
                info.type.tensor_type.shape.dim[0].dim_param = "batch"
        proto = changed
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=providers)


def _noise(session: Any, batch: int) -> dict[str, NDArray[Any]]:
    """Normally distributed numbers for every input."""
    random = np.random.default_rng(batch)
    feed = {}
    for info in session.get_inputs():
        shape = [size if isinstance(size, int) else batch for size in info.shape]
        feed[info.name] = random.standard_normal(shape).astype(np.float32)
    return feed


def _error(got: NDArray[Any], expected: NDArray[Any]) -> float:
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def light_models(_: list[str]) -> Iterator[Row]:
    """The models inside the onnx package."""
    from tests.frontends.onnx_graph.light import LIGHT, with_random_weights

    for path in sorted(LIGHT.glob("light_*.onnx")):
        shipped = onnx.load(str(path))
        random = with_random_weights(onnx.load(str(path)))
        yield from compare("light, as shipped", path.stem, shipped, (1,))
        yield from compare("light, random weights", path.stem, random, (1,))
        try:
            yield from compare(
                "light, dynamic batch", path.stem, random, BATCHES, dynamic_batch=True
            )
        except SpikecError as error:
            places = ", ".join(p.where for p in error.problems)
            print(f"{path.stem}: the model fixes its batch in {places or error.what}")


def torch_models(names: list[str]) -> Iterator[Row]:
    """Networks of benchmarks/models.py through torch.onnx.export."""
    from benchmarks.exporting import exported_models

    group = "torch, dynamo export"
    for name, proto, draw in exported_models(names):
        try:
            yield from compare(group, name, proto, BATCHES, draw)
        except SpikecError as error:
            yield Row(group, name, 2, float("inf"), 0, 0.0, 0.0, str(error))


def trained_models(_: list[str]) -> Iterator[Row]:
    """Accuracy of the pretrained network; the row's error is what is missing to the bound."""
    from tests.frontends.onnx_graph.light import DATA

    path, data = DATA / "models" / "resnet20_cifar10.onnx", DATA / "data" / "cifar10_exact.npz"
    if not (path.exists() and data.exists()):
        print(f"skipped: {path.name} or {data.name} is not in the folder that SPIKEC_DATA names")
        return
    yield from compare("trained", path.stem, onnx.load(str(path)), BATCHES)
    start = time.perf_counter()
    graph = import_model(path)
    check_round_trips(graph)
    imported = time.perf_counter() - start
    start = time.perf_counter()
    correct, total = accuracy(graph, data)
    seconds = time.perf_counter() - start
    missing = max(0.0, ACCURACY - correct / total)
    note = f"accuracy {correct / total:.2%} ({correct} of {total})"
    yield Row("trained", path.stem, total, missing, len(graph), imported, seconds, note)


def accuracy(graph: Graph, data: Path) -> tuple[int, int]:
    """Count right answers on the test images, in batches of 128."""
    arrays = np.load(data)
    images, labels = arrays["test_x"], arrays["test_y"]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = ((images / 255 - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
    correct = 0
    for start in range(0, len(x), 128):
        scores: Any = run(graph, x[start : start + 128])
        correct += int((scores.argmax(1) == labels[start : start + 128]).sum())
    return correct, len(x)


def node_cases() -> dict[str, Any]:
    """Run onnx's node test cases; give counts per op, and every case that did not pass."""
    from tests.frontends.onnx_graph.node_cases import DIFFERENT, Outcome, judged

    verdicts = list(judged())
    passed = Counter(v.op for v in verdicts if v.outcome is Outcome.EQUAL)
    seen = Counter(v.op for v in verdicts)
    print(f"\n{'op':<28}{'cases':>6}{'equal':>6}")
    for op in sorted(seen):
        print(f"{op:<28}{seen[op]:>6}{passed[op]:>6}")
    counts = Counter(v.outcome.value for v in verdicts)
    print(f"{'all':<28}{len(verdicts):>6}{counts['equal']:>6}")
    left = [v for v in verdicts if v.outcome is not Outcome.EQUAL]
    print("\ncases that were skipped, and why")
    for verdict in left:
        reason = DIFFERENT.get(verdict.name, verdict.reason)
        print(f"{verdict.outcome.value:<10}{verdict.name}: {reason}")
    wrong = [v.name for v in left if v.outcome is Outcome.DIFFERENT and v.name not in DIFFERENT]
    return {
        "counts": dict(counts),
        "wrong": wrong,
        "skipped": {v.name: DIFFERENT.get(v.name, v.reason) for v in left},
    }


GROUPS: dict[str, Callable[[list[str]], Iterator[Row]]] = {
    "light": light_models,
    "torch": torch_models,
    "trained": trained_models,
}


def measured(groups: list[str], models: list[str]) -> Iterator[Row]:
    """Print and give one row per comparison."""
    print(f"{'group':<24}{'model':<28}{'batch':>6}{'error':>10}{'nodes':>7}{'import':>9}{'run':>9}")
    for group in (name for name in GROUPS if name in groups):
        for row in GROUPS[group](models):
            times = f"{row.import_seconds:>8.2f}s{row.run_seconds:>8.2f}s"
            verdict = f"  {row.note}" if row.ok else f"  beyond {BOUND:g}  {row.note}"
            head = f"{row.group:<24}{row.model:<28}{row.batch:>6}{row.error:>10.1e}{row.nodes:>7}"
            print(f"{head}{times}{verdict}".rstrip(), flush=True)
            yield row


def main() -> int:
    """Print a line per comparison, then the table of cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*GROUPS, "cases"], default=[*GROUPS, "cases"])
    parser.add_argument("--models", nargs="+", default=[], help="names of benchmarks/models.py")
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with contextlib.redirect_stdout(sys.stderr if options.as_json else sys.stdout):
        rows = list(measured(options.only, options.models))
        cases = node_cases() if "cases" in options.only else {}
    if options.as_json:
        content = {"bound": BOUND, "rows": [asdict(row) for row in rows], "cases": cases}
        print(json.dumps(content, indent=2))
    return int(any(not row.ok for row in rows) or bool(cases.get("wrong")))


if __name__ == "__main__":
    sys.exit(main())
