"""The policies by name, behind one interface: what the server and the simulator run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from zeus_bso.common import Outcome
from zeus_bso.policy import early_stop, explanations, surrogate, zeus
from zeus_bso.policy.early_stop import Verdict
from zeus_bso.policy.explanations import BelievedCost, Explanation
from zeus_bso.policy.values import Choice, Conclusion, Knobs, Progress, Run, Situation, Sizes


class Policy(Protocol):
    """Decides what each recurrence runs and when it ends; pure."""

    @property
    def reads_curves(self) -> bool:
        """Whether :attr:`Run.curve` is looked at."""

    @property
    def explores_in_rounds(self) -> bool:
        """Whether the places, ``uncapped_open`` and the windows of a :class:`Situation` are looked at."""

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]; None: it is not."""

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: Run) -> tuple[int, ...]:
        """The sizes whose states, with the run's curve, :meth:`judge` looks at; mostly none."""

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
        """Judge a report of a trial of this generation."""

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> Conclusion:
        """Learn from a trial of this generation that was decided."""

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress after costs were worked out again."""

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The best size known; None before any has converged."""

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """What is believed about the cost of the sizes; one that nothing is known of is missing."""

    def explain(self, situation: Situation) -> Explanation:
        """Say what :meth:`choose` would choose now, and why."""


class ZeusPolicy:
    """The reference algorithm, of :mod:`zeus_bso.policy.zeus`."""

    reads_curves = False
    explores_in_rounds = True

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""
        return zeus.choose(
            situation.knobs,
            situation.progress,
            situation.sizes,
            situation.places,
            rng=rng,
            uncapped_open=situation.uncapped_open,
            windows=situation.windows,
        )

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]: ``beta_knob`` times the least cost; None: it is not."""
        return early_stop.cost_bound(knobs, progress.min_cost, uncapped=uncapped)

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: Run) -> tuple[int, ...]:
        """None."""
        return ()

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
        """Judge a report of a trial of this generation."""
        return early_stop.judge(
            knobs,
            cost=run.cost,
            metric=run.metric,
            epoch=run.epoch,
            bound=self.cost_bound(knobs, progress, uncapped=run.uncapped),
            non_finite_before=run.non_finite_before,
            final=run.final,
        )

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> Conclusion:
        """Learn from a trial of this generation that was decided."""
        return zeus.conclude(
            knobs,
            progress,
            sizes,
            batch_size=run.batch_size,
            outcome=outcome,
            cost=run.cost,
            epochs=run.epoch,
            uncapped=run.uncapped,
        )

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress as it is: it holds no costs but the least one."""
        return progress

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The live arm of the best mean; in Pruning the cheapest that converged."""
        return explanations.best_arm(knobs, progress, sizes)

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """The belief about each size that has observations; normal."""
        return explanations.arms_believed(knobs, sizes)

    def explain(self, situation: Situation) -> Explanation:
        """Say what :meth:`choose` would choose now, or with which chances, and why."""
        return explanations.explain_zeus(situation)


class SurrogatePolicy:
    """Ours, of :mod:`zeus_bso.policy.surrogate`; it draws no random numbers."""

    reads_curves = True
    explores_in_rounds = False

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""
        return surrogate.choose(situation)

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]: ``beta_knob`` times the incumbent's believed cost; None: it is not."""
        return surrogate.cost_bound(knobs, progress, uncapped=uncapped)

    def sizes_to_judge(self, knobs: Knobs, progress: Progress, run: Run) -> tuple[int, ...]:
        """The run's size and the incumbent, where the run may be stopped by its learning curve."""
        return surrogate.sizes_to_judge(knobs, progress, run)

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
        """Judge a report of a trial of this generation."""
        return surrogate.judge(knobs, progress, sizes, run)

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> Conclusion:
        """Learn from a trial of this generation that was decided."""
        reward = -zeus.observed_cost(knobs, outcome, run.cost, run.epoch, progress.min_cost)
        return surrogate.conclude(knobs, progress, sizes, run, outcome, reward=reward)

    def recalibrated(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Progress:
        """The progress with the incumbent and its cost as they are believed now."""
        return surrogate.recalibrated(knobs, progress, sizes)

    def best(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> int | None:
        """The incumbent."""
        return surrogate.incumbent_of(knobs, progress, sizes)

    def believed(self, knobs: Knobs, progress: Progress, sizes: Sizes) -> Mapping[int, BelievedCost]:
        """The belief about each size, as soon as a run has ended; lognormal."""
        return explanations.surrogate_believed(knobs, progress, sizes)

    def explain(self, situation: Situation) -> Explanation:
        """Say what :meth:`choose` would choose now, and why."""
        return explanations.explain_surrogate(situation)


_POLICIES: dict[str, Policy] = {"zeus": ZeusPolicy(), "surrogate": SurrogatePolicy()}


def policy_of(name: str) -> Policy:
    """The policy of a name.

    Raises:
        KeyError: There is none of this name.
    """
    return _POLICIES[name]
