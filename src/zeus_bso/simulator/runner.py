"""Recurrences of a job, one after the other or overlapping, on recorded traces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from zeus_bso.protocol.words import FailReason, Outcome
from zeus_bso.simulator.draws import Draws, RunOutcome
from zeus_bso.simulator.traces import Pace, RecordedRun
from zeus_bso.simulator.world import SimulatedWorkload, drifted

MAX_ATTEMPTS = 100
"""Tries after which a recurrence is given up: some policy is stuck, and the simulation must end."""


@dataclass(frozen=True, slots=True)
class GivenTrial:
    """What a decider gave a recurrence to run.

    Attributes:
        number: Names it.
        batch_size: The size to run.
    """

    number: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class EpochReport:
    """A client's report after an epoch; cumulative.

    Attributes:
        time_s: Time since the run began [s].
        energy_j: Energy since then [J].
        metric: The hardest metric level that the run has reached; before the first, one step short of it.
        epoch: Epochs trained.
    """

    time_s: float
    energy_j: float
    metric: float
    epoch: int


@dataclass(frozen=True, slots=True)
class ReportAnswer:
    """What a decider says to a report.

    Attributes:
        outcome: Its decision; None: the run goes on.
        target_reached: The target is reached, whatever was decided.
    """

    outcome: Outcome | None
    target_reached: bool


class Decider(Protocol):
    """Gives batch sizes and judges reports: a policy in this process, a server, or a peer.

    Attributes:
        power_limit_w: The limit at which every run trains [W]; None: each new size is profiled.
    """

    power_limit_w: float | None

    def ask(self) -> GivenTrial:
        """Give the next try its batch size."""

    def report(self, trial: GivenTrial, report: EpochReport) -> ReportAnswer:
        """Take a report in."""

    def fail(self, trial: GivenTrial, reason: FailReason) -> None:
        """A try has ended without a decision."""


class Clock:
    """Simulated time.

    Attributes:
        now_s: Time since the simulation began [s].
    """

    def __init__(self) -> None:
        self.now_s = 0.0

    def advance(self, time_s: float) -> None:
        """Let time pass."""
        self.now_s += time_s


@dataclass(frozen=True, slots=True)
class Attempt:
    """One launch of the training script.

    Attributes:
        trial_number: The decider's name for it.
        batch_size: What it trained with.
        outcome: What was decided; None: it died.
        target_reached: The target was reached.
        epochs: Epochs paid for.
        energy_j: Energy paid for [J].
        time_s: Time paid for [s].
        began_s: Simulated time at its launch [s].
    """

    trial_number: int
    batch_size: int
    outcome: Outcome | None
    target_reached: bool
    epochs: int
    energy_j: float
    time_s: float
    began_s: float


@dataclass(slots=True)
class SimulatedRecurrence:
    """One recurrence: its tries, up to the one that reached the target.

    Attributes:
        index: From 0.
        attempts: In order.
    """

    index: int
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether the target was reached."""
        return bool(self.attempts) and self.attempts[-1].target_reached

    @property
    def energy_j(self) -> float:
        """Energy of all tries [J]."""
        return sum(one.energy_j for one in self.attempts)

    @property
    def time_s(self) -> float:
        """Time of all tries [s]."""
        return sum(one.time_s for one in self.attempts)


def simulate(
    world: SimulatedWorkload, decider: Decider, seed: int, recurrences: int | None = None
) -> list[SimulatedRecurrence]:
    """Run a job's recurrences.

    A recurrence is tried again until the target is reached, and pays for all its tries. With an overlap of k, up to
    k + 1 tries are under way: each one's reports are judged only when k more have asked.

    Args:
        world: Workload, GPU and scenario.
        decider: Chooses and judges.
        seed: Decides which recorded runs are taken.
        recurrences: How many; None: those of the world.
    """
    return Simulation(world, decider, seed).run(recurrences or world.recurrences)


class Simulation:
    """A simulation under way; :func:`simulate` for short.

    Args:
        world: Workload, GPU and scenario.
        decider: Chooses and judges.
        seed: Decides which recorded runs are taken.

    Attributes:
        clock: Simulated time; runs that overlap are added one after the other.
        limits_w: The power limits that profiling has found, by batch size [W].
    """

    def __init__(self, world: SimulatedWorkload, decider: Decider, seed: int) -> None:
        self.clock = Clock()
        self.limits_w: dict[int, float] = {}
        self._world = world
        self._decider = decider
        self._draws = Draws(world.runs, world.scenario, seed)

    def run(self, recurrences: int) -> list[SimulatedRecurrence]:
        """Run so many recurrences."""
        done = [SimulatedRecurrence(index) for index in range(recurrences)]
        under_way: deque[tuple[SimulatedRecurrence, GivenTrial, RunOutcome]] = deque()
        for recurrence in done:
            under_way.append(self._ask(recurrence))
            while len(under_way) > self._world.scenario.overlap:
                self._finish_oldest(under_way)
        while under_way:
            self._finish_oldest(under_way)
        return done

    def _ask(self, recurrence: SimulatedRecurrence) -> tuple[SimulatedRecurrence, GivenTrial, RunOutcome]:
        trial = self._decider.ask()
        return recurrence, trial, self._draws.next_run(trial.batch_size)

    def _finish_oldest(self, under_way: deque[tuple[SimulatedRecurrence, GivenTrial, RunOutcome]]) -> None:
        recurrence, trial, draw = under_way.popleft()
        recurrence.attempts.append(self._train(trial, draw, recurrence.index))
        if not recurrence.reached and len(recurrence.attempts) < MAX_ATTEMPTS:
            under_way.append(self._ask(recurrence))

    def _train(self, trial: GivenTrial, draw: RunOutcome, recurrence: int) -> Attempt:
        size = trial.batch_size
        factor = self._world.epochs_factor(size, recurrence) * draw.epochs_factor
        dearer = self._world.growth(recurrence) * draw.pace_factor
        accident = self._accident_epoch(draw, factor)
        began_s, wasted = self.clock.now_s, EpochReport(0.0, 0.0, 0.0, 0)
        report, answer = wasted, ReportAnswer(None, False)
        for metric in metrics(draw.run, factor):
            warm_up = self._world.warm_up(size) if report.epoch == 0 else 0.0
            if draw.preempted and report.epoch + 1 == accident:
                lost = self._pace(size, dearer * (1 + warm_up))
                wasted = EpochReport(lost.time_s, lost.energy_j, metric, 1)
                warm_up = self._world.warm_up(size)  # the restarted run pays it again
            pace = self._pace(size, dearer * (1 + warm_up))
            report = EpochReport(report.time_s + pace.time_s, report.energy_j + pace.energy_j, metric, report.epoch + 1)
            if draw.crashes and report.epoch == accident:
                self._decider.fail(trial, FailReason.ERROR)
                break
            self._profiled(size)
            answer = self._decider.report(trial, report)
            if answer.outcome is not None:
                break
        time_s = report.time_s + wasted.time_s
        self.clock.advance(time_s)
        return Attempt(
            trial_number=trial.number,
            batch_size=size,
            outcome=answer.outcome,
            target_reached=answer.target_reached,
            epochs=report.epoch + wasted.epoch,
            energy_j=report.energy_j + wasted.energy_j,
            time_s=time_s,
            began_s=began_s,
        )

    def _accident_epoch(self, draw: RunOutcome, factor: float) -> int:
        """The epoch in which the run crashes or is preempted; it is paid for as a whole."""
        planned = drifted(draw.run.target_epoch, factor) or self._world.max_epochs
        return 1 + int(draw.moment * min(planned, self._world.max_epochs))

    def _pace(self, batch_size: int, dearer: float) -> Pace:
        limit = self._decider.power_limit_w or self.limits_w.get(batch_size)
        world = self._world
        pace = world.profiling_paces[batch_size] if limit is None else world.paces[batch_size][limit]
        return pace.times(dearer)

    def _profiled(self, batch_size: int) -> None:
        self.limits_w.setdefault(batch_size, self._world.best_limits_w[batch_size])


def metrics(run: RecordedRun, factor: float = 1.0) -> Iterator[float]:
    """The metric after each epoch, without end: the hardest level that the recorded run has reached by then."""
    reached = sorted(
        (epoch, rank) for rank, recorded in enumerate(run.epochs) if (epoch := drifted(recorded, factor)) is not None
    )
    metric, hardest, epoch, position = run.floor, -1, 0, 0
    while True:
        epoch += 1
        while position < len(reached) and reached[position][0] <= epoch:
            hardest = max(hardest, reached[position][1])
            position += 1
        if hardest >= 0:
            metric = run.levels[hardest]
        yield metric
