"""Recurrences of a job, one after the other or overlapping, on recorded traces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from zeus_bso.power.ledger import Difference
from zeus_bso.power.search import merged
from zeus_bso.protocol.power import PowerProfile
from zeus_bso.protocol.words import FailReason, Outcome
from zeus_bso.simulator.draws import Draws, RunOutcome
from zeus_bso.simulator.simulated_power import SimulatedPower, Spent
from zeus_bso.simulator.traces import RecordedRun
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
        time_s: Time since the run began, without what measuring power limits has cost [s].
        energy_j: Energy since then, likewise [J].
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
        power_limit_w: The limit at which every run trains [W]; None: the scenario says.
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
        profiling: What of it measuring power limits has cost, beyond the same training at the best limit.
        at_full_power: What the same epochs would have cost at full power.
    """

    trial_number: int
    batch_size: int
    outcome: Outcome | None
    target_reached: bool
    epochs: int
    energy_j: float
    time_s: float
    began_s: float
    profiling: Difference
    at_full_power: Spent


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


@dataclass(frozen=True, slots=True)
class _Launch:
    """A try under way.

    Attributes:
        recurrence: The recurrence that it belongs to.
        trial: What the decider gave it.
        draw: What chance has decided about it.
        profile: What was known about the power limits of its size when it was launched.
    """

    recurrence: SimulatedRecurrence
    trial: GivenTrial
    draw: RunOutcome
    profile: PowerProfile


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
        profiles: What runs have told about power limits, by batch size.
    """

    def __init__(self, world: SimulatedWorkload, decider: Decider, seed: int) -> None:
        self.clock = Clock()
        self.profiles: dict[int, PowerProfile] = {}
        self._world = world
        self._decider = decider
        self._draws = Draws(world.runs, world.scenario, seed)

    def run(self, recurrences: int) -> list[SimulatedRecurrence]:
        """Run so many recurrences."""
        done = [SimulatedRecurrence(index) for index in range(recurrences)]
        under_way: deque[_Launch] = deque()
        for recurrence in done:
            under_way.append(self._ask(recurrence))
            while len(under_way) > self._world.scenario.overlap:
                self._finish_oldest(under_way)
        while under_way:
            self._finish_oldest(under_way)
        return done

    def _ask(self, recurrence: SimulatedRecurrence) -> _Launch:
        trial = self._decider.ask()
        size = trial.batch_size
        profile = self.profiles.get(size) or self._world.unmeasured(size)
        return _Launch(recurrence, trial, self._draws.next_run(size), profile)

    def _finish_oldest(self, under_way: deque[_Launch]) -> None:
        launch = under_way.popleft()
        recurrence = launch.recurrence
        recurrence.attempts.append(self._train(launch))
        if not recurrence.reached and len(recurrence.attempts) < MAX_ATTEMPTS:
            under_way.append(self._ask(recurrence))

    def _train(self, launch: _Launch) -> Attempt:
        trial, draw, index = launch.trial, launch.draw, launch.recurrence.index
        size = trial.batch_size
        factor = self._world.epochs_factor(size, index) * draw.epochs_factor
        dearer = self._world.growth(index) * draw.pace_factor
        accident = self._accident_epoch(draw, factor)
        power = self._power(launch)
        epoch, spent, wasted, answer = 0, Spent(), Spent(), ReportAnswer(None, False)
        for metric in metrics(draw.run, factor):
            epoch += 1
            warm_up = self._world.warm_up(size) if epoch == 1 else 0.0
            if draw.preempted and epoch == accident:
                wasted = power.copy().train(dearer, warm_up)
                warm_up = self._world.warm_up(size)  # the restarted run pays it again
            spent += power.train(dearer, warm_up)
            if draw.crashes and epoch == accident:
                self._decider.fail(trial, FailReason.ERROR)
                break
            answer = self._report(trial, power, spent, metric, epoch)
            if answer.outcome is not None:
                break
        paid, began_s = spent + wasted, self.clock.now_s
        self.clock.advance(paid.time_s)
        return Attempt(
            trial_number=trial.number,
            batch_size=size,
            outcome=answer.outcome,
            target_reached=answer.target_reached,
            epochs=epoch + (1 if wasted.epochs else 0),
            energy_j=paid.energy_j,
            time_s=paid.time_s,
            began_s=began_s,
            profiling=power.difference,
            at_full_power=self._at_full_power(size, paid.epochs),
        )

    def _report(
        self, trial: GivenTrial, power: SimulatedPower, spent: Spent, metric: float, epoch: int
    ) -> ReportAnswer:
        size, beyond = trial.batch_size, power.difference
        if power.given_limit_w is None:
            self.profiles[size] = merged(self.profiles.get(size), power.profile, power.goal)
        report = EpochReport(spent.time_s - beyond.time_s, spent.energy_j - beyond.energy_j, metric, epoch)
        return self._decider.report(trial, report)

    def _accident_epoch(self, draw: RunOutcome, factor: float) -> int:
        """The epoch in which the run crashes or is preempted; it is paid for as a whole."""
        planned = drifted(draw.run.target_epoch, factor) or self._world.max_epochs
        return 1 + int(draw.moment * min(planned, self._world.max_epochs))

    def _power(self, launch: _Launch) -> SimulatedPower:
        world = self._world
        paces = world.paces[launch.trial.batch_size]
        given_w = self._decider.power_limit_w
        if given_w is None and world.scenario.power == "off":
            given_w = max(paces)
        return SimulatedPower(paces, world.goal, launch.profile, given_w)

    def _at_full_power(self, batch_size: int, epochs: float) -> Spent:
        pace = self._world.at_full_power(batch_size).times(epochs)
        return Spent(pace.time_s, pace.energy_j, epochs)


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
