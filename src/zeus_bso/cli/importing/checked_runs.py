"""Reads all runs of a source before the first is sent, and keeps those that are right in a temporary file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import islice
from types import TracebackType
from typing import IO, Any

from zeus_bso.cli.errors import CommandError
from zeus_bso.cli.importing.csv_source import RowError
from zeus_bso.cli.importing.rows import RunReader, SourceRun
from zeus_bso.protocol.job_spec import JobSpecFromClient
from zeus_bso.protocol.past_runs import PastRun
from zeus_bso.protocol.words import MAX_TOTAL
from zeus_bso.units import counted, plain

MOST_IMPORTED = 100_000
"""An import has at most so many runs."""

MOST_READ = 1_000_000
"""Where some runs are wrong, so many are read to count them."""

NAMED = 20
"""So many wrong rows are named; of the others only their number."""

_CHUNK_RUNS, _CHUNK_BYTES = 500, 2**19
_IN_MEMORY_BYTES = 2**20
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _temporary_file() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)


@dataclass
class CheckedRuns:
    """The runs of a source, all of them right. A context manager that deletes them at its end.

    Attributes:
        count: How many they are.
    """

    count: int = 0
    _energy_j: float = 0.0
    _time_s: float = 0.0
    _file: IO[bytes] = field(default_factory=_temporary_file)
    _places: list[tuple[datetime, int, int]] = field(default_factory=list)

    def __enter__(self) -> CheckedRuns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, run: PastRun) -> None:
        """Keep a run."""
        line = run.model_dump_json(exclude_defaults=True).encode()
        self._places.append((run.ended_at or _FIRST, self._file.tell(), len(line)))
        self._file.write(line)
        self.count += 1
        if run.energy and run.time:
            self._energy_j += run.energy
            self._time_s += run.time

    @property
    def mean_power(self) -> float | None:
        """Mean power of all runs that have both energy and time [W]; None: there is none."""
        power = self._energy_j / self._time_s if self._time_s else 0.0
        return power if 0.0 < power <= MAX_TOTAL else None

    def chunks(self) -> Iterator[list[dict[str, Any]]]:
        """The runs as they are sent, some at a time: those without an end first, then the oldest first."""
        chunk: list[dict[str, Any]] = []
        size = 0
        for _, offset, length in sorted(self._places):
            if chunk and (len(chunk) == _CHUNK_RUNS or size + length > _CHUNK_BYTES):
                yield chunk
                chunk, size = [], 0
            self._file.seek(offset)
            chunk.append(json.loads(self._file.read(length)))
            size += length
        if chunk:
            yield chunk


def check(found: Iterable[SourceRun | RowError], reader: RunReader, job: JobSpecFromClient, where: str) -> CheckedRuns:
    """Read all runs of a source.

    Args:
        found: The runs as the source has them.
        reader: Reads them.
        job: The job that is to be told of them.
        where: The source, for a message.

    Raises:
        CommandError: Some are wrong, there are none, or too many.
    """
    with ExitStack() as stack:
        runs, wrong = stack.enter_context(CheckedRuns()), _WrongRuns(where)
        for number, each in enumerate(islice(found, MOST_READ), start=1):
            read = _read(each, reader, job)
            if isinstance(read, str):
                wrong.add(read)
            elif number <= MOST_IMPORTED:
                runs.add(read)
            elif not wrong:
                raise CommandError(
                    f"Nothing is imported: {where} has more than {MOST_IMPORTED} runs. Give the latest ones."
                )
        wrong.refuse()
        if not runs.count:
            raise CommandError(f"{where} has no runs.")
        stack.pop_all()
    return runs


class _WrongRuns:
    """The runs of a source that cannot be read."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._count = 0
        self._named: list[str] = []

    def add(self, message: str) -> None:
        """Count one, and name it if few are named."""
        self._count += 1
        if len(self._named) < NAMED:
            self._named.append(message)

    def __bool__(self) -> bool:
        return self._count > 0

    def refuse(self) -> None:
        """End the command if there are any.

        Raises:
            CommandError: There are.
        """
        if not self._count:
            return
        more = [f"and {self._count - NAMED} more"] if self._count > NAMED else []
        what = plain(counted(self._count, "run"))
        head = f"Nothing is imported: {what} of {self._where} cannot be read."
        raise CommandError("\n  ".join([head, *self._named, *more]))


def _read(each: SourceRun | RowError, reader: RunReader, job: JobSpecFromClient) -> PastRun | str:
    """A run as it is sent; or what is wrong with it."""
    if isinstance(each, RowError):
        return f"{each.place}: {each}"
    try:
        run = reader.read(each)
        if run.batch_size not in job.batch_sizes:
            raise ValueError(f"batch_size: {run.batch_size} is none of the job's: {_some(sorted(job.batch_sizes))}")
        if run.reached is None and run.metric is None and not run.curve:
            raise ValueError(f"nothing says whether it reached the target: {_lacks(reader)}")
    except ValueError as error:
        return f"{each.place}: {error}"
    return run


def _lacks(reader: RunReader) -> str:
    if reader.believes_reached:
        return "give reached, metric or curve, or --reached"
    return "with --target the column reached does not count; give metric or curve, or --reached"


def _some(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes[:NAMED])) + (", ..." if len(sizes) > NAMED else "")
