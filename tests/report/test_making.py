"""A program that was searched for and fine-tuned says on its page how."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import spikec
from spikec.report.findings import gather
from spikec.report.page import page, pictures
from tests.report.conftest import Reported, digits_net
from tests.report.reading import Tree


def test_candidates_and_epochs_are_told(
    samples: tuple[NDArray[np.float32], NDArray[np.int64]], reported: Reported
) -> None:
    x, y = samples
    chosen = spikec.convert(digits_net(), (x, y), 4, max_drop=5)
    program = spikec.finetune(chosen, (x, y), epochs=2)
    found = gather(program, (x, y), program.steps, {})
    trials = program.record["search"]["trials"]
    tree = Tree(page(found))
    assert "making" in [section["id"] for section in tree.of("section")]
    assert {"search", "training"} <= {picture.name for picture in pictures(found)}
    rows = [row for row in tree.rows if row[:2] in [[t["recipe"], str(t["steps"])] for t in trials]]
    assert len(rows) == len(trials)
    (taken,) = [row for row in rows if row[-1].startswith("chosen")]
    (best,) = [t for t in trials if t["verdict"] == "chosen"]
    assert taken[2] == f"{best['drop']:.2f}"
    epochs = [row[0] for row in tree.rows if len(row) == 3 and row[2].endswith("%")]
    assert [str(record["epoch"]) for record in program.record["finetune"]["history"]] == epochs
    assert not reported.found.history
    assert reported.found.search is None
