"""Energy from counters, with checks. A counter value is used only if it is possible.

Counters start again from zero (a driver is loaded again, a device is reset), wrap, jump, stand still and fail. Then the
device's power over that time replaces the counter. If the power is not known either, the earlier mean power stands in,
and the time counts as unmeasured.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.units import duration, energy, plain

logger = logging.getLogger("zeus_bso")

MARGIN = 1.5
"""The largest power of a device, as a multiple of its limit. For short times it may exceed the limit."""

UNSTATED_LIMIT_W = 2000.0
"""The largest power of a device that states no limit [W]."""

_LAG_S = 0.2
"""The largest delay of a counter [s]. Most counters move in steps of up to 100 ms."""

_STILL_S = 0.3
"""A counter is stuck if it has not moved for this time while the device uses power [s]."""

_LEAST_W = 0.5
"""A device that uses less power may be idle, so that its counter does not move [W]."""


class CheckedEnergy:
    """The energy of one device.

    Args:
        name: Name of the device in messages.
        counter: Reads its energy counter [J]. None if it has none, and its power is integrated.
        power: Reads its power [W]. None if the device does not report it.
        limit_w: Its largest power [W]. None if it is not known.
        wraps_at_j: Energy after which the counter starts again from zero [J]. None if it does not.
        may_rest: Whether the device may use no energy for a long time.
        clock: Returns the time [s].

    Attributes:
        joules: Energy used since the first reading [J].
        unmeasured_s: Time without any measurement [s].
        trouble: The last problem. None if there has been none.
    """

    def __init__(
        self,
        name: str,
        *,
        counter: Callable[[], float] | None,
        power: Callable[[], float] | None,
        limit_w: float | None = None,
        wraps_at_j: float | None = None,
        may_rest: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._counter = counter
        self._power = power
        self._largest_w = MARGIN * (limit_w or UNSTATED_LIMIT_W)
        self._wraps_at_j = wraps_at_j
        self._may_rest = may_rest
        self._clock = clock
        self._said: set[str] = set()
        self.unmeasured_s = 0.0
        self.trouble: str | None = None
        # The anchor is the last reading at which the counter was credible. Other values may stand in for it since then.
        self._anchor_s = clock()
        self._anchor_j = 0.0 if counter is None else counter()
        self._stand_in_j = self._stand_in_unmeasured_s = 0.0
        self._stands_in = self._rested = False
        self._base_j, self._base_unmeasured_s = self._anchor_j, 0.0
        self.joules = self._base_j
        self._mean_w: float | None = None
        self._last_w = self._told_w()
        self._last_s = clock()

    def update(self) -> None:
        """Add the energy since the last reading."""
        before_s = self._clock()
        counted_j = self._counted_j()
        after_s = self._clock()
        self._note_power(self._told_w())
        if counted_j is None:
            if self._counter is not None:
                self._stand_in()
            else:
                self._rest_on_stand_in(before_s, 0.0)
            return
        # The reading itself takes time. This is an upper bound for the time of the counter.
        span_s = after_s - self._anchor_s
        step_j = counted_j - self._anchor_j
        if step_j < 0 and self._wraps_at_j is not None and self._can_be(step_j + self._wraps_at_j, span_s):
            step_j += self._wraps_at_j
        if not self._can_be(step_j, span_s):
            self._say("fell" if step_j < 0 else plain(f"jumped by {energy(step_j)} within {duration(span_s)}"))
            self._rest_on_stand_in(before_s, counted_j)
        elif step_j == 0 and not (self._may_rest or self._rested):
            if span_s >= _STILL_S:
                self._say("stands still")
                self._stand_in()
        elif self._stands_in and step_j < self._stand_in_j / 2:
            # The counter moves again, but has missed the time before.
            self._rest_on_stand_in(before_s, counted_j)
        else:
            self._believe(step_j, span_s, before_s, counted_j)

    def _believe(self, step_j: float, span_s: float, now_s: float, counted_j: float) -> None:
        self.joules = max(self.joules, self._base_j + step_j)
        self.unmeasured_s = self._base_unmeasured_s
        if span_s > _LAG_S or (self._mean_w is None and span_s > 0):
            self._mean_w = step_j / span_s
        self._anchor(now_s, counted_j)

    def _stand_in(self) -> None:
        """Let other values stand in until the counter is credible."""
        self._stands_in = True
        self.joules = max(self.joules, self._base_j + self._stand_in_j)
        self.unmeasured_s = self._base_unmeasured_s + self._stand_in_unmeasured_s

    def _rest_on_stand_in(self, now_s: float, counted_j: float) -> None:
        """Keep the other values for good, and count again from here."""
        self._stand_in()
        self._anchor(now_s, counted_j)

    def _anchor(self, now_s: float, counted_j: float) -> None:
        self._anchor_s, self._anchor_j = now_s, counted_j
        self._base_j, self._base_unmeasured_s = self.joules, self.unmeasured_s
        self._stand_in_j = self._stand_in_unmeasured_s = 0.0
        self._stands_in = self._rested = False

    def _note_power(self, told_w: float | None) -> None:
        """Add the energy since the last reading from the device's power, or from the earlier mean power."""
        now_s = self._clock()
        passed_s, self._last_s = now_s - self._last_s, now_s
        known_w = [power_w for power_w in (self._last_w, told_w) if power_w is not None]
        if told_w is None:
            self._stand_in_unmeasured_s += passed_s
        elif told_w <= _LEAST_W:
            self._rested = True
        mean_w = sum(known_w) / len(known_w) if known_w else self._mean_w or 0.0
        self._stand_in_j += passed_s * mean_w
        if told_w is not None or self._power is None:
            self._last_w = told_w
        if told_w is not None and self._counter is None:
            self._mean_w = told_w

    def _can_be(self, step_j: float, span_s: float) -> bool:
        return 0 <= step_j <= self._largest_w * (span_s + _LAG_S)

    def _counted_j(self) -> float | None:
        if self._counter is None:
            return None
        try:
            counted_j = self._counter()
        except (OSError, ValueError, ZeusBSOMonitorError) as error:
            self._say(f"cannot be read ({_reason(error)})")
            return None
        return counted_j if math.isfinite(counted_j) else None

    def _told_w(self) -> float | None:
        if self._power is None:
            return None
        try:
            told_w = self._power()
        except (OSError, ValueError, ZeusBSOMonitorError) as error:
            if self._counter is None:
                self._say(f"cannot be read ({_reason(error)})")
            return None
        return told_w if 0 <= told_w <= self._largest_w else None

    def _say(self, what: str) -> None:
        """Remember a problem, and log each kind of problem once."""
        subject = "power" if self._counter is None else "energy counter"
        self.trouble = f"The {subject} of {self._name} {what}"
        kind = what.split()[0]
        if kind not in self._said:
            self._said.add(kind)
            instead = (
                "its power stands in" if self._power is not None and self._counter is not None else "it is bridged"
            )
            logger.warning("%s: where that happens, %s as far as it can be.", self.trouble, instead)


def check_window(name: str, energy_j: float, time_s: float, limit_w: float | None) -> None:
    """Make sure that another package's measurement of a device is possible.

    Raises:
        ZeusBSOMonitorError: It is impossible.
    """
    largest_j = MARGIN * (limit_w or UNSTATED_LIMIT_W) * (time_s + _LAG_S)
    if not 0 <= energy_j <= largest_j:
        raise ZeusBSOMonitorError(plain(f"{name} cannot have used {energy(energy_j)} in {duration(time_s)}"))
    if energy_j == 0 and time_s >= 1:
        raise ZeusBSOMonitorError(
            plain(f"{name} cannot have used nothing in {duration(time_s)}: its counter stands still")
        )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__
