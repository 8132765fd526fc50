"""Experiment trackers behind one interface. Each is recognised by its methods, and none is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Protocol

Values = Mapping[str, str | int | float | bool]
"""What is logged, by name."""

_PREFIX = "zeus_bso/"

_EVALUATIONS_ALONE = 2
"""After so many evaluations at the same step of W&B, nobody else logs there."""


class Tracker(Protocol):
    """Where a run is logged. A thread of its own calls the methods, except :meth:`attach`."""

    def attach(self) -> None:
        """Look for what belongs to the thread of the training. That thread calls this before each event."""

    def config(self, values: Values) -> None:
        """Log what is known at the ask."""

    def evaluation(self, values: Values) -> None:
        """Log an evaluation."""

    def summary(self, values: Values) -> None:
        """Log the end of the run."""


def tracker_for(target: Any) -> Tracker | None:
    """The tracker of a target. None if it is none of those that are known."""
    if isinstance(target, ModuleType):
        if _has(target, "active_run", "MlflowClient"):
            return _Mlflow(target)
        target = getattr(target, "run", None)  # the module wandb
    if _has(target, "config", "summary", "log", "define_metric"):
        return _WandbRun(target)
    if _has(target, "add_scalar", "add_text"):
        return _SummaryWriter(target)
    return _Function(target) if callable(target) else None


def _has(target: object, *names: str) -> bool:
    return all(hasattr(target, name) for name in names)


def _prefixed(values: Values) -> dict[str, str | int | float | bool]:
    return {f"{_PREFIX}{name}": value for name, value in values.items()}


def _split(values: Values) -> tuple[dict[str, float], dict[str, str]]:
    """The numbers and the texts among some values."""
    numbers = {name: float(value) for name, value in values.items() if not isinstance(value, str | bool)}
    return numbers, {name: str(value) for name, value in values.items() if name not in numbers}


class _Function:
    """A function that takes what happened (``config``, ``evaluation`` or ``summary``) and a dict of values."""

    def __init__(self, function: Callable[[str, dict[str, Any]], object]) -> None:
        self._function = function

    def attach(self) -> None:
        pass

    def config(self, values: Values) -> None:
        self._function("config", dict(values))

    def evaluation(self, values: Values) -> None:
        self._function("evaluation", dict(values))

    def summary(self, values: Values) -> None:
        self._function("summary", dict(values))


class _SummaryWriter:
    """TensorBoard: scalars by epoch, and texts as tables."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def attach(self) -> None:
        pass

    def config(self, values: Values) -> None:
        self._table("config", values)

    def evaluation(self, values: Values) -> None:
        for name, value in _split(values)[0].items():
            if name != "epoch":
                self._writer.add_scalar(f"{_PREFIX}{name}", value, int(values["epoch"]))

    def summary(self, values: Values) -> None:
        self._table("summary", values)

    def _table(self, name: str, values: Values) -> None:
        rows = "".join(f"| {key} | {str(value).replace('|', '/')} |\n" for key, value in values.items())
        self._writer.add_text(f"{_PREFIX}{name}", f"| name | value |\n|---|---|\n{rows}", 0)
        self._writer.flush()


class _Mlflow:
    """The run of MLflow that is active where the script trains. Another thread knows of no active run."""

    def __init__(self, mlflow: Any) -> None:
        self._mlflow = mlflow
        self._run_id: str | None = None
        self._config: Values = {}

    def attach(self) -> None:
        active = self._mlflow.active_run()
        if active is not None:
            self._run_id = active.info.run_id

    def config(self, values: Values) -> None:
        self._config = values
        if self._run_id is not None:
            self._log_config(self._run_id)

    def evaluation(self, values: Values) -> None:
        self._log_numbers(values, step=int(values["epoch"]))

    def summary(self, values: Values) -> None:
        run_id = self._log_numbers(values, step=int(values["epoch"]))
        for name, value in _prefixed(_split(values)[1]).items():
            self._mlflow.MlflowClient().set_tag(run_id, name, value)

    def _log_numbers(self, values: Values, *, step: int) -> str:
        """Log the numbers, and before them what was known before the run began. Returns the id of the run."""
        if self._run_id is None:
            raise RuntimeError("MLflow has no active run: call mlflow.start_run() before the first evaluation")
        self._log_config(self._run_id)
        for name, value in _prefixed(_split(values)[0]).items():
            self._mlflow.MlflowClient().log_metric(self._run_id, name, value, step=step)
        return self._run_id

    def _log_config(self, run_id: str) -> None:
        values, self._config = self._config, {}
        for name, value in _prefixed(values).items():
            self._mlflow.MlflowClient().log_param(run_id, name, value)


class _WandbRun:
    """A run of W&B. Its step belongs to the script.

    W&B drops what a script logs for an earlier step than the current one. So values join the step at which the script
    is, and they advance it only where the script logs nothing itself.
    """

    def __init__(self, run: Any) -> None:
        self._run = run
        self._step = run.step
        self._shared = False
        self._waiting: list[dict[str, Any]] = []

    def attach(self) -> None:
        pass

    def config(self, values: Values) -> None:
        self._run.config.update(_prefixed(values), allow_val_change=True)
        self._run.define_metric(f"{_PREFIX}*", step_metric=f"{_PREFIX}epoch")

    def evaluation(self, values: Values) -> None:
        self._waiting.append(_prefixed(values))
        if self._run.step != self._step:
            self._shared = True
            self._run.log(self._waiting.pop(0), commit=False)
            self._step = self._run.step
        elif len(self._waiting) > _EVALUATIONS_ALONE and not self._shared:
            self._log_alone()

    def summary(self, values: Values) -> None:
        if self._shared and self._waiting:
            self._run.log(self._waiting.pop(), commit=False)
            self._waiting.clear()
        self._log_alone()
        self._run.summary.update(_prefixed(values))

    def _log_alone(self) -> None:
        while self._waiting:
            self._run.log(self._waiting.pop(0), commit=True)
        self._step = self._run.step
