"""CASES: the programs that every backend writes and runs equally, or refuses with a reason."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance import analog_cases, spiking_cases
from tests.conformance.case import Case, named

CASES: Mapping[str, Case] = named([*spiking_cases.cases(), *analog_cases.cases()])
