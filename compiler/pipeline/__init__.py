"""Passes, their text form, and the runner that verifies the graph after each of them."""

from spikec.pipeline.base import (
    Approximately,
    Context,
    Exactly,
    Inputs,
    OnPart,
    Pass,
    Promise,
    check_option,
    first_of,
)
from spikec.pipeline.run import Pipeline, Step
from spikec.pipeline.spec import (
    parse_items,
    parse_pipeline,
    print_pass,
    print_pipeline,
    suggestion,
)

__all__ = [
    "Approximately",
    "Context",
    "Exactly",
    "Inputs",
    "OnPart",
    "Pass",
    "Pipeline",
    "Promise",
    "Step",
    "check_option",
    "first_of",
    "parse_items",
    "parse_pipeline",
    "print_pass",
    "print_pipeline",
    "suggestion",
]
