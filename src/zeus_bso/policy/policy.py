"""The policies by name, behind one interface: what the server and the simulator run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from zeus_bso.policy import explanation, stop
from zeus_bso.policy.explanation import BelievedCost, Explanation
from zeus_bso.policy.state import Choice, ChoiceInput, Knobs, Lesson, Progress, RunState, Sizes
from zeus_bso.policy.stop import Verdict
from zeus_bso.policy.surrogate import past_learning, surrogate_algorithm
from zeus_bso.policy.zeus import zeus_algorithm
from zeus_bso.protocol.words import Outcome, Stage


class Policy(Protocol):
    """Decides what each recurrence runs and when it ends; pure."""

    @property
    def reads_curves(self) -> bool:
        """Whether :attr:`RunState.curve` is looked at."""

    @property
    def explores_in_rounds(self) -> bool:
        """Whether the places, ``uncapped_open`` and the windows of a :class:`ChoiceInput` are looked at."""

    def choose(self, choice_input: ChoiceInput, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]; None: it is not."""

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: RunState) -> tuple[int, ...]:
        """The sizes whose states, with the run's curve, :meth:`judge` looks at; mostly none."""

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState) -> Verdict:
        """Judge a report of a trial of this generation."""

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> Lesson:
        """Learn from a trial of this generation that was decided."""

    def learn_past_run(
        self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> Lesson | None:
        """Learn from a run that is no trial of the job; None: the policy learns from trials only.

        When all such runs are learnt, :meth:`recalibrated` is due.
        """

    def learn_past_epochs(
        self, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> tuple[Progress, Sizes] | None:
        """Learn from such a run of which only the epochs are known; None: the policy learns from trials only."""

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress after costs were worked out again."""

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The best size known; None before any has converged."""

    def advised(self, knobs: Knobs, sizes: Sizes) -> int | None:
        """The size that the job's ancestor has found best, while the job itself has not run; None: there is none."""

    def is_exploring(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> bool:
        """Whether the job has not settled on a size yet."""

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """What is believed about the cost of the sizes; one that nothing is known of is missing."""

    def explain(self, choice_input: ChoiceInput) -> Explanation:
        """Say what :meth:`choose` would choose now, and why."""


class ZeusPolicy:
    """The reference algorithm, of :mod:`zeus_bso.policy.zeus.zeus_algorithm`."""

    reads_curves = False
    explores_in_rounds = True

    def choose(self, choice_input: ChoiceInput, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""
        return zeus_algorithm.choose(
            choice_input.knobs,
            choice_input.progress,
            choice_input.sizes,
            choice_input.slots,
            rng=rng,
            uncapped_open=choice_input.uncapped_open,
            windows=choice_input.windows,
        )

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]: ``beta_knob`` times the least cost; None: it is not."""
        return stop.cost_bound(knobs, progress.min_cost, uncapped=uncapped)

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: RunState) -> tuple[int, ...]:
        """None."""
        return ()

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState) -> Verdict:
        """Judge a report of a trial of this generation."""
        return stop.judge(
            knobs.target,
            cost=run.cost,
            metric=run.metric,
            epoch=run.epoch,
            bound=self.cost_bound(knobs, progress, uncapped=run.uncapped),
            non_finite_before=run.non_finite_before,
            final=run.final,
        )

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> Lesson:
        """Learn from a trial of this generation that was decided."""
        return zeus_algorithm.conclude(
            knobs,
            progress,
            sizes,
            batch_size=run.batch_size,
            outcome=outcome,
            cost=run.cost,
            epochs=run.epoch,
            uncapped=run.uncapped,
        )

    def learn_past_run(
        self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> Lesson | None:
        """Nothing: rounds of pruning are made of trials."""
        return None

    def learn_past_epochs(
        self, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> tuple[Progress, Sizes] | None:
        """Nothing either."""
        return None

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress as it is: it holds no costs but the least one."""
        return progress

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The live arm of the best mean; in Pruning the cheapest that converged."""
        return explanation.best_arm(knobs, progress, sizes)

    def advised(self, knobs: Knobs, sizes: Sizes) -> int | None:
        """None: the reference algorithm takes over nothing."""
        return None

    def is_exploring(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> bool:
        """Whether the job is in Pruning."""
        return progress.stage is Stage.PRUNING

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """The belief about each size that has observations; normal."""
        return explanation.arms_believed(knobs, sizes)

    def explain(self, choice_input: ChoiceInput) -> Explanation:
        """Say what :meth:`choose` would choose now, or with which chances, and why."""
        return explanation.explain_zeus(choice_input)


class SurrogatePolicy:
    """Ours, of :mod:`zeus_bso.policy.surrogate.surrogate_algorithm`; it draws no random numbers."""

    reads_curves = True
    explores_in_rounds = False

    def choose(self, choice_input: ChoiceInput, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""
        return surrogate_algorithm.choose(choice_input)

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]: ``beta_knob`` times the incumbent's believed cost; None: it is not."""
        return surrogate_algorithm.cost_bound(knobs, progress, uncapped=uncapped)

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: RunState) -> tuple[int, ...]:
        """The run's size and the incumbent, where the run may be stopped by its learning curve."""
        return surrogate_algorithm.sizes_to_judge(knobs, progress, run)

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState) -> Verdict:
        """Judge a report of a trial of this generation."""
        return surrogate_algorithm.judge(knobs, progress, sizes, run)

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome) -> Lesson:
        """Learn from a trial of this generation that was decided."""
        reward = -zeus_algorithm.observed_cost(knobs, outcome, run.cost, run.epoch, progress.min_cost)
        return surrogate_algorithm.conclude(knobs, progress, sizes, run, outcome, reward=reward)

    def learn_past_run(
        self, knobs: Knobs, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> Lesson | None:
        """Learn from a run that is no trial of the job as from one of the job."""
        reward = -zeus_algorithm.observed_cost(knobs, outcome, run.cost, run.epoch, progress.min_cost)
        return past_learning.learn_past_run(knobs, progress, sizes, run, outcome, reward=reward)

    def learn_past_epochs(
        self, progress: Progress, sizes: Sizes, run: RunState, outcome: Outcome
    ) -> tuple[Progress, Sizes] | None:
        """Learn about epochs from a run that is no trial of the job."""
        return past_learning.learn_past_epochs(progress, sizes, run.batch_size, run.epoch, outcome)

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress with the incumbent and its cost as they are believed now."""
        return surrogate_algorithm.recalibrated(knobs, progress, sizes)

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The incumbent."""
        return surrogate_algorithm.incumbent_of(knobs, progress, sizes)

    def advised(self, knobs: Knobs, sizes: Sizes) -> int | None:
        """The size that the job's ancestor has found best, while the job itself has not run; None: there is none."""
        first = surrogate_algorithm.first_run_of(knobs, sizes)
        return first.batch_size if first else None

    def is_exploring(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> bool:
        """Whether another size than the incumbent is worth a try."""
        return surrogate_algorithm.is_exploring(knobs, progress, sizes)

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """The belief about each size, as soon as a run has ended; lognormal."""
        return explanation.surrogate_believed(knobs, progress, sizes)

    def explain(self, choice_input: ChoiceInput) -> Explanation:
        """Say what :meth:`choose` would choose now, and why."""
        return explanation.explain_surrogate(choice_input)


_POLICIES: dict[str, Policy] = {"zeus": ZeusPolicy(), "surrogate": SurrogatePolicy()}


def policy_of(name: str) -> Policy:
    """The policy of a name.

    Raises:
        KeyError: There is none of this name.
    """
    return _POLICIES[name]
