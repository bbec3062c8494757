"""RULES and SCANS: what can be written in ONNX, and REFUSED: what cannot, and why."""

from __future__ import annotations

from collections.abc import Mapping

from spikec.backends.onnx_graph import (
    rules_affine,
    rules_math,
    rules_norm,
    rules_pool,
    rules_resize,
    rules_shape,
    rules_time,
    scan_coding,
    scan_fire,
    scan_windowed,
)
from spikec.backends.onnx_graph.rule import Rule
from spikec.backends.onnx_graph.scan import ScanRule
from spikec.ir import Op, ops

RULES: Mapping[type[Op], Rule] = {
    **rules_affine.RULES,
    **rules_math.RULES,
    **rules_norm.RULES,
    **rules_pool.RULES,
    **rules_resize.RULES,
    **rules_shape.RULES,
    **rules_time.RULES,
}
SCANS: Mapping[type[Op], ScanRule] = {
    **scan_fire.RULES,
    **scan_windowed.RULES,
    **scan_coding.RULES,
}
REFUSED: Mapping[type[Op], str] = {
    ops.GridSample: "runtimes differ in it; sample the input before the network",
    ops.Poisson: "ONNX has no seeded random numbers; encode with Repeat, or outside the model",
}
"""what to do about ops that this backend does not write"""
