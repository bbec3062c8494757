"""Says where a program loses against its network: how much of it each layer adds, and why."""

from spikec.diagnosis.layers import diagnose
from spikec.diagnosis.parts import CAUSES, Diagnosis, LayerDiagnosis, Part
from spikec.diagnosis.units import QUANTA, counted, real_quanta

__all__ = [
    "CAUSES",
    "QUANTA",
    "Diagnosis",
    "LayerDiagnosis",
    "Part",
    "counted",
    "diagnose",
    "real_quanta",
]
