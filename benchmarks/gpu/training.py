"""The training that recurs: a network learns from a generated teacher, and its epochs depend on the batch size.

An example is a sequence of tokens; a fixed random network maps each token to a few outputs, and a wide network learns
the map with Adam, whose learning rate follows the square root of the batch size. The metric is the part of the
outputs' variance that is left unexplained on tokens that were never trained on; lower is better. Examples are generated
anew for every epoch, so that nothing overfits and no file is read.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from benchmarks.gpu.child import Json
from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec
from zeus_bso.client.scaling import square_root_learning_rate
from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.protocol.job_spec import PolicyOptions

SIZES = [32, 64, 128, 256, 512, 1024, 2048, 4096]
DEFAULT_SIZE = 1024
MAX_EPOCHS = 60
INPUTS, TEACHER, OUTPUTS = 32, 64, 8
_GENERATED_AT_ONCE = 1 << 20
_WARM_UP_STEPS, _TIMED_STEPS = 20, 40


@dataclass(frozen=True)
class Task:
    """What is trained.

    Attributes:
        device: Where, as PyTorch names it.
        width: Width of the network.
        tokens: Tokens in an example.
        learning_rate: Of Adam, at the default batch size.
        examples: Examples in an epoch; a multiple of the largest batch size.
        validation: Tokens that the metric is taken on.
        target: The metric to reach.
    """

    device: str
    width: int = 2048
    tokens: int = 16
    learning_rate: float = 3e-4
    examples: int = SIZES[-1]
    validation: int = 1 << 16
    target: float = 0.0


class Training:
    """One training, from a fresh network on.

    Args:
        task: What is trained.
        batch_size: Examples per step.
        seed: Of the network's start and of the examples; the teacher is always the same.
    """

    def __init__(self, task: Task, batch_size: int, seed: int) -> None:
        torch.set_float32_matmul_precision("high")
        self.task, self.batch_size = task, batch_size
        self._teacher: torch.nn.Module = _teacher(task)
        self._generator = torch.Generator(task.device).manual_seed(seed)
        torch.manual_seed(seed)
        width = task.width
        self._student = torch.nn.Sequential(
            torch.nn.Linear(INPUTS, width),
            torch.nn.GELU(),
            torch.nn.Linear(width, width),
            torch.nn.GELU(),
            torch.nn.Linear(width, width),
            torch.nn.GELU(),
            torch.nn.Linear(width, OUTPUTS),
        ).to(task.device)
        rate = square_root_learning_rate(task.learning_rate, DEFAULT_SIZE, batch_size)
        self._optimizer = torch.optim.Adam(self._student.parameters(), lr=rate, fused=task.device != "cpu")
        unseen = torch.Generator(task.device).manual_seed(1)
        self._unseen = torch.randn(task.validation, INPUTS, device=task.device, generator=unseen)
        with torch.no_grad():
            self._expected = self._teacher(self._unseen)

    def epoch(self) -> None:
        """Train on every example of an epoch; the GPU may still be at it on return."""
        left = self.task.examples
        while left:
            count = min(left, max(self.batch_size, _GENERATED_AT_ONCE // self.task.tokens))
            left -= count
            inputs = torch.randn(count * self.task.tokens, INPUTS, device=self.task.device, generator=self._generator)
            with torch.no_grad():
                outputs = self._teacher(inputs)
            tokens = self.batch_size * self.task.tokens
            for begin in range(0, len(inputs), tokens):
                self.step(inputs[begin : begin + tokens], outputs[begin : begin + tokens])

    def step(self, inputs: torch.Tensor, outputs: torch.Tensor) -> None:
        """Take one step of the optimizer."""
        self._optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.mse_loss(self._student(inputs), outputs).backward()
        self._optimizer.step()

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch that may be trained on again and again, where only the time matters."""
        inputs = torch.randn(self.batch_size * self.task.tokens, INPUTS, device=self.task.device)
        with torch.no_grad():
            return inputs, self._teacher(inputs)

    def evaluate(self) -> float:
        """The part of the variance that is left unexplained; waits for the GPU."""
        wrong = torch.zeros((), device=self.task.device)
        with torch.no_grad():
            for begin in range(0, self.task.validation, 1 << 14):
                part = slice(begin, begin + (1 << 14))
                wrong += (self._student(self._unseen[part]) - self._expected[part]).square().sum()
            return float(wrong / (self._expected - self._expected.mean(0)).square().sum())


def _teacher(task: Task) -> torch.nn.Module:
    """The map that is learnt: always the same, whatever the device."""
    generator = torch.Generator().manual_seed(12345)
    layers = torch.nn.Linear(INPUTS, TEACHER), torch.nn.Linear(TEACHER, OUTPUTS)
    with torch.no_grad():
        for layer in layers:
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 2 / layer.in_features**0.5)
            layer.bias.zero_()
    return torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1]).to(task.device)


def calibrate(task: Task, epoch_s: float, epochs: int, result: Json) -> None:
    """Fit the task to the machine: at the default size an epoch takes so long, and so many epochs reach the target.

    It notes the fitted ``task``, the ``step_s`` of the default size, and the learning ``curve`` that set the target.
    """
    training = Training(task, DEFAULT_SIZE, seed=0)
    inputs, outputs = training.batch()
    for _ in range(_WARM_UP_STEPS if task.device != "cpu" else 1):
        training.step(inputs, outputs)
    wait(task.device)
    steps = _TIMED_STEPS if task.device != "cpu" else 3
    began = time.perf_counter()
    for _ in range(steps):
        training.step(inputs, outputs)
    wait(task.device)
    step_s = (time.perf_counter() - began) / steps
    batches = max(1, round(epoch_s / step_s * DEFAULT_SIZE / SIZES[-1]))
    task = replace(task, examples=min(batches * SIZES[-1], 1 << 22))
    training, curve = Training(task, DEFAULT_SIZE, seed=0), []
    for _ in range(epochs):
        began = time.perf_counter()
        training.epoch()
        curve.append({"metric": training.evaluate(), "time_s": time.perf_counter() - began})
    target = math.sqrt(curve[-1]["metric"] * curve[-2]["metric"])
    result |= {"task": asdict(replace(task, target=target)), "step_s": step_s, "curve": curve}


def job_of(task: Task, name: str, sizes: list[int]) -> JobSpec:
    """The job as a user would write it; of a single size, without any bound, so that every run ends at the target."""
    settings: Json = {} if len(sizes) > 1 else {"beta_knob": None, "policy_options": PolicyOptions(curve_stop=False)}
    return JobSpec(
        job_id=name,
        job_id_prefix=name,
        batch_sizes=sizes,
        default_batch_size=DEFAULT_SIZE if DEFAULT_SIZE in sizes else sizes[0],
        target_metric=task.target,
        higher_is_better_metric=False,
        max_epochs=MAX_EPOCHS,
        **settings,
    )


def recurrence(task: Task, url: str, job: JobSpec, seed: int, until: float, result: Json) -> None:
    """Train once as the job's next recurrence.

    It notes the size, the totals, and of each epoch: its number, metric, time [s], energy [J], where its window lies on
    the monotonic clock, and how long ``on_evaluate`` took. A run that is not over by ``until`` is given up.
    """
    began = time.monotonic()
    monitor = monitor_of(task)
    devices = monitor.devices()
    result |= {"job": job.job_id, "seed": seed, "source": monitor.source.value, "model": devices.gpu_model}
    result |= {"max_power_w": devices.max_power_w, "time_s": 0.0, "energy_j": 0.0, "target_reached": False}
    epochs = result["epochs"] = []
    with BatchSizeOptimizer(monitor, url, job, on_fail="stop") as bso:
        size = result["size"] = bso.get_batch_size()
        result["trial"] = bso.trial_number
        asked = time.monotonic()
        training = Training(task, size, seed)
        wait(task.device)
        opened = time.monotonic()
        result["setup_s"] = {"ask": asked - began, "build": opened - asked}
        bso.on_train_begin()
        while not bso.training_finished:
            training.epoch()
            metric = training.evaluate()
            entered = time.monotonic()
            bso.on_evaluate(metric)
            left, state = time.monotonic(), bso.state_dict()
            time_s, energy_j = float(str(state["time"])), float(str(state["energy"]))
            epochs.append(
                {
                    "epoch": len(epochs) + 1,
                    "metric": metric if math.isfinite(metric) else None,
                    "time_s": time_s - result["time_s"],
                    "energy_j": energy_j - result["energy_j"],
                    "window": [opened, entered],
                    "on_evaluate_s": left - entered,
                }
            )
            result |= {"time_s": time_s, "energy_j": energy_j, "target_reached": metric <= task.target}
            opened = left
            if left > until and not bso.training_finished:
                result["given_up"] = True
                bso.cancel()
                break


def monitor_of(task: Task) -> EnergyMonitor:
    """The product's monitor of the GPU; beside a training on the CPU, of one that is stood in for; else of the CPU."""
    for gpu_indices in (None, [0]) if task.device != "cpu" else ([0],):
        try:
            monitor = EnergyMonitor(gpu_indices)
        except ZeusBSOMonitorError:
            continue
        if monitor.gpu_indices:
            return monitor
    return EnergyMonitor(gpu_indices=[])


def wait(device: str) -> None:
    """Wait until the GPU has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()


def timed(call: Callable[[], object]) -> float:
    """How long a call takes [s]."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
