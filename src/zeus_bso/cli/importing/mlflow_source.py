"""Past runs in an MLflow tracking server or store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.importing.csv_source import RowError
from zeus_bso.cli.importing.rows import SourceRun, passed_over
from zeus_bso.cli.importing.tracker_curves import as_epochs, count_batches, meaning_of_steps
from zeus_bso.cli.importing.written_figures import shown

if TYPE_CHECKING:
    from typing import TypeAlias

    from mlflow import MlflowClient
    from mlflow.entities import Run

    _Part: TypeAlias = tuple[Sequence[Run], "_Histories"]

PREFIX = "mlflow:"

_PAGE = 1000
_TOGETHER = 200
"""So many histories are in memory at a time."""

_MOST_POINTS = 2**31 - 1
_AT_ONCE = 8
"""A server is asked for histories by so many threads: most of the time they wait for it."""

_MOST_KEPT = 500_000
"""So many points and runs are kept in memory at most, some hundred megabytes; beyond, all are read twice."""

_Histories = Mapping[str, list[tuple[int, float]]]
"""Steps and values of a metric, by run."""

_FINISHED = "FINISHED"
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


class MlflowRuns:
    """The runs of an experiment, read a page at a time.

    Args:
        client: The tracking server or store.
        experiment: Id of the experiment.
        where: Server and experiment, for a message.
        told: The names that the user has told, by field.
        max_epochs: That of the job.
    """

    kind = "mlflow"
    decimal_comma = False
    guessed = ("run_id", "batch_size", "time", "energy", "reached", "ended_at")

    def __init__(
        self, client: MlflowClient, experiment: str, where: str, told: Mapping[str, str], max_epochs: int
    ) -> None:
        self.where = where
        self._client = client
        self._experiment = experiment
        self._curve = told.get("curve")
        self._max_epochs = max_epochs
        self._batches = False
        self._unfinished = 0
        self._first = self._page(None)
        found = {name for run in self._first for name in _texts(run)}
        # A name that the user has told may be in later runs only.
        self.names: Sequence[str] = sorted(found.union(told.values()))

    def runs(self) -> Iterator[SourceRun | RowError]:
        """The finished runs; of those, histories only of the metric that is the curve.

        All histories tell together what a step is. Many of them are therefore read twice.
        """
        kept = None if self._curve is None else self._judge_steps()
        for runs, curves in self._parts() if kept is None else kept:
            yield from self._with_curves(runs, curves)

    def notes(self) -> list[str]:
        """How many runs were passed over, and what steps were taken for."""
        steps = [] if self._curve is None else [meaning_of_steps(batches=self._batches)]
        return [*passed_over(self._unfinished), *steps]

    def _judge_steps(self) -> list[_Part] | None:
        """Find out what a step is. Returns all that was read for that, or None if it is too much to keep."""
        kept: list[_Part] | None = []
        points = 0
        for runs, curves in self._parts():
            self._batches = self._batches or count_batches(curves.values(), self._max_epochs)
            points += len(runs) + sum(map(len, curves.values()))
            if kept is None or points > _MOST_KEPT:
                kept = None
                if self._batches:
                    break
            else:
                kept.append((runs, curves))
        return kept

    def _parts(self) -> Iterator[_Part]:
        """The finished runs, some at a time, with their histories."""
        for runs in self._finished():
            yield runs, {} if self._curve is None else self._histories(runs, self._curve)

    def _finished(self) -> Iterator[Sequence[Run]]:
        """The finished runs, some at a time; the others are counted."""
        self._unfinished = 0
        page = self._first
        while True:
            finished = [run for run in page if run.info.status == _FINISHED]
            self._unfinished += len(page) - len(finished)
            for start in range(0, len(finished), _TOGETHER):
                yield finished[start : start + _TOGETHER]
            if not page.token:
                return
            page = self._page(page.token)

    def _page(self, token: str | None) -> Any:
        with _named(self.where):
            return self._client.search_runs([self._experiment], max_results=_PAGE, page_token=token)

    def _with_curves(self, runs: Sequence[Run], curves: _Histories) -> Iterator[SourceRun]:
        metric = self._curve
        for run in runs:
            texts = _texts(run)
            if metric is not None:
                # The column of the curve holds the last value of its metric.
                texts.pop(metric, None)
            curve = as_epochs(curves.get(run.info.run_id, ()), batches=self._batches)
            yield SourceRun(f"run {run.info.run_id}", texts, curve)

    def _histories(self, runs: Sequence[Run], metric: str) -> _Histories:
        """Steps and values of a metric, by run."""
        ids = [run.info.run_id for run in runs if metric in run.data.metrics]
        found: dict[str, list[tuple[int, float]]] = {}
        # Stores in a database answer for many runs at once, which MLflow's client does not pass on.
        together: Any = getattr(getattr(self._client, "_tracking_client", None), "store", None)
        with _named(self.where):
            if hasattr(together, "get_metric_history_bulk"):
                for point in together.get_metric_history_bulk(ids, metric, _MOST_POINTS):
                    found.setdefault(point.run_id, []).append((point.step, point.value))
                return found
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                histories = pool.map(lambda run_id: self._client.get_metric_history(run_id, metric), ids)
                return {
                    run_id: [(each.step, each.value) for each in history]
                    for run_id, history in zip(ids, histories, strict=True)
                }


@contextmanager
def opened(source: str, told: Mapping[str, str], max_epochs: int) -> Iterator[MlflowRuns]:
    """Open an experiment, as ``mlflow:URI#EXPERIMENT`` names it.

    Raises:
        CommandError: MLflow is not installed, or there is no such store or experiment.
    """
    uri, mark, name = source.removeprefix(PREFIX).rpartition("#")
    if not uri or not mark or not name:
        raise CommandError(
            f"{source}: write mlflow:URI#EXPERIMENT, such as mlflow:http://mlflow:5000#nightly.", BAD_USE
        )
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise CommandError("Reading MLflow needs its package: pip install mlflow-skinny") from None
    _refuse_missing_file(uri)
    # Seven, as MLflow has it, are minutes for a server that is not there.
    os.environ.setdefault(_RETRIES, "2")
    with _named(uri):
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            known = ", ".join(shown(each.name) for each in client.search_experiments(max_results=10))
            raise CommandError(f"{uri} has no experiment {shown(name)}; it has {known or 'none'}.")
    yield MlflowRuns(client, experiment.experiment_id, f"{uri}#{name}", told, max_epochs)


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Turn MLflow's errors into a sentence."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CommandError(f"MLflow at {where} cannot be read: {first[:500]}") from None


def _refuse_missing_file(uri: str) -> None:
    """MLflow would make a store that is not there."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file", "sqlite"):
        return
    path = Path(parts.path.removeprefix("/") if parts.scheme == "sqlite" else parts.path)
    if not path.exists():
        raise CommandError(f"{path}: there is no such MLflow store.")


def _texts(run: Run) -> dict[str, str]:
    """What is known of a run, by name: parameters before metrics before tags before what MLflow itself keeps."""
    info, data = run.info, run.data
    texts = {"run_id": info.run_id}
    if info.end_time is not None:
        texts |= {"ended_at": str(info.end_time), "time": f"{(info.end_time - info.start_time) / 1e3} s"}
    texts |= {name: value for name, value in data.tags.items() if not name.startswith("mlflow.")}
    texts |= {name: repr(value) for name, value in data.metrics.items()}
    return texts | dict(data.params)
