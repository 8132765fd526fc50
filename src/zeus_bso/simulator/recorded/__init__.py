"""Traces that come with the package, recorded with ``zeus-bso record`` from the demo's training script."""

from __future__ import annotations

from pathlib import Path

DIGITS = Path(__file__).parent / "digits"
"""A small network that learns to read digits, on a CPU."""
