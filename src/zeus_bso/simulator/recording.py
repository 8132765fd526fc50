"""Recordings of a training script's runs. Each run is stored when it ends, and a folder of traces is written from all.

Each workload and GPU has a file ``recording-*.jsonl`` in the folder. Its first line describes the job, and each further
line one run. The CSV files are written from these files, so a recording can be interrupted, resumed and extended.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.simulator.trace_rows import TraceError
from zeus_bso.simulator.traces import (
    POWER_COLUMNS,
    POWER_CSV,
    TRAIN_COLUMNS,
    TRAIN_CSV,
    WORKLOAD_COLUMNS,
    WORKLOADS_CSV,
)

LEVELS = 16
"""Number of metric levels in a trace, which gives the epoch at which a run passed each. The last is the target."""

_PATTERN = "recording-*.jsonl"


class RecordedJob(BaseModel):
    """The recorded job.

    Attributes:
        dataset: Name of the data set.
        network: Name of the network.
        optimizer: Name of the optimizer.
        gpu: Name of the GPU in file names.
        target_metric: Metric at which a run has converged.
        higher_is_better: Whether the metric rises as the model improves.
        max_epochs: Largest number of epochs of a run.
        default_batch_size: The batch size that the job uses today.
        max_power_w: Sum of the devices' power limits [W].
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
    """One report of a run, with cumulative figures.

    Attributes:
        epoch: Number of trained epochs.
        metric: The metric, or None if it was not finite.
        time_s: Time since the run began [s].
        energy_j: Energy used since the run began [J].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    metric: float | None
    time_s: float
    energy_j: float


class RecordedTraining(BaseModel):
    """One run.

    Attributes:
        batch_size: Batch size of the run.
        run: Number of the run among those of this size, from 1.
        reports: Reports of the run, in order. Without any report, the size cannot be trained.
        failure: The reason why the run ended before the target and before ``max_epochs``, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int
    run: int
    reports: tuple[RecordedReport, ...]
    failure: str | None = None


class Recording:
    """A recording file with the runs so far.

    Args:
        path: The file. The first line that is written creates it.

    Attributes:
        job: The recorded job. None before it is known.
        trainings: The runs so far.

    Raises:
        TraceError: The file is not a recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.job: RecordedJob | None = None
        self.trainings: list[RecordedTraining] = []
        if path.exists():
            self._read()

    def begin(self, job: RecordedJob) -> None:
        """Set the job of the recording. A recording that continues must have the same job.

        Raises:
            TraceError: The file has another job.
        """
        if self.job is None:
            self.job = job
            self._append(job)
        elif self.job != job:
            old, new = self.job.model_dump(), job.model_dump()
            changed = next(name for name in new if new[name] != old[name])
            raise TraceError(
                f"{self.path} was recorded with {changed} {old[changed]!r}, but now it is {new[changed]!r}. "
                "Record to another folder, or remove the file."
            )

    def add(self, training: RecordedTraining) -> None:
        """Store a run."""
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
            raise TraceError(f"{self.path} is not a recording of zeus-bso record, or it is damaged: {error}") from error


def recording_of(folder: Path, key: Sequence[str], gpu: str) -> Recording:
    """The recording of a workload on a GPU, new or existing.

    Raises:
        TraceError: The folder contains traces from another source, which would be overwritten.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WORKLOADS_CSV).exists() and not any(folder.glob(_PATTERN)):
        raise TraceError(
            f"{folder} contains traces from another source, which would be overwritten. Use another folder."
        )
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
    """A name in a form that is valid in file names."""
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
        # Run numbers start again here, because another GPU has used the same numbers.
        number = numbers[training.batch_size] = numbers.get(training.batch_size, 0) + 1
        for level in levels:
            epoch = next((report.epoch for report in training.reports if _passes(job, report.metric, level)), "")
            yield (job.dataset, job.network, training.batch_size, job.optimizer, "", number, f"{level:.6g}", epoch)


def _levels(job: RecordedJob, trainings: Sequence[RecordedTraining]) -> list[float]:
    """Metric levels, evenly spaced from the worst first metric to the target, without levels that round to the same."""
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
