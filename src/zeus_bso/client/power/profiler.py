"""Measures a batch size at one power limit after another, until the best is known."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from zeus_bso.monitor.energy import finish_computing
from zeus_bso.monitor.interface import Monitor
from zeus_bso.monitor.sensors.gpu import is_computing
from zeus_bso.power.goal import PowerGoal
from zeus_bso.power.ledger import ProfilingLedger
from zeus_bso.power.measured import add_window
from zeus_bso.power.search import next_limit
from zeus_bso.power.windows import SKIPPED_STEPS, is_measured, is_settled
from zeus_bso.protocol.power import PowerPoint, PowerProfile

logger = logging.getLogger("zeus_bso")

DRIFT = math.log(1.2)
"""The pace at the chosen limit has changed if its logarithm has moved by more than this, in two windows in a row."""

_READING_SHARE = 40
"""The counter is read so seldom that opening a window takes at most this part of the time."""

_WAITING_S = 0.05
"""If GPUs must finish their work before the counter is read, it is read at most so often [s]."""

_GAP_S = 1.0
_GAP_STEPS = 10
"""A window is dropped if so much time, and the time of so many steps, lies between two steps. The script did something
else."""


@dataclass
class Window(ProfilingLedger):
    """Work under one limit.

    Attributes:
        ticks: How often the energy counter has moved.
    """

    ticks: int = 0

    def add(self, units: float, time_s: float, energy_j: float) -> None:
        """Count some work between two readings."""
        super().add(units, time_s, energy_j)
        self.ticks += energy_j > 0


class LimitSearch:
    """The search for the best limit of one batch size: what is known, and which limit is in force.

    Args:
        profile: What is known.
        goal: How limits are judged.
        set_limit: Sets the limit of all GPUs [W].
        anew: The empty profile to begin with if the pace has changed.

    Attributes:
        profile: What is known by now.
        limit_w: The limit in force [W].
        ledger: The work under measurement.
        is_over: Whether the best limit is known and confirmed in this run.
        has_measured: Whether this run has added to the profile.
    """

    def __init__(
        self, profile: PowerProfile, goal: PowerGoal, set_limit: Callable[[float], None], anew: PowerProfile
    ) -> None:
        self.profile = profile
        self._anew = anew
        self.ledger = ProfilingLedger()
        self.is_over = self.has_measured = False
        self._goal = goal
        self._set_limit = set_limit
        self._is_known = next_limit(profile, goal) is None
        self._drifts = 0
        self.limit_w = self._next()
        # A limit above the one that is allowed here cannot be confirmed.
        self.is_over = self.limit_w > anew.highest
        set_limit(self.limit_w)

    @property
    def chosen(self) -> PowerPoint | None:
        """The best limit so far. None before the first was measured."""
        return self._goal.best(self.profile)

    def count(self, units: int, time_s: float, energy_j: float) -> None:
        """Count work that was done under measurement. At a limit that is only confirmed, it costs nothing extra."""
        if not self._is_known:
            self.ledger.add(units, time_s, energy_j)

    def measured(self, window: Window) -> None:
        """Take a window at the limit in force into account, and go on to the next limit."""
        found = PowerPoint(limit=self.limit_w, power=window.energy_j / window.time_s, rate=window.units / window.time_s)
        if self._is_known:
            self._confirm(found)
            return
        self.has_measured = True
        self.profile = add_window(self.profile, found)
        self.is_over = next_limit(self.profile, self._goal) is None
        self._go_on()

    def _confirm(self, found: PowerPoint) -> None:
        """Compare the pace at the chosen limit with the one that is known. Begin anew if it has changed twice."""
        known = self.profile.at(self.limit_w)
        if known is None or abs(math.log(found.rate / known.rate)) <= DRIFT:
            self.is_over = True
            return
        self._drifts += 1
        if self._drifts < 2:
            return
        logger.info("The pace of this batch size has changed: its power limits are measured again.")
        self._is_known = False
        self.profile = self._anew
        self._go_on()

    def _go_on(self) -> None:
        self.limit_w = self._next()
        self._set_limit(self.limit_w)

    def _next(self) -> float:
        limit_w = next_limit(self.profile, self._goal)
        if limit_w is not None:
            return limit_w
        best = self._goal.best(self.profile)
        assert best is not None
        return best.limit


class StepProfiler:
    """Measures by steps, in windows within epochs. What the script does between steps does not count.

    Args:
        search: The search for the best limit.
        monitor: Measures time and energy.
        window: Name of its windows.
    """

    def __init__(self, search: LimitSearch, monitor: Monitor, window: str) -> None:
        self._search = search
        self._monitor = monitor
        self._name = window
        self._seen = self._steps = self._steps_in_epoch = 0
        self._steps_per_epoch: int | None = None
        self._is_open = self._settles = False
        self._opened_s = self._ended_s = self._step_s = 0.0
        self._cost_s = 0.0  # of opening the window, which closing it will about double
        self._window = Window()

    def begin_step(self) -> None:
        """Note that a step begins."""
        if self._seen < SKIPPED_STEPS:
            return
        if self._is_open and time.monotonic() - self._ended_s > max(_GAP_S, _GAP_STEPS * self._step_s):
            self._drop()
        if not self._is_open:
            self._open()

    def end_step(self) -> None:
        """Note that a step has ended. From time to time, read the counter."""
        self._seen += 1
        self._steps_in_epoch += 1
        if not self._is_open:
            return
        self._steps += 1
        self._ended_s = time.monotonic()
        open_s = self._ended_s - self._opened_s
        self._step_s = open_s / self._steps
        is_last = self._steps_in_epoch == self._steps_per_epoch
        if is_last or open_s >= self._least_s():
            self._read(reopens=not is_last)

    def end_epoch(self) -> None:
        """Drop the open window, because the script has evaluated since the last step."""
        self._steps_per_epoch = self._steps_in_epoch or self._steps_per_epoch
        self._steps_in_epoch = 0
        if self._is_open:
            self._drop()

    def _least_s(self) -> float:
        """How long a window stays open at least [s]."""
        return max(_READING_SHARE * self._cost_s, _WAITING_S if is_computing() else 0.0)

    def _open(self) -> None:
        finish_computing()
        self._reopen()

    def _reopen(self) -> None:
        began_s = time.monotonic()
        self._monitor.begin_window(self._name)
        self._is_open, self._steps, self._opened_s = True, 0, time.monotonic()
        self._ended_s, self._cost_s = self._opened_s, self._opened_s - began_s

    def _drop(self) -> None:
        self._is_open = False
        self._monitor.end_window(self._name)

    def _read(self, *, reopens: bool) -> None:
        finish_computing()
        self._is_open = False
        measured = self._monitor.end_window(self._name)
        self._search.count(self._steps, measured.time, measured.total_energy)
        self._window.add(self._steps, measured.time, measured.total_energy)
        self._judge()
        if reopens and not self._search.is_over:
            self._reopen()

    def _judge(self) -> None:
        window = self._window
        if not self._settles:
            if is_settled(window.units, window.ticks, window.time_s):
                self._settles, self._window = True, Window()
        elif is_measured(window.units, window.ticks, window.time_s):
            before_w = self._search.limit_w
            self._search.measured(window)
            # A limit that is measured once more has settled already.
            self._settles, self._window = before_w == self._search.limit_w, Window()
