"""The policies by name, behind one interface: what the server and the simulator run."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from zeus_bso.common import Outcome
from zeus_bso.policy import early_stop, surrogate, zeus
from zeus_bso.policy.early_stop import Verdict
from zeus_bso.policy.values import Choice, Conclusion, Knobs, Progress, Run, Situation, Sizes


class Policy(Protocol):
    """Decides what each recurrence runs and when it ends; pure."""

    @property
    def reads_curves(self) -> bool:
        """Whether :attr:`Run.curve` is looked at."""

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]; None: it is not."""

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
        """Judge a report of a trial of this generation."""

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> Conclusion:
        """Learn from a trial of this generation that was decided."""


class ZeusPolicy:
    """The reference algorithm, of :mod:`zeus_bso.policy.zeus`."""

    reads_curves = False

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


class SurrogatePolicy:
    """Ours, of :mod:`zeus_bso.policy.surrogate`; it draws no random numbers."""

    reads_curves = True

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Choose what the next recurrence runs."""
        return surrogate.choose(situation)

    def cost_bound(self, knobs: Knobs, progress: Progress, *, uncapped: bool) -> float | None:
        """Cost at which a run is stopped [J]: ``beta_knob`` times the incumbent's believed cost; None: it is not."""
        return surrogate.cost_bound(knobs, progress, uncapped=uncapped)

    def judge(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run) -> Verdict:
        """Judge a report of a trial of this generation."""
        return surrogate.judge(knobs, progress, sizes, run)

    def conclude(self, knobs: Knobs, progress: Progress, sizes: Sizes, run: Run, outcome: Outcome) -> Conclusion:
        """Learn from a trial of this generation that was decided."""
        reward = -zeus.observed_cost(knobs, outcome, run.cost, run.epoch, progress.min_cost)
        return surrogate.conclude(knobs, progress, sizes, run, outcome, reward=reward)


_POLICIES: dict[str, Policy] = {"zeus": ZeusPolicy(), "surrogate": SurrogatePolicy()}


def policy_of(name: str) -> Policy:
    """The policy of a name.

    Raises:
        KeyError: There is none of this name.
    """
    return _POLICIES[name]
