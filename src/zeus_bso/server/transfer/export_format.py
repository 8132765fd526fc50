"""The format of an exported job: NDJSON, one row of a table per line.

::

    {"format": "zeus-bso-job", "version": 1, "job_id": ...}
    {"table": "job", "row": {column: value, ...}}
    {"table": "batch_size_state", "row": {...}}     one per batch size
    {"table": "observation", "row": {...}}          one per past run
    {"table": "power_profile", "row": {...}}        one per batch size whose power limits were measured
    {"table": "trial", "row": {...}}                one per trial
    {"table": "power_point", "row": {...}}          one per batch size and measured power limit
    {"table": "trial_report", "row": {...}}         one per report
    {"rows": {"job": 1, "batch_size_state": 4, ...}}

Tables and columns are taken from the schema, so columns of a later schema need no change here. Files of older releases
can be read: a column that a file lacks is null, if it may be null, or has its default; a column that the schema has
dropped is ignored; and a column that has another name now is found under its former name. Rows are sorted by primary
key. Floats read back as the same double, and timestamps are in UTC with microseconds. The same job gives the same bytes
in every database. The last line proves that the file is complete.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BigInteger, Boolean, Column, Double, Integer

from zeus_bso.protocol.past_runs import CALENDAR
from zeus_bso.protocol.words import INT32_MAX, MAX_TOTAL, Text
from zeus_bso.server.database.types import Identifier, Json, UtcDateTime
from zeus_bso.server.transfer.repository import JobTable

FORMAT = "zeus-bso-job"
VERSION = 1

MEDIA_TYPE = "application/x-ndjson"

_LONGEST_TEXT = 65_535
"""Size of a text column that every database allows [bytes]."""


_RANGES = {
    "energy": (0.0, MAX_TOTAL),
    "time": (0.0, MAX_TOTAL),
    "profiling_energy": (-MAX_TOTAL, MAX_TOTAL),
    "profiling_time": (-MAX_TOTAL, MAX_TOTAL),
    "wasted_energy": (0.0, 1e20),
    "wasted_time": (0.0, 1e20),
    "cost": (0.0, 1e30),
    "best_cost": (0.0, 1e30),
    "min_cost": (0.0, 1e30),
    "reward": (-1e30, 1e30),
    "reward_mean": (-1e30, 1e30),
    "reward_m2": (0.0, 1e75),
    "longest_epoch_s": (0.0, MAX_TOTAL),
}
"""Bounds of columns that are used in sums and other calculations. All other numbers must only be finite."""

_COUNTERS = frozenset(
    (
        *("last_trial_number", "last_decision", "generation", "round", "num_observations", "converged"),
        *("cost_bound_in_row", "foreign_source_in_row", "missed_in_row", "no_result_in_row", "oom_in_row"),
    )
)
"""Counters that continue after an import, so they must stay far below the largest number that the column can hold."""

_MOST_COUNTED = 2**30

_GONE = {"job": {"min_cost_since"}}
"""Columns in files of older releases that the schema has dropped. They are ignored."""

_RENAMED = {"job": {"wide": "try_all_sizes"}, "batch_size_state": {"barren_in_row": "no_result_in_row"}}
"""Columns in files of older releases that have another name now."""

_ADDED = {"profiling_time": 0.0, "profiling_energy": 0.0}
"""Columns that files of older releases lack and that cannot be null, with the values that they then have."""

_TEXT: TypeAdapter[str] = TypeAdapter(Text)


def write_line(line: Mapping[str, Any]) -> bytes:
    """Write one line of a file."""
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read_line(line: bytes) -> dict[str, Any]:
    """Read one line of a file.

    Raises:
        ValueError: The line is not a JSON object.
    """
    try:
        found = json.loads(line, parse_constant=_not_a_number)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("the line is not a JSON object in UTF-8")
    return found


def write_row(table: JobTable, row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a row to its form in a file."""
    return {column.name: _write(row[column.name]) for column in table.columns}


def read_row(table: JobTable, given: object) -> dict[str, Any]:
    """Read a row. Every value in it fits its column in every database.

    Raises:
        ValueError: A value is invalid. The message names the column.
    """
    if not isinstance(given, dict):
        raise ValueError("the row is not a JSON object")
    renamed = _RENAMED.get(table.name, {})
    values: dict[str, object] = {str(renamed.get(name, name)): value for name, value in given.items()}
    unknown = sorted(set(values) - set(table.columns.keys()) - _GONE.get(table.name, set()))
    if unknown:
        raise ValueError(
            f"{table.name} has no column {unknown[0][:100]!r} in this release; the file is from a newer one"
        )
    return {column.name: _read(column, values.get(column.name)) for column in table.columns}


def _write(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _read(column: Column[Any], value: object) -> Any:
    name = f"{column.table.name}.{column.name}"
    if value is None:
        if column.nullable:
            return None
        if column.name in _ADDED:
            return _ADDED[column.name]
        raise ValueError(f"{name} is missing")
    try:
        return _reader(column)(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} {error}") from None


def _reader(column: Column[Any]) -> Callable[[object], Any]:
    kind = column.type
    for known, reader in _READERS:
        if isinstance(kind, known):
            return reader
    if isinstance(kind, Integer):
        most = 2**63 - 1 if isinstance(kind, BigInteger) else INT32_MAX
        most = _MOST_COUNTED if column.name in _COUNTERS else most
        return lambda value: _integer(value, most)
    if isinstance(kind, Double):
        return lambda value: _number(value, *_RANGES.get(column.name, (-math.inf, math.inf)))
    return lambda value: _text(value, getattr(kind, "length", None))


def _document(value: object) -> object:
    try:
        # 1e999 is well-formed but infinite.
        size = len(json.dumps(value, allow_nan=False)) if isinstance(value, dict | list) else math.inf
    except ValueError:
        raise ValueError("must contain finite numbers only") from None
    if size > _LONGEST_TEXT:
        raise ValueError("must be a JSON object or list of at most 64 KiB")
    return value


def _timestamp(value: object) -> datetime:
    stamp = datetime.fromisoformat(value) if isinstance(value, str) else None
    if stamp is None or stamp.tzinfo is None or not CALENDAR[0] <= stamp <= CALENDAR[1]:
        raise ValueError("must be a timestamp with a time zone")
    return stamp.astimezone(timezone.utc)


def _identifier(value: object) -> str:
    try:
        return _TEXT.validate_python(value, strict=True)
    except ValidationError:
        raise ValueError("must be a name of 1 to 255 characters, none of them a control character") from None


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _integer(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"must be an integer from 0 to {most}")
    return value


def _number(value: object, least: float, most: float) -> float:
    number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else _double(value)
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    if not least <= number <= most:
        raise ValueError(f"must be a number from {least:g} to {most:g}")
    return number


def _double(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _text(value: object, length: int | None) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("must be a string without null characters")
    size = len(value) if length else len(value.encode(errors="surrogatepass"))
    if size > (length or _LONGEST_TEXT) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError("must be a shorter string in valid Unicode")
    return value


def _not_a_number(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


_READERS = ((Json, _document), (UtcDateTime, _timestamp), (Identifier, _identifier), (Boolean, _boolean))
