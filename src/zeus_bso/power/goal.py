"""How to judge a power limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from zeus_bso.cost import zeus_cost
from zeus_bso.protocol.power import PowerPoint, PowerProfile

Objective = Literal["cost", "energy"]


@dataclass(frozen=True)
class PowerGoal:
    """The goal of the choice of a power limit.

    Attributes:
        objective: What to keep small: the cost, or the energy alone.
        eta_knob: Weight of energy against time in the cost.
        max_power_w: Sum of the devices' maximum power limits [W].
        max_slowdown: How many times longer than at full power an epoch may take at most. None for no bound.
    """

    objective: Objective
    eta_knob: float
    max_power_w: float
    max_slowdown: float | None = None

    def per_unit(self, point: PowerPoint) -> float:
        """What a unit of work costs at a limit [J]."""
        if self.objective == "energy":
            return point.power / point.rate
        return zeus_cost(point.power / point.rate, 1 / point.rate, self.eta_knob, self.max_power_w)

    def allows(self, point: PowerPoint, full: PowerPoint) -> bool:
        """Whether a limit keeps the bound on the slowdown.

        Args:
            point: The limit.
            full: Full power.
        """
        return self.max_slowdown is None or full.rate <= self.max_slowdown * point.rate

    def judge(self, profile: PowerProfile, point: PowerPoint) -> float:
        """What a unit of work costs at a limit [J]. Infinite if the limit is too slow."""
        full = profile.at(profile.highest)
        return self.per_unit(point) if full is None or self.allows(point, full) else math.inf

    def best(self, profile: PowerProfile | None) -> PowerPoint | None:
        """The best limit that was measured. None if none was. Of equal ones, the higher."""
        if profile is None or not profile.points:
            return None
        return min(profile.points, key=lambda point: (self.judge(profile, point), -point.limit))


class _StatesGoal(Protocol):
    """The settings of a job, as far as they are about power limits."""

    @property
    def eta_knob(self) -> float: ...
    @property
    def power_limit(self) -> Literal["off", "optimize"] | float: ...
    @property
    def power_goal(self) -> Objective | None: ...
    @property
    def max_slowdown(self) -> float | None: ...


def goal_of(job: _StatesGoal, max_power_w: float) -> PowerGoal:
    """The goal that a job's settings state.

    Args:
        job: The settings.
        max_power_w: Sum of the devices' maximum power limits [W].
    """
    # A bound on the slowdown does not change the goal: least energy would use up the bound wherever it can, also for
    # savings that are smaller than the time they take.
    return PowerGoal(job.power_goal or "cost", job.eta_knob, max_power_w, job.max_slowdown)


@dataclass(frozen=True)
class PowerPlan:
    """What a job wants of the power limits of its GPUs.

    Attributes:
        limit: ``off``, ``optimize``, or a limit for each GPU [W].
        goal: How ``optimize`` judges a limit.
    """

    limit: Literal["off", "optimize"] | float
    goal: PowerGoal


def plan_of(job: _StatesGoal, max_power_w: float) -> PowerPlan:
    """The plan that a job's settings state.

    Args:
        job: The settings.
        max_power_w: Sum of the devices' maximum power limits [W].
    """
    return PowerPlan(job.power_limit, goal_of(job, max_power_w))
