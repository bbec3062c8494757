"""Calibration: mergeable statistics of values, and rules that turn them into thresholds."""

from spikec.calibrate.histogram import Histogram, Range, rows_of
from spikec.calibrate.rules import RULES, Rule, RuleName, alive_scale
from spikec.calibrate.sweep import blocks, observe

__all__ = [
    "RULES",
    "Histogram",
    "Range",
    "Rule",
    "RuleName",
    "alive_scale",
    "blocks",
    "observe",
    "rows_of",
]
