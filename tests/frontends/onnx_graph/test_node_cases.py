"""onnx's own node test cases pass for every op type that the frontend claims."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import onnx
import pytest

from spikec.frontends.onnx_graph.rules import CLAIMED
from tests.frontends.onnx_graph.node_cases import DIFFERENT, Outcome, Verdict, judged

pytestmark = pytest.mark.slow
REFUSED = Path(__file__).with_name("refused_cases.txt")
NO_CASE = {"GlobalLpPool"}
"""Ops for which onnx ships no node test case."""


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return list(judged())


def test_no_case_gives_other_numbers(verdicts: list[Verdict]) -> None:
    different = {v.name: v.reason for v in verdicts if v.outcome is Outcome.DIFFERENT}
    assert different.keys() == DIFFERENT.keys(), different


def test_every_claimed_op_passes_a_case(verdicts: list[Verdict]) -> None:
    passed = {v.op for v in verdicts if v.outcome is Outcome.EQUAL}
    assert set(CLAIMED) - passed == NO_CASE


def test_only_listed_cases_are_refused(verdicts: list[Verdict]) -> None:
    header, *lines = REFUSED.read_text("utf-8").splitlines()
    version = header.split()[-1]
    if onnx.__version__ != version:
        pytest.skip(f"the list is that of onnx {version}, installed is {onnx.__version__}")
    listed = dict(line.split(": ", 1) for line in lines)
    refused = {v.name: v.reason for v in verdicts if v.outcome is Outcome.REFUSED}
    assert refused == listed


def test_most_cases_pass_with_all_operands_as_inputs(verdicts: list[Verdict]) -> None:
    counts: dict[bool, int] = defaultdict(int)
    for verdict in verdicts:
        if verdict.outcome is Outcome.EQUAL:
            counts[len(verdict.inputs) > 0] += 1
    assert counts[True] > 4 * counts[False]
