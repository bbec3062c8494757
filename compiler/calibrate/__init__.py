"""Calibration: mergeable statistics of values, and rules that turn them into thresholds."""

from spikec.calibrate.choice import chosen
from spikec.calibrate.histogram import Histogram, Range, rows_of
from spikec.calibrate.rules import RULES, Rule, RuleName, Share, alive_scale
from spikec.calibrate.spikes import PackedArrays, Spikes
from spikec.calibrate.sweep import (
    BLOCK,
    blocks,
    check_finite,
    counts_of,
    histograms,
    observe,
    ranges_of,
    rows_in,
)

__all__ = [
    "BLOCK",
    "RULES",
    "Histogram",
    "PackedArrays",
    "Range",
    "Rule",
    "RuleName",
    "Share",
    "Spikes",
    "alive_scale",
    "blocks",
    "check_finite",
    "chosen",
    "counts_of",
    "histograms",
    "observe",
    "ranges_of",
    "rows_in",
    "rows_of",
]
