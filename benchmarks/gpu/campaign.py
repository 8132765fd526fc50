"""The whole benchmark on one card, within a budget of time; what it has is written after every step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.gpu import sensors
from benchmarks.gpu.child import Background, Json, in_child
from benchmarks.gpu.costs import evaluate_cost, hook_cost, profiling_cost, window_cost
from benchmarks.gpu.report import report
from benchmarks.gpu.sampler import Samples, sample
from benchmarks.gpu.training import DEFAULT_SIZE, SIZES, Task, calibrate, job_of, recurrence
from zeus_bso.client.connection.connect import transport_for
from zeus_bso.protocol.urls import JOB_URL, SAVINGS_URL, TRIALS_URL

JOB = "gpu-benchmark"
DEFAULT_JOB = "gpu-benchmark-default"
_FIRST_RUN_S = 15.0
_WRITING_S = 5.0


@dataclass(frozen=True)
class Plan:
    """How much to do.

    Attributes:
        recurrences: Recurrences of the job.
        defaults: Further runs of the default size, spread among them.
        repeats: At most so many further runs of each size, while time is left.
        epoch_s: How long an epoch of the default size should take [s].
        epochs: After how many epochs the default size should reach the target.
        budget_s: Nothing is begun that would not end by then [s].
        cold: Each child loads for itself what it needs.
    """

    recurrences: int
    defaults: int
    repeats: int
    epoch_s: float
    epochs: int
    budget_s: float
    cold: bool = False


class NoGpuInChildrenError(Exception):
    """A child cannot use the GPU: something that was loaded for it has touched the GPU, or there is none."""


class Campaign:
    """Runs the plan, and writes ``gpu.json`` into a folder after every step.

    Args:
        folder: Where the results, the samples and the job's database go.
    """

    def __init__(self, folder: Path, task: Task, plan: Plan) -> None:
        self._folder, self._task, self._plan = folder, task, plan
        self._began = time.monotonic()
        self._samples = folder / "samples.txt"
        self._url = f"sqlite:///{(folder / 'gpu.db').absolute()}"
        self._longest_s = _FIRST_RUN_S
        self.results: Json = {"default_size": DEFAULT_SIZE, "sizes": SIZES, "costs": {}, "runs": []}
        self.results["begun"] = {"monotonic_s": self._began, "time": time.strftime("%Y-%m-%d %H:%M:%S %Z")}

    def run(self) -> Json:
        """Do all of it."""
        if not self._plan.cold:
            load_what_children_need()
        sampler = Background(lambda: sample(self._samples))
        try:
            machine = self._step("machine", lambda result: sensors.machine(self._task.device, result))
            if "error" in machine and not self._plan.cold:
                raise NoGpuInChildrenError(machine["error"])
            if self._fit():
                self._measure_costs()
                self._recur()
                self._repeat()
                self._step("server", self._ask_server)
        except KeyboardInterrupt:
            self.results["interrupted"] = True
        finally:
            sampler.end()
            self._write()
        return self.results

    def _fit(self) -> bool:
        plan = self._plan
        fitted = self._step("fit", lambda result: calibrate(self._task, plan.epoch_s, plan.epochs, result))
        if "error" in fitted:
            return False
        self._task = Task(**fitted["task"])
        self._longest_s = max(self._longest_s, fitted["process_s"]) if self._plan.recurrences > 5 else 5.0
        return True

    def _measure_costs(self) -> None:
        task, costs = self._task, self.results["costs"]
        checks: dict[str, Callable[[Json], None]] = {
            "hook": lambda result: hook_cost(task, self._url, result),
            "window": lambda result: window_cost(task, result),
            "on_evaluate": lambda result: evaluate_cost(task, self._url, result),
            "profiling": lambda result: profiling_cost(task, result),
        }
        for name, check in checks.items():
            costs[name] = in_child(check, min(60.0, self._left_s()))
            print(f"{name}: {costs[name]}", flush=True)
            self._write()

    def _recur(self) -> None:
        """The job's recurrences, and among them, evenly, runs of the default size alone."""
        plan = self._plan
        defaults = 0
        for number in range(plan.recurrences):
            if not self._train(JOB, SIZES, seed=1 + number):
                return
            if (defaults + 1) * plan.recurrences <= (number + 1) * plan.defaults:
                defaults += 1
                self._train(DEFAULT_JOB, [DEFAULT_SIZE], seed=1000 + defaults)

    def _repeat(self) -> None:
        """Each size by itself, to its own end, while there is time: their curves and spreads."""
        for round_ in range(self._plan.repeats):
            # The sizes at the ends take longest and matter least.
            for size in sorted(SIZES, key=lambda size: abs(math.log2(size / 256))):
                if not self._train(f"gpu-benchmark-{size}", [size], seed=2000 + 100 * round_ + SIZES.index(size)):
                    return

    def _train(self, name: str, sizes: list[int], seed: int) -> bool:
        """Train once; False: there is no time for it."""
        if self._left_s() < 1.2 * self._longest_s:
            print(f"{self._left_s():.0f} s are left: no further run.", flush=True)
            return False
        job = job_of(self._task, name, sizes)
        until = time.monotonic() + self._left_s()
        run = in_child(
            lambda result: recurrence(self._task, self._url, job, seed, until, result), self._left_s() + _WRITING_S / 2
        )
        self.results["runs"].append(run)
        self._longest_s = max(_recent(self.results["runs"]))
        epochs = run.get("epochs", [])
        print(
            f"{time.monotonic() - self._began:5.0f} s  {name}: size {run.get('size')}, {len(epochs)} epochs, "
            f"{run.get('time_s', 0):.1f} s, {run.get('energy_j', 0):.0f} J, process {run['process_s']:.1f} s, "
            f"target {'reached' if run.get('target_reached') else 'not reached'}{_problem(run)}",
            flush=True,
        )
        self._write()
        return True

    def _ask_server(self, result: Json) -> None:
        """What the product itself says of the job."""
        transport = transport_for(self._url)
        for name, path in {"savings": SAVINGS_URL, "job": JOB_URL, "trials": TRIALS_URL}.items():
            answer = transport.request("GET", path, params={"job_id": JOB})
            result[name] = answer.body or answer.items

    def _step(self, name: str, work: Callable[[Json], None]) -> Json:
        result = self.results[name] = in_child(work, max(5.0, min(120.0, self._left_s())))
        print(f"{name}: {result if name != 'server' else ''}{_problem(result)}", flush=True)
        self._write()
        return result

    def _left_s(self) -> float:
        return self._began + self._plan.budget_s - _WRITING_S - time.monotonic()

    def _write(self) -> None:
        self.results["task"] = self._task.__dict__
        self.results["took_s"] = time.monotonic() - self._began
        self.results["report"] = report(self.results, Samples.read(self._samples))
        draft = self._folder / "gpu.json.part"
        draft.write_text(json.dumps(self.results, indent=1))
        draft.replace(self._folder / "gpu.json")


def load_what_children_need() -> None:
    """Load what every child would load for itself, seconds of which are no part of a training."""
    for name in ("torch._dynamo", "zeus_bso.server.app"):
        import_module(name)


def _recent(runs: list[Json]) -> list[float]:
    return [run["process_s"] for run in runs[-6:]]


def _problem(result: Json) -> str:
    return f"\n{result['error']}\n{result.get('traceback', '')}" if "error" in result else ""
