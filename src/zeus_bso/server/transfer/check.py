"""Reading an exported job, and judging it before anything is stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import IO, Any

import numpy as np
from pydantic import ValidationError

from zeus_bso.common import JobSpecFromClient, Outcome, TrialStatus
from zeus_bso.exceptions import InvalidExportError
from zeus_bso.server.batch_size_state.repository import BatchSizeStateRepository
from zeus_bso.server.database.schema import batch_size_state, job, trial
from zeus_bso.server.database.values import SurrogateArmDocument, SurrogateDocument
from zeus_bso.server.job.models import JobState
from zeus_bso.server.job.repository import JobStateRepository
from zeus_bso.server.transfer.format import FORMAT, VERSION, read_line, read_row
from zeus_bso.server.transfer.repository import TABLES, JobTable

LONGEST_LINE_BYTES = 2**20

Row = dict[str, Any]

_PARENTS = {key.referred_table.name for table in TABLES for key in table.foreign_key_constraints} - {job.name}
"""Tables beside the job itself that rows of others belong to; the keys of all others need not be remembered."""


def check(file: IO[bytes]) -> str:
    """Judge a file as a whole.

    Returns:
        The id of the job that it holds.

    Raises:
        InvalidExportError: It is no sound job; the message names the line.
    """
    judge: _Judge | None = None
    for number, line in _lines(file):
        judge = _judged(judge, number, line)
    if judge is None or not judge.whole:
        raise InvalidExportError("The file ends before its last line: it is not whole.")
    return judge.job_id


def rows(file: IO[bytes]) -> Iterator[tuple[JobTable, Row]]:
    """The rows of a file that was found sound, each with its table."""
    tables = {table.name: table for table in TABLES}
    for _, line in _lines(file):
        found = read_line(line)
        if "table" in found:
            table = tables[found["table"]]
            yield table, read_row(table, found["row"])


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    number = 0
    while line := file.readline(LONGEST_LINE_BYTES):
        number += 1
        if len(line) == LONGEST_LINE_BYTES:
            raise InvalidExportError(f"Line {number}: it is longer than {LONGEST_LINE_BYTES} bytes.")
        yield number, line


def _judged(judge: _Judge | None, number: int, line: bytes) -> _Judge:
    try:
        found = read_line(line)
        if judge is None:
            return _Judge(_header(found))
        judge.take(found)
    except ValueError as error:
        raise InvalidExportError(f"Line {number}: {error}.") from None
    return judge


def _header(line: dict[str, Any]) -> str:
    if line.get("format") != FORMAT:
        raise ValueError("this is not an exported job of zeus-bso")
    version, job_id = line.get("version"), line.get("job_id")
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"version {str(version)[:20]} of the format is not known here; this release reads {VERSION}")
    if not isinstance(job_id, str):
        raise ValueError("job_id must be a text")
    return job_id


class _Judge:
    """Takes the lines of a file after the first, one by one.

    Attributes:
        job_id: The id of the job.
        whole: The last line was seen.
    """

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.whole = False
        self._counts = dict.fromkeys((table.name for table in TABLES), 0)
        self._order = {table.name: place for place, table in enumerate(TABLES)}
        self._table: JobTable | None = None
        self._last_key: tuple[Any, ...] = ()
        self._keys: dict[str, set[tuple[Any, ...]]] = {name: set() for name in _PARENTS}
        self._job: JobState | None = None

    def take(self, line: dict[str, Any]) -> None:
        """Judge one line.

        Raises:
            ValueError: It cannot stand here.
        """
        if self.whole:
            raise ValueError("it stands after the last line")
        if "rows" in line:
            self._end(line["rows"])
            return
        name = line.get("table")
        if not isinstance(name, str) or name not in self._order:
            raise ValueError("it names no table of a job")
        table = TABLES[self._order[name]]
        row = read_row(table, line.get("row"))
        if row["job_id"] != self.job_id:
            raise ValueError(f"{name}.job_id is not that of the first line")
        self._in_order(table, row)
        self._has_parents(table, row)
        self._makes_sense(table, row)
        self._counts[name] += 1

    def _in_order(self, table: JobTable, row: Row) -> None:
        if self._table is not table:
            if self._table is not None and self._order[table.name] < self._order[self._table.name]:
                raise ValueError(f"{table.name} stands before {self._table.name} in a file")
            self._table, self._last_key = table, ()
        key = tuple(row[column.name] for column in table.primary_key if column.name != "job_id")
        if self._counts[table.name] and not key > self._last_key:
            raise ValueError(f"the rows of {table.name} are not in ascending order, or there are two of the same key")
        self._last_key = key
        if table.name in self._keys:
            self._keys[table.name].add(key)

    def _has_parents(self, table: JobTable, row: Row) -> None:
        for constraint in table.foreign_key_constraints:
            parent = constraint.referred_table
            if parent.name not in self._keys:
                continue
            key = tuple(row[name] for name in constraint.column_keys if name != "job_id")
            if key not in self._keys[parent.name]:
                raise ValueError(f"{table.name} belongs to a {parent.name} that the file does not have")

    def _makes_sense(self, table: JobTable, row: Row) -> None:
        if table is job:
            self._job = _job(row)
        elif self._job is None:
            raise ValueError("the job itself does not stand before it")
        elif table is batch_size_state:
            if row["batch_size"] not in self._job.spec.batch_sizes:
                raise ValueError("batch_size_state.batch_size is not one of the job's")
            state = _understand("batch_size_state", lambda: BatchSizeStateRepository.size_of(row))
            _understand("batch_size_state.surrogate", lambda: SurrogateArmDocument(**asdict(state.surrogate)))
        elif table is trial:
            _trial(self._job, row)

    def _end(self, counts: object) -> None:
        if counts != self._counts:
            raise ValueError("the numbers of rows are not those of the lines before: the file is not whole")
        if self._job is None:
            raise ValueError("the file has no job")
        if self._counts[batch_size_state.name] != len(self._job.spec.batch_sizes):
            raise ValueError("there is not one batch_size_state for each batch size of the job")
        self.whole = True


def _job(row: Row) -> JobState:
    read_at = datetime.now(timezone.utc)
    found: JobState = _understand("job", lambda: JobStateRepository.job_of(row | {"read_at": read_at}))
    try:
        JobSpecFromClient.model_validate(found.spec.model_dump(warnings=False))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"job.{place[:100]}: {first['msg'].removeprefix('Value error, ')}") from None
    progress, sizes = found.progress, set(found.spec.batch_sizes)
    if not sizes.issuperset(progress.round_sizes) or progress.round_start not in sizes or progress.generation < 1:
        raise ValueError("job: its round is not about its batch sizes")
    if progress.surrogate.incumbent not in sizes | {None}:
        raise ValueError("job: its incumbent is not one of its batch sizes")
    _understand("job.rng_state", lambda: _loaded(found.rng_state))
    _understand("job.surrogate", lambda: SurrogateDocument(**asdict(progress.surrogate)))
    return found


def _loaded(rng_state: dict[str, Any] | None) -> None:
    if rng_state is not None:
        np.random.default_rng(0).bit_generator.state = rng_state


def _trial(state: JobState, row: Row) -> None:
    found = _understand("trial", lambda: BatchSizeStateRepository.trial_of(row))
    if found.batch_size not in state.spec.batch_sizes:
        raise ValueError("trial.batch_size is not one of the job's")
    if not 1 <= found.trial_number <= state.last_trial_number or (found.decision or 0) > state.last_decision:
        raise ValueError("trial: the job does not know of so many trials")
    decided, failed = found.status is TrialStatus.SUCCEEDED, found.status is TrialStatus.FAILED
    facts = {found.outcome is not None, found.cost is not None, found.decision is not None}
    if facts != {decided} or (found.reason is not None) != failed or (found.ended_at is not None) == found.open:
        raise ValueError("trial: its status, outcome, reason, cost, decision and end contradict each other")
    if found.outcome is Outcome.CONVERGED and not found.cost:
        raise ValueError("trial.cost: a run that converged cannot have cost nothing")


def _understand(name: str, read: Any) -> Any:
    try:
        return read()
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
        raise ValueError(f"{name} holds a value that means nothing here") from None
