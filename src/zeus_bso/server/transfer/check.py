"""Reads an exported job, and validates it before anything is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from typing import IO, Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from zeus_bso.exceptions import InvalidExportError
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.past_runs import PastRunUse, Point
from zeus_bso.protocol.power import PowerPoint, PowerProfile
from zeus_bso.protocol.words import Outcome, TrialStatus
from zeus_bso.server.batch_size_state.power_rows import point_of
from zeus_bso.server.batch_size_state.trial_rows import size_of, trial_of
from zeus_bso.server.database.documents import SurrogateArmDocument, SurrogateDocument
from zeus_bso.server.database.schema import batch_size_state, job, observation, power_point, power_profile, trial
from zeus_bso.server.job.job_rows import job_of
from zeus_bso.server.job.models import JobState
from zeus_bso.server.observations.models import PastRunRecord
from zeus_bso.server.observations.observation_rows import observation_of
from zeus_bso.server.transfer.export_format import FORMAT, VERSION, read_line, read_row
from zeus_bso.server.transfer.repository import TABLES, JobTable

LONGEST_LINE_BYTES = 2**20

Row = dict[str, Any]

_CURVE = TypeAdapter(tuple[Point, ...])

_PARENTS = {key.referred_table.name for table in TABLES for key in table.foreign_key_constraints} - {job.name}
"""Tables, apart from the job itself, to which rows of other tables belong. Only their keys must be remembered."""


def checked_rows(file: IO[bytes]) -> Iterator[tuple[JobTable, Row]]:
    """Read the rows of a file, each with its table. The job is valid once the last row was read.

    Raises:
        InvalidExportError: The file is not a valid job. The message names the line.
    """
    judge: ExportValidator | None = None
    for number, line in _lines(file):
        try:
            found = read_line(line)
            if judge is None:
                judge = ExportValidator(_header(found))
                continue
            row = judge.take(found)
        except ValueError as error:
            raise InvalidExportError(f"Line {number}: {error}.") from None
        if row is not None:
            yield row
    if judge is None or not judge.whole:
        raise InvalidExportError("The file is incomplete: its last line is missing.")


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    number = 0
    while line := file.readline(LONGEST_LINE_BYTES):
        number += 1
        if len(line) == LONGEST_LINE_BYTES:
            raise InvalidExportError(f"Line {number}: the line is longer than {LONGEST_LINE_BYTES} bytes.")
        yield number, line


def _header(line: dict[str, Any]) -> str:
    if line.get("format") != FORMAT:
        raise ValueError("the file is not an exported job of zeus-bso")
    version, job_id = line.get("version"), line.get("job_id")
    if version != VERSION or isinstance(version, bool):
        raise ValueError(f"version {str(version)[:20]} of the format is unknown; this release reads {VERSION}")
    if not isinstance(job_id, str):
        raise ValueError("job_id must be a string")
    return job_id


class ExportValidator:
    """Validates the lines of a file after the first, one by one.

    Args:
        job_id: The id of the job.

    Attributes:
        whole: Whether the last line was read.
    """

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self.whole = False
        self._counts = dict.fromkeys((table.name for table in TABLES), 0)
        self._order = {table.name: place for place, table in enumerate(TABLES)}
        self._table: JobTable | None = None
        self._last_key: tuple[Any, ...] = ()
        self._keys: dict[str, set[tuple[Any, ...]]] = {name: set() for name in _PARENTS}
        self._job: JobState | None = None
        self._profiles = _PowerProfiles()
        self._checks: dict[str, Callable[[JobState, Row], None]] = {
            batch_size_state.name: _size,
            trial.name: _trial,
            observation.name: _PastRuns().take,
            power_profile.name: self._profiles.take_head,
            power_point.name: self._profiles.take_point,
        }

    def take(self, line: dict[str, Any]) -> tuple[JobTable, Row] | None:
        """Validate one line.

        Returns:
            Its row, with the table; None for the last line.

        Raises:
            ValueError: The line is invalid, or not allowed at this place.
        """
        if self.whole:
            raise ValueError("the line comes after the end of the job")
        if "rows" in line:
            self._end(line["rows"])
            return None
        name = line.get("table")
        if not isinstance(name, str) or name not in self._order:
            raise ValueError("the line names no table of a job")
        table = TABLES[self._order[name]]
        row = read_row(table, line.get("row"))
        if row["job_id"] != self._job_id:
            raise ValueError(f"{name}.job_id differs from that of the first line")
        self._in_order(table, row)
        self._has_parents(table, row)
        self._makes_sense(table, row)
        self._counts[name] += 1
        return table, row

    def _in_order(self, table: JobTable, row: Row) -> None:
        if self._table is not table:
            if self._table is not None and self._order[table.name] < self._order[self._table.name]:
                raise ValueError(f"{table.name} comes before {self._table.name} in a file")
            self._table, self._last_key = table, ()
        key = tuple(row[column.name] for column in table.primary_key if column.name != "job_id")
        if self._counts[table.name] and not key > self._last_key:
            raise ValueError(f"the rows of {table.name} are not in ascending order, or two have the same key")
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
                raise ValueError(f"{table.name} belongs to a {parent.name} that is missing in the file")

    def _makes_sense(self, table: JobTable, row: Row) -> None:
        if table is job:
            self._job = _job(row)
        elif self._job is None:
            raise ValueError("the job itself must come first")
        elif table.name in self._checks:
            self._checks[table.name](self._job, row)

    def _end(self, counts: object) -> None:
        # Files of older releases lack some tables.
        if not isinstance(counts, dict) or dict.fromkeys(self._counts, 0) | counts != self._counts:
            raise ValueError("the numbers of rows differ from the lines before: the file is incomplete")
        if self._job is None:
            raise ValueError("the file contains no job")
        self._profiles.end()
        if self._counts[batch_size_state.name] != len(self._job.spec.batch_sizes):
            raise ValueError("a batch size of the job has no batch_size_state")
        self.whole = True


class _PowerProfiles:
    """The power profiles of a file. The rows of their limits come after those of all profiles."""

    def __init__(self) -> None:
        self._found: dict[int, PowerProfile] = {}

    def take_head(self, of: JobState, row: Row) -> None:
        size = row["batch_size"]
        if size not in of.spec.batch_sizes:
            raise ValueError("power_profile.batch_size is not a batch size of the job")
        head = {name: row[name] for name in ("unit", "lowest", "highest", "revision")}
        self._found[size] = _understand("power_profile", lambda: PowerProfile.model_validate(head))

    def take_point(self, of: JobState, row: Row) -> None:
        size = row["batch_size"]
        before = self._found[size]
        point = _understand("power_point", lambda: PowerPoint.model_validate(dict(point_of(row))))
        with_it = dict(before) | {"points": (*before.points, point)}
        self._found[size] = _understand("power_point", lambda: PowerProfile.model_validate(with_it))

    def end(self) -> None:
        """Check the profiles as a whole."""
        empty = [size for size, profile in self._found.items() if not profile.points]
        if empty:
            raise ValueError(f"the power_profile of batch size {empty[0]} has no power_point")


def _job(row: Row) -> JobState:
    read_at = datetime.now(timezone.utc)
    found: JobState = _understand("job", lambda: job_of(row | {"read_at": read_at}))
    try:
        JobSpecFromClient.model_validate(found.spec.model_dump(warnings=False))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"job.{place[:100]}: {first['msg'].removeprefix('Value error, ')}") from None
    progress, sizes = found.progress, set(found.spec.batch_sizes)
    if not sizes.issuperset(progress.round_sizes) or progress.round_start not in sizes or progress.generation < 1:
        raise ValueError("job: its round does not fit its batch sizes")
    if progress.surrogate.incumbent not in sizes | {None}:
        raise ValueError("job: its incumbent is not a batch size of the job")
    if progress.surrogate.looking_at not in sizes | {None}:
        raise ValueError("job: the size that it looks at again is not a batch size of the job")
    _understand("job.rng_state", lambda: _loaded(found.rng_state))
    _understand("job.surrogate", lambda: SurrogateDocument(**asdict(progress.surrogate)))
    return found


def _loaded(rng_state: dict[str, Any] | None) -> None:
    if rng_state is not None:
        np.random.default_rng(0).bit_generator.state = rng_state


def _size(of: JobState, row: Row) -> None:
    if row["batch_size"] not in of.spec.batch_sizes:
        raise ValueError("batch_size_state.batch_size is not a batch size of the job")
    state = _understand("batch_size_state", lambda: size_of(row))
    _understand("batch_size_state.surrogate", lambda: SurrogateArmDocument(**asdict(state.surrogate)))


def _trial(state: JobState, row: Row) -> None:
    found = _understand("trial", lambda: trial_of(row))
    if found.batch_size not in state.spec.batch_sizes:
        raise ValueError("trial.batch_size is not a batch size of the job")
    if not 1 <= found.trial_number <= state.last_trial_number or (found.decision or 0) > state.last_decision:
        raise ValueError("trial: its number or its decision is greater than the job's last one")
    decided, failed = found.status is TrialStatus.SUCCEEDED, found.status is TrialStatus.FAILED
    facts = {found.outcome is not None, found.cost is not None, found.decision is not None}
    if facts != {decided} or (found.reason is not None) != failed or (found.ended_at is not None) == found.open:
        raise ValueError("trial: its status, outcome, reason, cost, decision and end are inconsistent")
    if found.outcome is Outcome.CONVERGED and not found.cost:
        raise ValueError("trial.cost: a run that converged cannot have cost nothing")


class _PastRuns:
    """The past runs of a file: each of them comes once."""

    def __init__(self) -> None:
        self._names: set[tuple[str, str]] = set()

    def take(self, state: JobState, row: Row) -> None:
        found = _understand("observation", lambda: observation_of(row))
        if (found.source, found.run_id) in self._names:
            raise ValueError(f"observation: run {found.run_id[:100]!r} of source {found.source[:100]!r} comes twice")
        self._names.add((found.source, found.run_id))
        _understand("observation.curve", lambda: _CURVE.validate_python(found.curve))
        if found.batch_size not in state.spec.batch_sizes:
            raise ValueError("observation.batch_size is not a batch size of the job")
        if found.number < 1 or (found.decision or 0) > state.last_decision:
            raise ValueError("observation: its number is 0, or its decision is greater than the job's last one")
        if not 1 <= found.generation <= state.progress.generation:
            raise ValueError("observation: its generation is greater than the job's, or 0")
        _consistent(found)


def _consistent(found: PastRunRecord) -> None:
    learnt = {found.lesson is PastRunUse.RUN, found.decision is not None, found.reward is not None}
    if len(learnt) > 1:
        raise ValueError("observation: its lesson, reward and decision are inconsistent")
    if (found.cost is None) != (found.time is None or found.energy is None):
        raise ValueError("observation: its cost, time and energy are inconsistent")
    if found.outcome is Outcome.CONVERGED and found.lesson is PastRunUse.RUN and not found.cost:
        raise ValueError("observation.cost: a run that converged cannot have cost nothing")


def _understand(name: str, read: Any) -> Any:
    try:
        return read()
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
        raise ValueError(f"{name} holds an invalid value") from None
