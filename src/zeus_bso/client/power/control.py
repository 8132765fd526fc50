"""The power limit of one run: which one it trains at, and what measuring others has cost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from zeus_bso.client.distributed import Ranks
from zeus_bso.client.meter import Meter
from zeus_bso.client.power.gpus import measured_gpus
from zeus_bso.client.power.limiter import PowerLimiter, PowerLimitError
from zeus_bso.client.power.profiler import LimitSearch, StepProfiler, Window
from zeus_bso.client.single_process import SingleProcess
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.interface import Monitor
from zeus_bso.monitor.sensors.gpu import LimitedGpu
from zeus_bso.power.goal import PowerGoal, PowerPlan
from zeus_bso.power.ledger import Difference
from zeus_bso.power.search import next_limit
from zeus_bso.protocol.power import PowerProfile, PowerUnit, PowerUse

logger = logging.getLogger("zeus_bso")


class PowerControl:
    """Sets the power limit of a run's GPUs, and measures which one is best. It raises no errors.

    Args:
        plan: What the job wants.
        gpus: The GPUs of this process.
        monitor: Measures windows within an epoch. None in a training of several ranks, which measures by epochs.
        ranks: The ranks of the training. Every rank makes the same calls, except those at steps.
        guard: Logs errors.
        window: Name of its windows.

    Attributes:
        offered: What the server knows about the batch size.
        is_on: Whether the run limits its GPUs.
    """

    def __init__(
        self,
        plan: PowerPlan,
        gpus: Sequence[LimitedGpu],
        monitor: Monitor | None,
        ranks: Ranks | SingleProcess,
        guard: TrainingGuard,
        window: str,
    ) -> None:
        self._plan = plan
        self._limiter = PowerLimiter(gpus, has_ranks=monitor is None)
        self._monitor = monitor
        self._ranks = ranks
        self._guard = guard
        self._window = window
        self.offered: PowerProfile | None = None
        self._search: LimitSearch | None = None
        self._by_steps: StepProfiler | None = None
        self._has_evaluated = False
        self._lowest_w = self._highest_w = 0.0
        self._limit_w: float | None = None
        self._acknowledged: PowerProfile | None = None
        self._waits_for_steps = False
        self._error: str | None = None
        self.is_on = False

    def begin(self) -> None:
        """Take the GPUs, and set the limit if it is known, on every rank."""
        if self._plan.limit == "off":
            return
        self.is_on = True
        self._try(self._limiter.claim)
        self._agree_on_error()
        if not self._find_range():
            return
        limit = self._plan.limit
        self._waits_for_steps = self._monitor is not None and limit == "optimize"
        if not isinstance(limit, str):
            self._try(lambda: self._set_limit(limit))
        elif (offered := self.offered) is not None and next_limit(offered, self._plan.goal) is None:
            self._try(lambda: self._start(offered.unit))
        self._agree_on_error()

    def begin_step(self) -> None:
        """Note that a step begins."""
        if self._waits_for_steps:
            self._waits_for_steps = False
            self._measure_by_steps()
        if self._by_steps is not None:
            self._at_step(self._by_steps.begin_step)

    def end_step(self) -> None:
        """Note that a step has ended."""
        if self._by_steps is not None:
            self._at_step(self._by_steps.end_step)

    def begin_evaluation(self) -> None:
        """Note that the script has evaluated. The steps of this part of the run are over."""
        if self._by_steps is not None:
            self._at_step(self._by_steps.end_epoch)

    def end_evaluation(self, epochs: int, meter: Meter) -> None:
        """Take a part of the run up to an evaluation into account, on every rank. Set aside what measuring has cost.

        Args:
            epochs: Number of complete epochs in it.
            meter: The time and energy of the run, whose latest window is this part.
        """
        if not self.is_on:
            return
        self._go_on()
        if self._by_steps is None and self._plan.limit == "optimize":
            self._measure_epoch(epochs, meter.window)
        if self._search is not None:
            meter.set_aside(self._search.ledger.beyond(self._search.chosen))

    def _measure_epoch(self, epochs: int, window: Difference) -> None:
        self._waits_for_steps = False
        if self._ranks.leads:
            self._try(lambda: self._search_by_epochs(epochs, window))
        limit_w = self._ranks.share(lambda: self._limit_w)
        if limit_w is not None and limit_w != self._limit_w:
            self._try(lambda: self._set_limit(limit_w))
        self._agree_on_error()

    def _go_on(self) -> None:
        """Take the GPUs again, if an end that the run has outlived has restored their limits."""
        if self._limiter.is_claimed or self._limit_w is None or self._limiter.has_ranks:
            return
        best = None if self._search is None else self._search.chosen
        limit_w = self._limit_w if best is None else best.limit
        with self._guard("limit the power again"):
            self._limiter.claim()
            self._set_limit(limit_w)

    def use(self) -> PowerUse:
        """What a report tells about power limits. The profile is only in it while the server does not know it."""
        profile = None
        if self._search is not None and self._search.has_measured and self._search.profile is not self._acknowledged:
            profile = self._search.profile
        is_limited = self.is_on and self._limit_w is not None and self._limit_w < self._highest_w
        return PowerUse(power_limit=self._limit_w if is_limited else None, power_profile=profile)

    def acknowledge(self, profile: PowerProfile | None) -> None:
        """Note that the server knows a profile."""
        if profile is not None:
            self._acknowledged = profile

    def restore(self) -> None:
        """Restore the limits that were found. Measuring ends."""
        self._by_steps = None
        self._waits_for_steps = False
        self._limiter.restore()

    def _find_range(self) -> bool:
        """Find the limits that all ranks may set. False if the run leaves them alone."""
        if not self.is_on:
            return False
        ranges = [one for one in self._ranks.agree(lambda: self._limiter.range_w) if one is not None]
        self._lowest_w = max((lowest for lowest, _ in ranges), default=0.0)
        self._highest_w = min((highest for _, highest in ranges), default=0.0)
        if not 0 < self._lowest_w <= self._highest_w:
            self._error = "The GPUs of this training have no power limit in common."
            self._agree_on_error()
        return self.is_on

    def _start(self, unit: PowerUnit) -> None:
        """Start to search, or set the limit that is known."""
        offered = self.offered
        if offered is None or (next_limit(offered, self._plan.goal) is not None and not self._fits(offered, unit)):
            offered = PowerProfile(unit=unit, lowest=self._lowest_w, highest=self._highest_w)
        self._search = LimitSearch(offered, self._plan.goal, self._set_limit)

    def _fits(self, offered: PowerProfile, unit: PowerUnit) -> bool:
        """Whether a search that another run has begun may go on here."""
        here = (unit, self._lowest_w, self._highest_w)
        return (offered.unit, offered.lowest, offered.highest) == here

    def _measure_by_steps(self) -> None:
        with self._guard("measure power limits"):
            if self._search is None:
                self._start("step")
            if self._search is not None and self._search.profile.unit == "step" and self._monitor is not None:
                self._by_steps = StepProfiler(self._search, self._monitor, self._window)

    def _search_by_epochs(self, epochs: int, window: Difference) -> None:
        """Measure by epochs, for a script without step hooks. The first epoch is no measure of the others."""
        if self._search is None:
            self._start("epoch")
        search, is_first = self._search, not self._has_evaluated
        self._has_evaluated = True
        if search is None or search.is_over or is_first or search.profile.unit != "epoch":
            return
        if epochs > 0 and window.time_s > 0 and window.energy_j > 0:
            search.count(epochs, window.time_s, window.energy_j)
            search.measured(Window(epochs, window.time_s, window.energy_j, 1))

    def _at_step(self, act: Callable[[], None]) -> None:
        """Call the step profiler. After an error, or when the best limit is known, stop measuring."""
        with self._guard("measure power limits"):
            act()
            if self._search is None or self._search.is_over:
                self._by_steps = None
            return
        self.restore()

    def _set_limit(self, limit_w: float) -> None:
        self._limit_w = limit_w
        self._limiter.set_limit(limit_w)

    def _try(self, act: Callable[[], None]) -> None:
        """Do something on this rank. Note an error for :meth:`_agree_on_error`."""
        self._error = "Power limits cannot be used."
        with self._guard("use power limits"):
            try:
                act()
            except PowerLimitError as error:
                self._error = str(error)
            else:
                self._error = None

    def _agree_on_error(self) -> None:
        """If a rank has an error, let all restore their limits, and log it."""
        errors = [error for error in self._ranks.agree(lambda: self._error) if error is not None]
        if errors:
            self._guard.log_once(f"{errors[0]} The training goes on at full power.")
            self._error = None
            self.is_on = False
            self.restore()


def control_of(
    plan: PowerPlan, monitor: Monitor | TaskTracker, ranks: Ranks | SingleProcess, guard: TrainingGuard, window: str
) -> PowerControl:
    """The control of the power limit of a run.

    Args:
        plan: What the job wants.
        monitor: The monitor of this process.
        ranks: The ranks of the training.
        guard: Logs errors.
        window: Name of the windows that it measures.
    """
    if plan.limit == "off" or (ranks.rank != 0 and isinstance(ranks, SingleProcess)):
        return no_control(ranks, guard)
    gpus: list[LimitedGpu] = []
    with guard("find the GPUs whose power can be limited"):
        gpus = measured_gpus(monitor)
    own = adapt(monitor) if isinstance(ranks, SingleProcess) else None
    return PowerControl(plan, gpus, own, ranks, guard, window)


def no_control(ranks: Ranks | SingleProcess, guard: TrainingGuard) -> PowerControl:
    """A control that leaves the power limits alone."""
    off = PowerPlan("off", PowerGoal("cost", 0.5, 0.0))
    return PowerControl(off, [], None, ranks, guard, "")
