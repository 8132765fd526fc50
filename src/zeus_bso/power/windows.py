"""How long a power limit is measured. A window is long enough for the energy counter to move.

An energy counter is renewed in ticks, on NVIDIA GPUs about every 100 ms. Where it ticks faster, windows are shorter.
"""

from __future__ import annotations

SKIPPED_STEPS = 10
"""Steps at the start of a run that are not measured: compilers and caches are still at work."""

SETTLE_STEPS = 5
"""After a limit is set, at least so many steps pass before its window opens."""

SETTLE_TICKS = 5
"""So many ticks of the counter must pass, too, but at most :data:`SETTLE_S`."""

SETTLE_S = 0.5
"""The longest time that a limit needs to settle [s]."""

WINDOW_STEPS = 20
"""A window has at least so many steps if it is shorter than :data:`WINDOW_S`."""

WINDOW_TICKS = 20
"""A window that is shorter than :data:`WINDOW_S` has at least so many ticks of the counter."""

WINDOW_S = 2.0
"""A window of this length is long enough whatever the counter does [s]."""

LEAST_STEPS = 5
"""No window has fewer steps."""


def is_settled(steps: float, ticks: int, time_s: float) -> bool:
    """Whether a limit that was set is in force by now."""
    return steps >= SETTLE_STEPS and (ticks >= SETTLE_TICKS or time_s >= SETTLE_S)


def is_measured(steps: float, ticks: int, time_s: float) -> bool:
    """Whether a window is long enough."""
    if time_s >= WINDOW_S:
        return steps >= LEAST_STEPS and ticks > 0
    return steps >= WINDOW_STEPS and ticks >= WINDOW_TICKS
