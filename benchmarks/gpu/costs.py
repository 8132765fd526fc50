"""What measuring and reporting cost a training on a busy GPU."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from itertools import takewhile
from typing import Protocol

import torch

from benchmarks.gpu.child import Json
from benchmarks.gpu.training import DEFAULT_SIZE, Task, Training, monitor_of, timed, wait
from zeus_bso import BatchSizeOptimizer, JobSpec
from zeus_bso.client.power.profiler import LimitSearch, StepProfiler
from zeus_bso.power.goal import PowerGoal
from zeus_bso.protocol.job_spec import PolicyOptions
from zeus_bso.protocol.power import PowerProfile

WINDOWS = 200
EVALUATIONS = 100
PAIRS = 200_000
BLOCKS = 20
_BUSY_S = 0.01
_PART_S = 8.0
_PROFILING_S = 50.0
_LEAST = 10


def window_cost(task: Task, result: Json) -> None:
    """What a pair of ``begin_window`` and ``end_window`` costs, on an idle and on a busy GPU."""
    monitor = monitor_of(task)

    def pair() -> None:
        monitor.begin_window("cost")
        monitor.end_window("cost")

    training = Training(task, DEFAULT_SIZE, seed=0)
    steps = _Steps(training)
    pair()
    result["idle_s"] = spread([timed(pair) for _ in range(WINDOWS)])
    busy = []
    for _ in _until(WINDOWS):
        steps.take(2)
        busy.append(timed(pair))
    wait(task.device)
    result["busy_s"] = spread(busy)


def evaluate_cost(task: Task, url: str, result: Json) -> None:
    """What ``on_evaluate`` costs while the GPU has work queued, in three ways of giving it the metric.

    ``number``: a plain number, nothing waits for the GPU. ``synchronised``: a plain number, after a synchronise, whose
    own time stands beside it. ``tensor``: a tensor on the GPU, for which the call itself must wait.
    """
    training = Training(task, DEFAULT_SIZE, seed=0)
    steps = _Steps(training)
    count = steps.for_seconds(_BUSY_S)
    for way in ("number", "synchronised", "tensor"):
        job = _job(f"evaluate-cost-{way}")
        took, waited = [], []
        with BatchSizeOptimizer(monitor_of(task), url, job, on_fail="stop") as bso:
            bso.get_batch_size()
            bso.on_train_begin()
            for _ in _until(EVALUATIONS):
                steps.take(count)
                waited.append(timed(lambda: wait(task.device)) if way == "synchronised" else 0.0)
                metric = torch.ones((), device=task.device) if way == "tensor" else 1.0
                took.append(timed(lambda metric=metric: bso.on_evaluate(metric)))  # type: ignore[misc]
                wait(task.device)
            bso.cancel()
        result[way] = spread(took[5:])
        if way == "synchronised":
            result["synchronise"] = spread(waited[5:])
    result["queued_s"] = timed(lambda: steps.finish(count))


def _until(count: int) -> Iterator[int]:
    """So many times, but on a slow machine for no longer than the part's time."""
    until = time.monotonic() + _PART_S
    return takewhile(lambda number: number < _LEAST or time.monotonic() < until, range(count))


def hook_cost(task: Task, url: str, result: Json) -> None:
    """What a pair of step hooks costs while nothing is measured: alone, and in steps with and without it, in turn."""
    with BatchSizeOptimizer(monitor_of(task), url, _job("hook-cost"), on_fail="stop") as bso:
        bso.get_batch_size()
        bso.on_train_begin()
        result["pair_s"] = statistics.median(_pair_s(bso) for _ in range(5))
        steps = _Steps(Training(task, DEFAULT_SIZE, seed=0))
        count = steps.for_seconds(0.1)
        plain, hooked = [], []
        for _ in _until(BLOCKS):
            plain.append(timed(lambda: steps.finish(count)) / count)
            hooked.append(timed(lambda: steps.finish(count, bso)) / count)
        bso.cancel()
    differences = [b - a for a, b in zip(plain, hooked, strict=True)]
    result |= {
        "step_s": statistics.median(plain),
        "difference_s": statistics.fmean(differences),
        "difference_error_s": statistics.stdev(differences) / len(differences) ** 0.5,
        "steps_in_a_block": count,
        "share_of_step": result["pair_s"] / statistics.median(plain),
    }


def profiling_cost(task: Task, result: Json) -> None:
    """What measuring power limits costs, and how much its windows differ. No limit is set: all windows are alike."""
    profile = PowerProfile(unit="step", lowest=100.0, highest=700.0)
    search = LimitSearch(profile, PowerGoal("cost", 0.5, 700.0), lambda limit_w: None, profile)
    profiler = StepProfiler(search, monitor_of(task), "profiling")
    steps = _Steps(Training(task, DEFAULT_SIZE, seed=0))
    count = steps.for_seconds(0.5)
    plain_s = [timed(lambda: steps.finish(count)) / count for _ in range(3)]
    began, taken = time.monotonic(), 0
    while not search.is_over and time.monotonic() < began + _PROFILING_S:
        steps.finish(count, _Hooks(profiler))
        taken += count
    measured_s = (time.monotonic() - began) / max(1, taken)
    points = search.profile.points
    result |= {
        "step_s": statistics.median(plain_s),
        "measured_step_s": measured_s,
        "took_s": time.monotonic() - began,
        "windows": sum(point.windows for point in points),
        "rate_sd": statistics.stdev(math.log(point.rate) for point in points),
        "power_sd": statistics.stdev(math.log(point.power) for point in points),
    }


class _Hooks:
    def __init__(self, profiler: StepProfiler) -> None:
        self.on_step_begin, self.on_step_end = profiler.begin_step, profiler.end_step


class _StepHooks(Protocol):
    def on_step_begin(self) -> None: ...

    def on_step_end(self) -> None: ...


def _pair_s(hooks: _StepHooks) -> float:
    began = time.perf_counter()
    for _ in range(PAIRS):
        hooks.on_step_begin()
        hooks.on_step_end()
    with_calls = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(PAIRS):
        pass
    return (with_calls - (time.perf_counter() - began)) / PAIRS


def _job(name: str) -> JobSpec:
    return JobSpec(
        job_id=name,
        job_id_prefix=name,
        batch_sizes=[DEFAULT_SIZE],
        default_batch_size=DEFAULT_SIZE,
        target_metric=-1.0,
        higher_is_better_metric=False,
        max_epochs=10 * EVALUATIONS,
        policy_options=PolicyOptions(curve_stop=False),
    )


class _Steps:
    """Steps on one batch again and again."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._batch = training.batch()
        self.take(3)
        wait(training.task.device)

    def take(self, count: int, hooks: _StepHooks | None = None) -> None:
        """Give the GPU some steps to do, without waiting for it."""
        for _ in range(count):
            if hooks is not None:
                hooks.on_step_begin()
            self._training.step(*self._batch)
            if hooks is not None:
                hooks.on_step_end()

    def finish(self, count: int, hooks: _StepHooks | None = None) -> None:
        """Take some steps to their end."""
        self.take(count, hooks)
        wait(self._training.task.device)

    def for_seconds(self, seconds: float) -> int:
        """How many steps take so long."""
        device = self._training.task.device
        count = 20 if device != "cpu" else 2
        step_s = timed(lambda: self.finish(count)) / count
        return max(1, round(seconds / step_s))


def spread(took_s: list[float]) -> Json:
    """Median, 95th percentile, largest and count."""
    ordered = sorted(took_s)
    return {
        "p50": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "max": ordered[-1],
        "count": len(ordered),
    }
