"""Results as values: the views of the API, with ways to show them in a notebook.

Units: time in seconds, energy and cost in joules, power in watts; timestamps are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, overload

from pydantic import BaseModel

from zeus_bso import units
from zeus_bso.protocol.savings_views import JobSavings, SavedView, SavingsPoint
from zeus_bso.protocol.views import BatchSizeView, JobSummary, JobView, TrialView
from zeus_bso.protocol.words import EnergySource
from zeus_bso.results.data_frame import data_frame
from zeus_bso.results.drawings import draw_job, draw_savings, draw_trials
from zeus_bso.results.html_table import ROWS, count_of, html_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame
    from typing_extensions import Self

_Row = TypeVar("_Row", bound=BaseModel)


@dataclass(frozen=True, repr=False)
class _ResultList(Sequence[_Row], Generic[_Row]):
    """A list of views. A slice of it is such a list too.

    Attributes:
        rows: The views.
    """

    rows: tuple[_Row, ...]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.rows)

    @overload
    def __getitem__(self, index: int, /) -> _Row: ...

    @overload
    def __getitem__(self, index: slice, /) -> Self: ...

    def __getitem__(self, index: int | slice, /) -> _Row | Self:
        """One view, or a list of some of them."""
        return replace(self, rows=self.rows[index]) if isinstance(index, slice) else self.rows[index]


class JobList(_ResultList[JobSummary]):
    """Jobs with their savings.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, connect
        >>> job = JobSpec(job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)
        >>> with connect("sqlite:///jobs.db") as results:
        ...     [(job.job_id, job.trials, job.chosen_batch_size) for job in results.jobs()]
        [('nightly', 1, 64)]
    """

    def __repr__(self) -> str:
        return f"<{count_of(len(self), len(self), 'job')}>"

    def to_dataframe(self) -> DataFrame:
        """One row per job, with the fields of :class:`JobSummary` and of its savings.

        Raises:
            ZeusBSOConfigError: pandas is not installed.
        """
        return data_frame(JobSummary, self.rows)

    def _repr_html_(self) -> str:
        shown = self.rows[:ROWS]
        rows = [
            (
                job.job_id,
                job.stage.value,
                f"{job.number_of_gpus} x {job.gpu_model}",
                job.trials,
                job.default_batch_size,
                job.chosen_batch_size,
                _saved_energy(job.savings),
            )
            for job in shown
        ]
        columns = ("job", "stage", "GPU", "runs", "default", "chosen", "energy saved")
        return html_table([count_of(len(shown), len(self), "job")], columns, rows)


class JobResult(JobView):
    """A job with its spec, its savings and the results for each batch size.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, connect
        >>> job = JobSpec(job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)
        >>> with connect("sqlite:///jobs.db") as results:
        ...     job = results.job("nightly")
        >>> [(size.batch_size, size.converged, size.mean_energy) for size in job.batch_sizes]
        [(64, 1, 500.0)]
    """

    def to_dataframe(self) -> DataFrame:
        """One row per batch size, with the fields of :class:`BatchSizeView`.

        Raises:
            ZeusBSOConfigError: pandas is not installed.
        """
        return data_frame(BatchSizeView, self.batch_sizes)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the cost of a run by batch size, with the beliefs.

        Args:
            ax: Where to draw. Default: a new figure.

        Raises:
            ZeusBSOConfigError: matplotlib is not installed.
        """
        return draw_job(self, ax)

    def _repr_html_(self) -> str:
        chosen = f"batch size {self.chosen_batch_size} chosen" if self.chosen_batch_size else "no batch size chosen yet"
        state = (
            f"{self.job_id}: {self.policy}, stage {self.stage.value}; {chosen}, {self.default_batch_size} by default"
        )
        rows = [
            (
                size.batch_size,
                size.trials,
                size.converged,
                units.energy(size.mean_energy),
                units.duration(size.mean_time),
                units.energy(size.mean_cost),
                units.energy(size.believed_cost),
                size.retired or "",
            )
            for size in self.batch_sizes
        ]
        columns = ("batch size", "runs", "converged", "energy", "time", "cost", "believed cost", "retired")
        return html_table([state, self.savings.message if self.savings else "", self.next_run], columns, rows)


@dataclass(frozen=True, repr=False)
class TrialList(_ResultList[TrialView]):
    """Trials of a job, in their order.

    Attributes:
        job: The job.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, connect
        >>> job = JobSpec(job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)
        >>> with connect("sqlite:///jobs.db") as results:
        ...     trials = results.trials("nightly")
        >>> trials, trials[-1].batch_size
        (<1 trial of nightly>, 64)
    """

    job: JobView

    def __repr__(self) -> str:
        return f"<{count_of(len(self), len(self), 'trial')} of {self.job.job_id}>"

    def to_dataframe(self) -> DataFrame:
        """One row per trial, with the fields of :class:`TrialView`.

        Raises:
            ZeusBSOConfigError: pandas is not installed.
        """
        return data_frame(TrialView, self.rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the cost of each run, against the mean of the default size.

        Args:
            ax: Where to draw. Default: a new figure.

        Raises:
            ZeusBSOConfigError: matplotlib is not installed.
        """
        return draw_trials(self.job, self.rows, ax)

    def _repr_html_(self) -> str:
        latest = self.rows[-ROWS:]
        columns = ("trial", "batch size", "type", "result", "epoch", "metric", "energy", "time", "cost")
        counted = f"{self.job.job_id}: {count_of(len(latest), len(self), 'trial')}"
        return html_table([counted], columns, map(_trial_row, latest))


class SavingsResult(JobSavings):
    """What a job has saved against its default batch size, now and after each run.

    Attributes:
        history: The savings after each of its runs, against the current baseline. At most 500 points.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor, connect
        >>> job = JobSpec(job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64)
        >>> with BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 2), "sqlite:///jobs.db", job) as bso:
        ...     batch_size = bso.get_batch_size()
        ...     bso.on_train_begin()
        ...     bso.on_evaluate(0.95)
        >>> with connect("sqlite:///jobs.db") as results:
        ...     savings = results.savings("nightly")
        >>> savings.energy.saved, len(savings.history)
        (0.0, 1)
    """

    history: tuple[SavingsPoint, ...] = ()

    def to_dataframe(self) -> DataFrame:
        """One row per point of the history, with the fields of :class:`SavingsPoint`.

        Raises:
            ZeusBSOConfigError: pandas is not installed.
        """
        return data_frame(SavingsPoint, self.history)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the saved energy over time.

        Args:
            ax: Where to draw. Default: a new figure.

        Raises:
            ZeusBSOConfigError: matplotlib is not installed.
        """
        return draw_savings(self.job_id, self.history, ax)

    def _repr_html_(self) -> str:
        rows = [
            *_saved_row("energy", self.energy, units.energy),
            *_saved_row("time", self.time, units.duration),
            *_saved_row("cost", self.cost, units.energy),
        ]
        columns = ("", "saved", "low (95 %)", "high (95 %)", "of the default's use")
        return html_table([f"{self.job_id}: {self.message}", self.alarm or ""], columns, rows)


class _Formatter(Protocol):
    def __call__(self, value: float | None, /) -> str: ...


def _saved_row(name: str, saved: SavedView | None, figure: _Formatter) -> Iterable[Sequence[object]]:
    if saved is not None:
        yield name, figure(saved.saved), figure(saved.low), figure(saved.high), units.percent(saved.fraction)


def _saved_energy(savings: JobSavings | None) -> str | None:
    if savings is None or savings.energy is None:
        return None
    estimated = " estimated" if savings.estimated else ""
    return f"{units.energy(savings.energy.saved)} ({units.percent(savings.energy.fraction)}){estimated}"


def _trial_row(trial: TrialView) -> Sequence[object]:
    result = trial.outcome or trial.reason
    return (
        trial.trial_number,
        trial.batch_size,
        trial.type.value,
        result.value if result else trial.status.value,
        trial.current_epoch,
        units.number(trial.metric, 4),
        units.energy(trial.energy) + (" estimated" if trial.energy_source is EnergySource.ESTIMATE else ""),
        units.duration(trial.time),
        units.energy(trial.cost),
    )
