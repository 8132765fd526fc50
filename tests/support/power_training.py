"""A training with power limits on a stand-in for a GPU, with the calls that the optimizer makes."""

from __future__ import annotations

from tests.support.power_card import PowerCard
from zeus_bso.client.meter import Meter
from zeus_bso.client.power.control import control_of
from zeus_bso.client.power.gpus import measured_gpus
from zeus_bso.client.single_process import SingleProcess
from zeus_bso.client.training_guard import TrainingGuard
from zeus_bso.monitor import EnergyMonitor
from zeus_bso.monitor.sensors.gpu import LimitedGpu
from zeus_bso.power.goal import PowerGoal, PowerPlan
from zeus_bso.protocol.power import PowerProfile

GOAL = PowerGoal("cost", 0.5, 700.0)
OPTIMIZE = PowerPlan("optimize", GOAL)


class Training:
    """A training on the card: steps, evaluations, and the calls that the optimizer makes."""

    def __init__(self, card: PowerCard, plan: PowerPlan = OPTIMIZE, offered: PowerProfile | None = None) -> None:
        self.card = card
        self.guard = TrainingGuard()
        self.monitor = EnergyMonitor([0])
        self.meter = Meter(self.monitor, "run")
        self.control = control_of(plan, self.monitor, SingleProcess(0), self.guard, "power")
        self.control.offered = offered
        self.control.begin()
        self.meter.open(self.guard)

    def epoch(self, steps: int, *, hooks: bool = True, evaluation_s: float = 0.3) -> None:
        for _ in range(steps):
            if hooks:
                self.control.begin_step()
            self.card.train_step()
            if hooks:
                self.control.end_step()
        self.card.clock.advance(evaluation_s)
        self.control.begin_evaluation()
        self.meter.close(self.guard)
        self.control.end_evaluation(self.meter)
        self.meter.open(self.guard)

    def epochs(self, number: int, steps: int = 40, *, hooks: bool = True, evaluation_s: float = 0.3) -> None:
        for _ in range(number):
            self.epoch(steps, hooks=hooks, evaluation_s=evaluation_s)

    def finish(self) -> PowerProfile:
        """Train until the best limit is known, and end the run. Returns the profile."""
        self.epochs(30)
        profile = self.profile
        self.control.close()
        return profile

    @property
    def profile(self) -> PowerProfile:
        profile = self.control.use().power_profile
        assert profile is not None
        return profile


def is_best(card: PowerCard) -> bool:
    """Whether the limit in force is within a step of 25 W of the best, or costs the same."""
    best_w = card.best_limit_w()
    return abs(card.limit_w - best_w) <= 25 or card.cost_per_step(card.limit_w) <= card.cost_per_step(best_w)


def gpu_of(card: PowerCard) -> LimitedGpu:
    (gpu,) = measured_gpus(EnergyMonitor([0]))
    return gpu
