"""Recorded traces: learning curves by batch size, and time and power by batch size and power limit.

A folder of traces holds ``workloads.csv``, ``summary_train.csv`` and one ``summary_power_GPU.csv`` for each GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from zeus_bso.simulator.trace_rows import Key, TraceError, boolean, epoch, finite, positive, positive_int, read_rows

WORKLOADS_CSV = "workloads.csv"
TRAIN_CSV = "summary_train.csv"
POWER_CSV = "summary_power_{gpu}.csv"

WORKLOAD_COLUMNS = (
    "dataset",
    "network",
    "optimizer",
    "target_metric",
    "higher_is_better",
    "max_epochs",
    "default_batch_size",
)
TRAIN_COLUMNS = (
    "dataset",
    "network",
    "batch_size",
    "optimizer",
    "learning_rate",
    "run",
    "target_metric",
    "target_epoch",
)
POWER_COLUMNS = (
    "dataset",
    "network",
    "batch_size",
    "optimizer",
    "power_limit",
    "time_per_epoch",
    "average_power",
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Workload:
    """A recurring training task of a trace folder.

    Attributes:
        name: ``dataset/network``, with the optimizer where two workloads would else share a name.
        key: Dataset, network and optimizer.
        target_metric: Metric at which a run has converged.
        higher_is_better: Whether the metric rises as the model improves.
        max_epochs: A run that has not converged by then has missed its target.
        default_batch_size: The batch size in use before anything is optimised.
    """

    name: str
    key: Key
    target_metric: float
    higher_is_better: bool
    max_epochs: int
    default_batch_size: int


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One recorded run: which metric levels it reached, and when.

    Attributes:
        levels: Metric levels, the easiest first.
        epochs: Epoch at which each was reached, a whole one where it was recorded; None: never.
        target_epoch: Epoch at which the workload's target was reached; None: never.
        floor: Metric of a run that has not reached the first level: one step short of it.
    """

    levels: tuple[float, ...]
    epochs: tuple[float | None, ...]
    target_epoch: float | None
    floor: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What an epoch takes at one batch size and power limit.

    Attributes:
        time_s: Time per epoch [s].
        power_w: Average power [W].
    """

    time_s: float
    power_w: float

    @property
    def energy_j(self) -> float:
        """Energy per epoch [J]."""
        return self.time_s * self.power_w

    def times(self, factor: float) -> Pace:
        """An epoch that takes so many times the time, at the same power."""
        return Pace(self.time_s * factor, self.power_w)


def pace_at(paces: Mapping[float, Pace], limit_w: float) -> Pace:
    """What an epoch takes at a power limit. Between two recorded limits, time and power change evenly.

    Args:
        paces: What was recorded, by power limit [W].
        limit_w: The limit. Beyond the recorded ones it is as at the nearest of them.
    """
    if limit_w in paces:
        return paces[limit_w]
    limits = sorted(paces)
    times_s, powers_w = zip(*((paces[limit].time_s, paces[limit].power_w) for limit in limits), strict=True)
    return Pace(float(np.interp(limit_w, limits, times_s)), float(np.interp(limit_w, limits, powers_w)))


@dataclass(frozen=True, slots=True)
class Pair:
    """One workload on one GPU: all that a simulation needs to know.

    Attributes:
        workload: The workload.
        gpu: The GPU, as the power trace's file names it.
        runs: Recorded runs by batch size, ascending; the sizes are those that both traces know.
        paces: Time and power per epoch, by batch size and power limit [W], both ascending.
        max_power_w: The GPU's largest recorded power limit [W].
        default_batch_size: The workload's default, capped at the largest size in the GPU's trace.
    """

    workload: Workload
    gpu: str
    runs: Mapping[int, tuple[RecordedRun, ...]]
    paces: Mapping[int, Mapping[float, Pace]]
    max_power_w: float
    default_batch_size: int

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The sizes to choose from, ascending."""
        return tuple(self.runs)

    @property
    def power_limits_w(self) -> tuple[float, ...]:
        """The power limits of this workload in the GPU's trace, ascending [W]."""
        return tuple(sorted({limit for limits in self.paces.values() for limit in limits}))

    @property
    def recurrences(self) -> int:
        """How often the paper's experiment trains: 2 x (batch sizes) x (power limits)."""
        return 2 * len(self.batch_sizes) * len(self.power_limits_w)


@dataclass(frozen=True, slots=True)
class Traces:
    """A trace folder that has been read.

    Attributes:
        folder: Where it was read from.
        workloads: Its workloads, in the order of the file.
        gpus: Its GPUs, by name.
        runs: Recorded runs, by workload and batch size.
        paces: Time and power per epoch, by GPU, workload, batch size and power limit [W].
    """

    folder: Path
    workloads: tuple[Workload, ...]
    gpus: tuple[str, ...]
    runs: Mapping[Key, Mapping[int, tuple[RecordedRun, ...]]]
    paces: Mapping[str, Mapping[Key, Mapping[int, Mapping[float, Pace]]]]

    def pairs(self, workloads: tuple[str, ...] = ("all",), gpus: tuple[str, ...] = ("all",)) -> tuple[Pair, ...]:
        """The pairs of workload and GPU that are asked for, and recorded.

        Args:
            workloads: Names: ``dataset/network``, or a dataset, network or optimizer alone; ``all``.
            gpus: Names of GPUs; ``all``.

        Raises:
            TraceError: A name is unknown, or nothing is recorded for what was asked.
        """
        chosen = _chosen(workloads, self.workloads, lambda workload: (workload.name, *workload.key), "workload")
        on = _chosen(gpus, self.gpus, lambda gpu: (gpu,), "GPU")
        found = [self._pair(workload, gpu) for workload in chosen for gpu in on]
        pairs = tuple(pair for pair in found if pair is not None)
        if not pairs:
            raise TraceError(f"{self.folder}: no batch size of these workloads is recorded on these GPUs.")
        return pairs

    def _pair(self, workload: Workload, gpu: str) -> Pair | None:
        runs = self.runs.get(workload.key, {})
        paces = self.paces[gpu].get(workload.key, {})
        sizes = sorted(set(runs) & set(paces))
        if not sizes:
            return None
        largest = max(paces)
        capped = min(workload.default_batch_size, largest)
        # A default that one of the traces lacks is replaced as a person would: by the nearest size below it.
        default = max((size for size in sizes if size <= capped), default=sizes[0])
        return Pair(
            workload=workload,
            gpu=gpu,
            runs={size: runs[size] for size in sizes},
            paces={size: paces[size] for size in sizes},
            max_power_w=max(limit for limits in paces.values() for limit in limits),
            default_batch_size=default,
        )


def read_traces(folder: Path) -> Traces:
    """Read a trace folder.

    Raises:
        TraceError: A file is missing or wrong; the message names the file and the line.
    """
    if not folder.is_dir():
        raise TraceError(f"{folder} is no folder; --traces names one that holds {WORKLOADS_CSV} and the others.")
    prefix, suffix = POWER_CSV.split("{gpu}")
    power_files = {path.name[len(prefix) : -len(suffix)]: path for path in sorted(folder.glob(f"{prefix}*{suffix}"))}
    if not power_files:
        raise TraceError(f"{folder} holds no {POWER_CSV.format(gpu='GPU')}.")
    workloads = _read_workloads(folder / WORKLOADS_CSV)
    targets = {workload.key: workload for workload in workloads}
    return Traces(
        folder=folder,
        workloads=workloads,
        gpus=tuple(power_files),
        runs=_read_runs(folder / TRAIN_CSV, targets),
        paces={gpu: _read_paces(path) for gpu, path in power_files.items()},
    )


def short_of_target(run: RecordedRun, workload: Workload) -> RecordedRun:
    """The run as it would be if it stayed at two thirds of the levels on the way to the target."""
    on_the_way = sum(not reaches(level, workload) for level in run.levels)
    kept = run.epochs[: 2 * on_the_way // 3]
    return replace(run, epochs=(*kept, *(None,) * (len(run.levels) - len(kept))), target_epoch=None)


def _read_workloads(path: Path) -> tuple[Workload, ...]:
    rows = list(read_rows(path, WORKLOAD_COLUMNS))
    if not rows:
        raise TraceError(f"{path} names no workload.")
    keys = [row.key for row in rows]
    names = ["/".join(key[:2]) for key in keys]
    workloads = []
    for row, name in zip(rows, names, strict=True):
        if keys.count(row.key) > 1:
            raise row.error(f"the workload {'/'.join(row.key)} is given twice.")
        workloads.append(
            Workload(
                name=name if names.count(name) == 1 else "/".join(row.key),
                key=row.key,
                target_metric=row.get("target_metric", finite, "a number"),
                higher_is_better=row.get("higher_is_better", boolean, "true or false"),
                max_epochs=row.get("max_epochs", positive_int, "a positive integer"),
                default_batch_size=row.get("default_batch_size", positive_int, "a positive integer"),
            )
        )
    return tuple(workloads)


def _read_runs(path: Path, workloads: Mapping[Key, Workload]) -> dict[Key, dict[int, tuple[RecordedRun, ...]]]:
    curves: dict[Key, dict[int, dict[tuple[str, str], dict[float, int | None]]]] = {}
    for row in read_rows(path, TRAIN_COLUMNS):
        if row.key not in workloads:
            continue
        run = (row.cells["learning_rate"].strip(), row.cells["run"].strip())
        curve = curves.setdefault(row.key, {}).setdefault(row.batch_size, {}).setdefault(run, {})
        level = row.get("target_metric", finite, "a number")
        if level in curve:
            raise row.error(f"run {run[1]} of batch size {row.batch_size} gives the level {level:g} twice.")
        curve[level] = row.get("target_epoch", epoch, "an epoch, or empty where the level was never reached")
    found: dict[Key, dict[int, tuple[RecordedRun, ...]]] = {}
    for key, by_size in curves.items():
        workload = workloads[key]
        levels = {level for runs in by_size.values() for curve in runs.values() for level in curve}
        if not any(reaches(level, workload) for level in levels):
            raise TraceError(
                f"{path}: no run of {workload.name} has a level at its target of {workload.target_metric:g} or beyond."
            )
        found[key] = {
            size: tuple(_recorded_run(curve, workload) for curve in runs.values())
            for size, runs in sorted(by_size.items())
        }
    return found


def _recorded_run(curve: Mapping[float, int | None], workload: Workload) -> RecordedRun:
    levels = sorted(curve, reverse=not workload.higher_is_better)
    target = next((curve[level] for level in levels if reaches(level, workload)), None)
    step = levels[1] - levels[0] if len(levels) > 1 else 1.0 if workload.higher_is_better else -1.0
    return RecordedRun(tuple(levels), tuple(curve[level] for level in levels), target, floor=levels[0] - step)


def reaches(level: float, workload: Workload) -> bool:
    """Whether a metric level is at the workload's target or beyond."""
    return level >= workload.target_metric if workload.higher_is_better else level <= workload.target_metric


def _read_paces(path: Path) -> dict[Key, dict[int, dict[float, Pace]]]:
    paces: dict[Key, dict[int, dict[float, Pace]]] = {}
    for row in read_rows(path, POWER_COLUMNS):
        limits = paces.setdefault(row.key, {}).setdefault(row.batch_size, {})
        limit = row.get("power_limit", positive, "a positive number of watts")
        if limit in limits:
            raise row.error(f"batch size {row.batch_size} has the power limit {limit:g} twice.")
        limits[limit] = Pace(
            time_s=row.get("time_per_epoch", positive, "a positive number of seconds"),
            power_w=row.get("average_power", positive, "a positive number of watts"),
        )
    return {
        key: {size: dict(sorted(limits.items())) for size, limits in sorted(by_size.items())}
        for key, by_size in paces.items()
    }


def _chosen(
    names: tuple[str, ...], known: tuple[_T, ...], names_of: Callable[[_T], tuple[str, ...]], what: str
) -> tuple[_T, ...]:
    if "all" in names:
        return known
    by_name = {name.lower(): name for name in names}
    chosen = tuple(one for one in known if any(name.lower() in by_name for name in names_of(one)))
    unknown = [
        name for lower, name in by_name.items() if not any(lower == n.lower() for one in known for n in names_of(one))
    ]
    if unknown:
        there = ", ".join(names_of(one)[0] for one in known)
        raise TraceError(f"There is no {what} {unknown[0]!r} in this trace folder; there are: {there}.")
    return chosen
