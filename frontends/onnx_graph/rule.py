"""What a rule is, and how one is chosen by opset."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spikec.frontends.onnx_graph.call import Call
from spikec.frontends.onnx_graph.entries import Entry

Rule = Callable[[Call], "Entry | tuple[Entry, ...]"]
Rules = Mapping[int, Rule]
"""First opset of a meaning -> the rule for it."""


class UseBody(Exception):  # noqa: N818  (a rule's answer, not an error)
    """A rule declines in favour of the function body that the ONNX standard gives the op."""


def always(rule: Rule) -> Rules:
    """One rule for every opset."""
    return {1: rule}


def choose(rules: Rules, opset: int) -> Rule:
    """Give the newest meaning that is not newer than the model's opset."""
    return rules[max(since for since in rules if since <= opset)]
