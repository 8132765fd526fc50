"""Recordings of a training script's runs, kept as they come in, and written as a trace folder.

Each workload and GPU has a file ``recording-*.jsonl`` in the folder: a line about the job, then one for each run. The
CSV files are made from these, so that a recording can be interrupted, resumed and extended.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.simulator.rows import TraceError
from zeus_bso.simulator.traces import (
    POWER_COLUMNS,
    POWER_CSV,
    TRAIN_COLUMNS,
    TRAIN_CSV,
    WORKLOAD_COLUMNS,
    WORKLOADS_CSV,
)

LEVELS = 16
"""A run's curve is written as the epochs at which it passed so many metric levels, the target the last."""

_PATTERN = "recording-*.jsonl"


class RecordedJob(BaseModel):
    """What was recorded.

    Attributes:
        dataset: Name of the data set.
        network: Name of the network.
        optimizer: Name of the optimizer.
        gpu: Name of the GPU, as it stands in the file names.
        target_metric: Metric at which a run has converged.
        higher_is_better: Whether the metric rises as the model improves.
        max_epochs: Epochs that a run may take.
        default_batch_size: The batch size in use.
        max_power_w: Summed power limit of the devices [W].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    network: str
    optimizer: str
    gpu: str
    target_metric: float
    higher_is_better: bool
    max_epochs: int
    default_batch_size: int
    max_power_w: float

    @property
    def key(self) -> tuple[str, str, str]:
        """Dataset, network and optimizer."""
        return self.dataset, self.network, self.optimizer


class RecordedReport(BaseModel):
    """One report of a run; cumulative.

    Attributes:
        epoch: Epochs trained.
        metric: The metric; None: it was not finite.
        time_s: Time since the run began [s].
        energy_j: Energy since then [J].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    metric: float | None
    time_s: float
    energy_j: float


class RecordedTraining(BaseModel):
    """One run.

    Attributes:
        batch_size: Its batch size.
        run: Its number among the runs of this size, from 1.
        reports: Its reports, in order; empty: the size cannot be trained with.
        failure: Why it ended without having reached target or ``max_epochs``; None: it did not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int
    run: int
    reports: tuple[RecordedReport, ...]
    failure: str | None = None


class Recording:
    """A recording file, as far as it goes.

    Args:
        path: The file; made with the first line that is written.

    Attributes:
        job: What is recorded; None before it is known.
        trainings: The runs so far.

    Raises:
        TraceError: The file is none of this kind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job: RecordedJob | None = None
        self.trainings: list[RecordedTraining] = []
        if path.exists():
            self._read()

    def begin(self, job: RecordedJob) -> None:
        """Say what is recorded; a recording that goes on must be of the same.

        Raises:
            TraceError: It is not.
        """
        if self.job is None:
            self.job = job
            self._append(job)
        elif self.job != job:
            old, new = self.job.model_dump(), job.model_dump()
            changed = next(name for name in new if new[name] != old[name])
            raise TraceError(
                f"{self.path} was recorded with {changed} {old[changed]!r}, now it is {new[changed]!r}; "
                "record into another folder, or remove the file."
            )

    def add(self, training: RecordedTraining) -> None:
        """Keep a run."""
        self.trainings.append(training)
        self._append(training)

    def _append(self, line: BaseModel) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")

    def _read(self) -> None:
        lines = self.path.read_text(encoding="utf-8").splitlines()
        try:
            self.job = RecordedJob.model_validate_json(lines[0]) if lines else None
            self.trainings = [RecordedTraining.model_validate_json(line) for line in lines[1:]]
        except ValidationError as error:
            raise TraceError(f"{self.path} is no recording of zeus-bso record, or is damaged: {error}") from error


def recording_of(folder: Path, key: Sequence[str], gpu: str) -> Recording:
    """The recording of a workload on a GPU, begun or not.

    Raises:
        TraceError: The folder holds traces that were not recorded here, and would be overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WORKLOADS_CSV).exists() and not any(folder.glob(_PATTERN)):
        raise TraceError(f"{folder} holds traces that were not recorded here; they would be lost. Use another folder.")
    return Recording(folder / f"recording-{slug('-'.join(key))}-{slug(gpu)}.jsonl")


def write_traces(folder: Path) -> None:
    """Write the CSV files of all recordings in a folder."""
    recordings = [Recording(path) for path in sorted(folder.glob(_PATTERN))]
    begun = [(recording.job, recording.trainings) for recording in recordings if recording.job is not None]
    known = {job.key: job for job, _ in begun}
    _write(folder / WORKLOADS_CSV, WORKLOAD_COLUMNS, (_workload_row(job) for job in known.values()))
    trainings = {key: [t for job, ts in begun if job.key == key for t in ts] for key in known}
    _write(
        folder / TRAIN_CSV,
        TRAIN_COLUMNS,
        (row for key, job in known.items() for row in _train_rows(job, trainings[key])),
    )
    for gpu in sorted({job.gpu for job, _ in begun}):
        rows = (row for job, ts in begun if job.gpu == gpu for row in _power_rows(job, ts))
        _write(folder / POWER_CSV.format(gpu=gpu), POWER_COLUMNS, rows)


def slug(name: str) -> str:
    """A name as it may stand in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _workload_row(job: RecordedJob) -> Sequence[object]:
    higher = str(job.higher_is_better).lower()
    return (*job.key, job.target_metric, higher, job.max_epochs, job.default_batch_size)


def _train_rows(job: RecordedJob, trainings: Sequence[RecordedTraining]) -> Iterable[Sequence[object]]:
    levels = _levels(job, trainings)
    numbers: dict[int, int] = {}
    for training in sorted(trainings, key=lambda each: each.batch_size):
        if not training.reports:
            continue
        # Counted anew: on another GPU the same run numbers were given.
        number = numbers[training.batch_size] = numbers.get(training.batch_size, 0) + 1
        for level in levels:
            epoch = next((report.epoch for report in training.reports if _passes(job, report.metric, level)), "")
            yield (job.dataset, job.network, training.batch_size, job.optimizer, "", number, f"{level:.6g}", epoch)


def _levels(job: RecordedJob, trainings: Sequence[RecordedTraining]) -> list[float]:
    """Evenly spaced from the worst first metric to the target, without what rounds to the same."""
    firsts = [each.reports[0].metric for each in trainings if each.reports and each.reports[0].metric is not None]
    short = [metric for metric in firsts if not _passes(job, metric, job.target_metric)]
    if not short:
        return [job.target_metric]
    worst = min(short) if job.higher_is_better else max(short)
    step = (job.target_metric - worst) / LEVELS
    spaced = [float(f"{worst + step * number:.6g}") for number in range(1, LEVELS)]
    return [*dict.fromkeys(spaced), job.target_metric]


def _passes(job: RecordedJob, metric: float | None, level: float) -> bool:
    if metric is None or not math.isfinite(metric):
        return False
    return metric >= level if job.higher_is_better else metric <= level


def _power_rows(job: RecordedJob, trainings: Sequence[RecordedTraining]) -> Iterable[Sequence[object]]:
    for size in sorted({training.batch_size for training in trainings}):
        last = [each.reports[-1] for each in trainings if each.batch_size == size and each.reports]
        epochs, time_s = sum(report.epoch for report in last), sum(report.time_s for report in last)
        if epochs and time_s:
            power = sum(report.energy_j for report in last) / time_s
            limit = f"{job.max_power_w:g}"
            yield (job.dataset, job.network, size, job.optimizer, limit, f"{time_s / epochs:.6g}", f"{power:.6g}")
