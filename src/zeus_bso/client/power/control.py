"""The power limit of one run: which one it trains at, and what measuring others has cost."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence

from zeus_bso.client.distributed import Ranks
from zeus_bso.client.meter import Meter
from zeus_bso.client.power.gpus import measured_gpus, restore_dead_runs
from zeus_bso.client.power.limiter import PowerLimiter, PowerLimitError
from zeus_bso.client.power.profiler import LimitSearch, StepProfiler, Window
from zeus_bso.client.single_process import SingleProcess
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.monitor.adapters.adapt import adapt
from zeus_bso.monitor.adapters.codecarbon import CodeCarbonAdapter, TaskTracker
from zeus_bso.monitor.interface import Monitor
from zeus_bso.monitor.machine import host_id
from zeus_bso.monitor.sensors.gpu import LimitedGpu
from zeus_bso.power.goal import PowerGoal, PowerPlan
from zeus_bso.power.ledger import NO_DIFFERENCE, Difference
from zeus_bso.power.search import next_limit
from zeus_bso.protocol.power import PowerProfile, PowerUnit, PowerUse

_LEAST_SHARE = 0.2
"""No limit is below this share of full power. Some drivers state 0 W as the lowest limit."""


class PowerControl:
    """Sets the power limit of a run's GPUs, and measures which one is best. It raises no errors.

    Args:
        plan: What the job wants.
        gpus: The GPUs of this process.
        monitor: Measures windows within an epoch. None if the run measures by epochs.
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
        self._limiter = PowerLimiter(gpus)
        self._monitor = monitor
        self._ranks = ranks
        self._guard = guard
        self._window = window
        self.offered: PowerProfile | None = None
        self._pids: set[int] = set()
        self._search: LimitSearch | None = None
        self._by_steps: StepProfiler | None = None
        self._has_steps = self._waits_for_steps = False
        self._is_spoilt = True  # the first epoch is no measure of the others
        self._lowest_w = self._highest_w = 0.0
        self._limit_w: float | None = None
        self._acknowledged: PowerProfile | None = None
        self._error: str | None = None
        self.is_on = False
        _controls.add(self)

    def begin(self) -> None:
        """Take the GPUs, and set the limit if it is known, on every rank."""
        if self._plan.limit == "off":
            return
        self.is_on = True
        if not self._ranks.is_alone:
            processes = self._ranks.agree(lambda: (host_id(), os.getpid()))
            self._pids = {pid for host, pid in processes if host == host_id()}
        self._try(lambda: self._limiter.claim(self._pids))
        self._agree_on_error()
        if not self._find_range():
            return
        limit = self._plan.limit
        self._waits_for_steps = self._monitor is not None and limit == "optimize"
        if not isinstance(limit, str):
            self._try(lambda: self._set_limit(limit))
        elif (known := self._known_profile()) is not None:
            self._try(lambda: self._start(known))
        self._agree_on_error()

    def begin_step(self) -> None:
        """Note that a step begins."""
        if self._waits_for_steps:
            self._waits_for_steps, self._has_steps = False, True
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

    def end_evaluation(self, meter: Meter) -> None:
        """Take a part of the run up to an evaluation into account, on every rank. Set aside what measuring has cost.

        Args:
            meter: The time and energy of the run, whose latest window is this part.
        """
        if not self.is_on:
            return
        if self._goes_on() and self._plan.limit == "optimize" and not self._has_steps:
            self._measure_epoch(meter.window)
        meter.set_aside(self._ranks.share(self._difference))

    def use(self) -> PowerUse:
        """What a report tells about power limits. The profile is only in it while the server does not know it."""
        if self._search is None:
            return PowerUse(power_limit=self._told_limit(self._limit_w))
        profile = self._search.profile
        is_news = self._search.has_measured and profile is not self._acknowledged
        chosen = self._search.chosen
        limit_w = self._limit_w if chosen is None else chosen.limit
        return PowerUse(power_limit=self._told_limit(limit_w), power_profile=profile if is_news else None)

    def acknowledge(self, profile: PowerProfile | None) -> None:
        """Note that the server knows a profile."""
        if profile is not None:
            self._acknowledged = profile

    def restore(self) -> None:
        """Restore the limits that were found. If the run goes on, the next evaluation limits it again."""
        self._is_spoilt = True
        by_steps, self._by_steps = self._by_steps, None
        self._limiter.restore()
        if by_steps is not None:
            with self._guard("stop measuring power limits"):
                by_steps.end_epoch()

    def close(self) -> None:
        """Restore the limits that were found, for good."""
        self.is_on = self._waits_for_steps = False
        self._limiter.close()
        self.restore()

    def forget(self) -> None:
        """Forget everything, which belongs to the parent process. For a forked child."""
        self.is_on = self._waits_for_steps = False
        self._by_steps = None
        self._limiter.forget()

    def _measure_epoch(self, window: Difference | None) -> None:
        """Measure by epochs, for a script without step hooks. Rank 0 decides, and the others follow."""
        self._waits_for_steps = False
        if self._ranks.leads:
            self._try(lambda: self._search_by_epochs(window))
        limit_w = self._ranks.share(lambda: self._limit_w)
        if limit_w is not None and limit_w != self._limit_w:
            self._try(lambda: self._set_limit(limit_w))
        self._agree_on_error()
        self._is_spoilt = False

    def _search_by_epochs(self, window: Difference | None) -> None:
        if self._search is None:
            self._start(self._begun_profile("epoch"))
            return
        if self._search.is_over or self._is_spoilt or self._search.profile.unit != "epoch":
            return
        if window is not None and window.time_s > 0 and window.energy_j > 0:
            # Parts between evaluations are alike, whether an epoch has one evaluation or several.
            self._search.count(1, window.time_s, window.energy_j)
            self._search.measured(Window(1, window.time_s, window.energy_j, 1))

    def _goes_on(self) -> bool:
        """Take the GPUs again, if an end that the run has outlived has restored their limits on some rank."""
        if any(self._ranks.agree(lambda: self._limiter.is_restored)):
            self.restore()
            self._try(self._take_again)
            self._agree_on_error()
        return self.is_on

    def _take_again(self) -> None:
        self._limiter.claim(self._pids)
        if self._limit_w is not None:
            self._set_limit(self._limit_w)
        self._waits_for_steps = self._has_steps and self._search is not None and not self._search.is_over

    def _difference(self) -> Difference:
        return NO_DIFFERENCE if self._search is None else self._search.ledger.beyond(self._search.chosen)

    def _told_limit(self, limit_w: float | None) -> float | None:
        """The limit of a run [W]. None at full power, or if the run leaves the limits alone."""
        if not self.is_on or limit_w is None or limit_w >= self._highest_w:
            return None
        return max(limit_w, self._lowest_w)

    def _find_range(self) -> bool:
        """Find the limits that all ranks may set. False if the run leaves them alone."""
        if not self.is_on:
            return False
        ranges = [one for one in self._ranks.agree(lambda: self._limiter.range_w) if one is not None]
        self._highest_w = min((highest for _, highest in ranges), default=0.0)
        self._lowest_w = max((*(lowest for lowest, _ in ranges), _LEAST_SHARE * self._highest_w), default=0.0)
        if not 0 < self._lowest_w <= self._highest_w:
            self._error = "The GPUs of this training have no power limit in common."
        self._agree_on_error()
        return self.is_on

    def _known_profile(self) -> PowerProfile | None:
        """The profile that the server knows, if it says which limit is the best here."""
        offered = self.offered
        if offered is None or next_limit(offered, self._plan.goal) is not None:
            return None
        # Under some administrator's limit, a profile ended there.
        return offered if offered.highest >= self._highest_w else None

    def _start(self, profile: PowerProfile) -> None:
        """Start to search, or set the limit that is known."""
        anew = PowerProfile(
            unit=profile.unit, lowest=self._lowest_w, highest=self._highest_w, revision=profile.revision + 1
        )
        self._search = LimitSearch(profile, self._plan.goal, self._set_limit, anew)

    def _begun_profile(self, unit: PowerUnit) -> PowerProfile:
        """The profile that another run has begun, if its search may go on here, or else an empty one."""
        offered = self.offered
        revision = 0 if offered is None else offered.revision
        fresh = PowerProfile(unit=unit, lowest=self._lowest_w, highest=self._highest_w, revision=revision)
        if offered is None or offered.model_copy(update={"points": ()}) != fresh:
            return fresh
        return offered

    def _measure_by_steps(self) -> None:
        if self._limiter.is_restored:
            return
        with self._guard("measure power limits"):
            if self._search is None:
                self._start(self._begun_profile("step"))
            if self._search is not None and self._search.profile.unit == "step" and self._monitor is not None:
                self._by_steps = StepProfiler(self._search, self._monitor, self._window)

    def _at_step(self, act: Callable[[], None]) -> None:
        """Call the step profiler. After an error, or when the best limit is known, stop measuring."""
        with self._guard("measure power limits"):
            act()
            if self._search is None or self._search.is_over:
                self._by_steps = None
            return
        self.is_on = False
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
            self.is_on = self._waits_for_steps = False
            self.restore()


_controls: weakref.WeakSet[PowerControl] = weakref.WeakSet()
"""The controls of this process. A forked child forgets them: the limits are its parent's."""


def _forget_in_child() -> None:
    for control in tuple(_controls):
        control.forget()


os.register_at_fork(after_in_child=_forget_in_child)


def control_of(
    plan: PowerPlan, monitor: Monitor | TaskTracker, ranks: Ranks | SingleProcess, guard: TrainingGuard, window: str
) -> PowerControl:
    """The control of the power limit of a run. Before, restore the limits that dead runs have left on this machine.

    Args:
        plan: What the job wants.
        monitor: The monitor of this process.
        ranks: The ranks of the training.
        guard: Logs errors.
        window: Name of the windows that it measures.
    """
    with guard("restore the power limits that dead runs have left"):
        restore_dead_runs()
    if plan.limit == "off" or (ranks.rank != 0 and ranks.is_alone):
        return no_control(ranks, guard)
    gpus: list[LimitedGpu] = []
    with guard("find the GPUs whose power can be limited"):
        gpus = measured_gpus(monitor)
    own = adapt(monitor)
    # Ranks would have to agree at every step, and a tracker of CodeCarbon measures one window at a time.
    by_steps = ranks.is_alone and not isinstance(own, CodeCarbonAdapter)
    return PowerControl(plan, gpus, own if by_steps else None, ranks, guard, window)


def no_control(ranks: Ranks | SingleProcess, guard: TrainingGuard) -> PowerControl:
    """A control that leaves the power limits alone."""
    off = PowerPlan("off", PowerGoal("cost", 0.5, 0.0))
    return PowerControl(off, [], None, ranks, guard, "")
