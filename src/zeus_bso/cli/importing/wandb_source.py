"""Past runs in files that W&B has exported."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.importing import csv_source
from zeus_bso.cli.importing.csv_source import RowError
from zeus_bso.cli.importing.rows import SourceRun, passed_over
from zeus_bso.cli.importing.tracker_curves import as_epochs, count_batches, meaning_of_steps
from zeus_bso.cli.importing.written_figures import shown

PREFIX = "wandb:"

LARGEST_JSON_BYTES = 2**28
"""A JSON file is read as a whole, so it may have so many bytes at most."""

_FINISHED = "finished"
_STATE, _RUN_ID = "state", "run_id"
_PAGE = 500
_UNREADABLE = (AttributeError, OverflowError, TypeError, ValueError)
_GUESSED = (_RUN_ID, "batch_size", "time", "energy", "reached", "ended_at")


class WandbRuns:
    """Runs of W&B, each as a dictionary with ``id``, ``state``, ``config``, ``summary`` and ``history``.

    Args:
        runs: The runs.
        where: Their source, for a message.
        told: The names that the user has told, by field.
        max_epochs: That of the job.
    """

    kind = "wandb"
    decimal_comma = False
    guessed = _GUESSED

    def __init__(self, runs: Sequence[Any], where: str, told: Mapping[str, str], max_epochs: int) -> None:
        self.where = where
        self._curve = told.get("curve")
        self._unfinished = 0
        self._runs = runs
        self._batches = count_batches(self._histories(), max_epochs)
        found = {name for run in runs[:_PAGE] if isinstance(run, dict) for name in _texts(run)}
        # A name that the user has told may be in later runs only.
        self.names: Sequence[str] = sorted(found.union(told.values()))

    def runs(self) -> Iterator[SourceRun | RowError]:
        """The finished runs."""
        for number, run in enumerate(self._runs, start=1):
            found = self._run(f"run {number}", run)
            if found is not None:
                yield found

    def notes(self) -> list[str]:
        """How many runs were passed over, and what steps were taken for."""
        steps = [] if self._curve is None else [meaning_of_steps(batches=self._batches)]
        return [*passed_over(self._unfinished), *steps]

    def _histories(self) -> Iterator[Sequence[tuple[int, float]]]:
        """Steps and metrics of the finished runs. Those that cannot be read are named when they are read as runs."""
        for run in self._runs if self._curve is not None else ():
            if isinstance(run, dict) and run.get(_STATE, _FINISHED) == _FINISHED:
                with suppress(*_UNREADABLE):
                    yield self._points(run)

    def _run(self, place: str, run: Any) -> SourceRun | RowError | None:
        if not isinstance(run, dict):
            return RowError(place, f"{shown(str(run))} is no JSON object")
        if run.get(_STATE, _FINISHED) != _FINISHED:
            self._unfinished += 1
            return None
        texts = _texts(run)
        if self._curve is None:
            return SourceRun(place, texts)
        texts.pop(self._curve, None)
        try:
            return SourceRun(place, texts, as_epochs(self._points(run), batches=self._batches))
        except _UNREADABLE:
            return RowError(place, "history is no list of objects with _step and numbers")

    def _points(self, run: Mapping[str, Any]) -> Sequence[tuple[int, float]]:
        return [
            (int(row.get("_step", number)), float(row[self._curve]))
            for number, row in enumerate(run.get("history") or ())
            if row.get(self._curve) is not None
        ]


class WandbTable:
    """A project's table, exported as CSV.

    Args:
        file: The file.
    """

    kind = "wandb"
    guessed = _GUESSED

    def __init__(self, file: csv_source.CsvFile) -> None:
        self._file = file
        self._unfinished = 0
        self.where = file.where
        self.decimal_comma = file.decimal_comma
        lower = {name.lower(): name for name in file.names}
        self._state = lower.get(_STATE)
        self._name = "" if "id" in lower or _RUN_ID in lower else lower.get("name", "")
        self.names: Sequence[str] = [*file.names, _RUN_ID] if self._name else file.names

    def runs(self) -> Iterator[SourceRun | RowError]:
        """The finished runs. Without a column of ids, the name of a run is its id."""
        for run in self._file.runs():
            if isinstance(run, SourceRun) and not self._finished(run):
                self._unfinished += 1
            elif isinstance(run, SourceRun) and self._name:
                yield SourceRun(run.place, {**run.texts, _RUN_ID: run.texts[self._name]})
            else:
                yield run

    def notes(self) -> list[str]:
        """How many runs were passed over, and a word about an encoding that was guessed."""
        return [*self._file.notes(), *passed_over(self._unfinished)]

    def _finished(self, run: SourceRun) -> bool:
        return self._state is None or run.texts[self._state].lower() == _FINISHED


@contextmanager
def opened(source: str, told: Mapping[str, str], max_epochs: int) -> Iterator[WandbRuns | WandbTable]:
    """Open ``wandb:FILE.csv`` or ``wandb:FILE.json``.

    Raises:
        CommandError: It cannot be read.
    """
    name = source.removeprefix(PREFIX)
    if name.endswith(".csv"):
        with csv_source.opened(Path(name)) as file:
            yield WandbTable(file)
    elif name.endswith((".json", ".jsonl", ".ndjson")):
        yield WandbRuns(_in_file(Path(name)), name, told, max_epochs)
    else:
        raise CommandError(f"{source}: write wandb:FILE.csv or wandb:FILE.json, an export of W&B.", BAD_USE)


def _in_file(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > LARGEST_JSON_BYTES:
            raise CommandError(f"{path} is larger than {LARGEST_JSON_BYTES} bytes. Export fewer runs, or CSV.")
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise CommandError(f"{path} is no list of runs in JSON, nor one run a line, in UTF-8.") from None
    return list(found)


def _texts(run: Mapping[str, Any]) -> dict[str, str]:
    """What is known of a run, by name: its configuration before its summary before what W&B itself keeps."""
    summary = run.get("summary") if isinstance(run.get("summary"), dict) else {}
    config = run.get("config") if isinstance(run.get("config"), dict) else {}
    run_id = run.get("id", run.get("name"))
    texts = {} if run_id is None else {_RUN_ID: str(run_id)}
    assert isinstance(summary, dict)
    assert isinstance(config, dict)
    own = {"time": summary.get("_runtime"), "ended_at": summary.get("_timestamp")}
    named = {name: value for each in (own, summary, config) for name, value in each.items() if _is_figure(value)}
    return texts | {name: value if isinstance(value, str) else json.dumps(value) for name, value in named.items()}


def _is_figure(value: object) -> bool:
    return isinstance(value, str | int | float)
