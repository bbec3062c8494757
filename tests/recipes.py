"""Recipes by what comes out of them."""

from __future__ import annotations

import spikec

SPIKING = tuple(name for name in spikec.recipes() if name != "quantised")
"""recipes of programs with neurons"""
