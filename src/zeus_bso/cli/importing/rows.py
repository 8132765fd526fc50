"""Turns named texts, such as the cells of a row, into past runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.importing.written_figures import (
    AMBIGUOUS_UNITS,
    ENERGY_UNITS,
    TIME_UNITS,
    is_missing,
    read_count,
    read_moment,
    read_number,
    read_time,
    read_truth,
    shown,
)
from zeus_bso.protocol.past_runs import PastRun

FIELDS = ("run_id", "batch_size", "epochs", "time", "energy", "reached", "metric", "curve", "ended_at")
"""What a run has, by the name of its column."""

_ALIASES = {
    "run_id": ("run id", "run", "id"),
    "batch_size": ("batch size", "batchsize", "bs", "train_batch_size"),
    "epochs": ("epoch", "num_epochs"),
    "time": ("runtime", "duration", "train_time"),
    "energy": (),
    "reached": ("converged", "target_reached"),
    "metric": (),
    "curve": (),
    "ended_at": ("end_time", "finished_at"),
}
"""Other names under which a column is found without being told."""


Curve = Sequence[tuple[int, float | None]]
"""Evaluations: epoch and metric."""


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run as its source has it.

    Attributes:
        place: Where it stands, for a message.
        texts: Its figures by name.
        curve: Its evaluations, if the source has them apart.
    """

    place: str
    texts: Mapping[str, str]
    curve: Curve = ()


@dataclass(frozen=True, slots=True)
class RecordedColumn:
    """Where a field is found.

    Attributes:
        name: The name in the source.
        unit: The unit that the name tells, such as ``kwh`` of ``energy_kwh``; empty: it tells none.
    """

    name: str
    unit: str = ""


@dataclass
class RunReader:
    """Reads runs by the names of their figures.

    Args:
        columns: Where each field is found.
        decimal_comma: Numbers may have a decimal comma.
        all_reached: Each run has reached the target, as the user says.
        higher_is_better: Whether the metric of a curve rises as the model improves.
        believes_reached: Whether the source's own word counts; it does not if it is about another target.
    """

    columns: Mapping[str, RecordedColumn]
    decimal_comma: bool = False
    all_reached: bool = False
    believes_reached: bool = True
    higher_is_better: bool = True
    _places: dict[str, str] = field(default_factory=dict)
    _alike: Counter[str] = field(default_factory=Counter)

    def read(self, run: SourceRun) -> PastRun:
        """Read a run.

        Raises:
            ValueError: Something of it is wrong; the message names it.
        """
        values: dict[str, Any] = {}
        for name, column in self.columns.items():
            text = run.texts.get(column.name, "")
            if not is_missing(text):
                values[name] = self._value(name, column, text)
        if curve := run.curve or values.get("curve"):
            values["curve"] = tuple(improvements(curve, higher_is_better=self.higher_is_better))
            values.setdefault("epochs", curve[-1][0])
        if "batch_size" not in values:
            raise ValueError("batch_size is missing")
        values["reached"] = True if self.all_reached else values.get("reached") if self.believes_reached else None
        values.setdefault("run_id", self._derived_id(run))
        self._once(values["run_id"], run.place)
        return _validated(values)

    def place_of(self, run_id: str) -> str | None:
        """Where a run stands that was read before."""
        return self._places.get(run_id)

    def _value(self, name: str, column: RecordedColumn, text: str) -> object:
        try:
            return _READERS[name](text, column.unit, self.decimal_comma)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None

    def _derived_id(self, run: SourceRun) -> str:
        """A name made of all that is read of a run; alike runs are numbered, so that reading again gives the same."""
        read = [(name, run.texts.get(column.name, "").strip()) for name, column in sorted(self.columns.items())]
        digest = sha256(json.dumps([read, run.curve]).encode(errors="surrogatepass")).hexdigest()[:16]
        self._alike[digest] += 1
        return f"{digest}-{self._alike[digest]}"

    def _once(self, run_id: str, place: str) -> None:
        before = self._places.setdefault(run_id, place)
        if before != place:
            raise ValueError(f"run_id: {shown(run_id)} is that of {before} too")


def columns_of(
    names: Sequence[str], told: Mapping[str, str], guessed: Sequence[str] = FIELDS
) -> dict[str, RecordedColumn]:
    """Find where each field stands.

    Args:
        names: The names that the source has.
        told: Names that the user has told, by field.
        guessed: The fields that are found by their names.

    Raises:
        CommandError: A told name is not there, or no column has batch sizes.
    """
    found = {}
    for name in FIELDS:
        if name in told:
            found[name] = _told_column(name, told[name], names)
        elif name in guessed and (column := next(_columns_for(name, names), None)) is not None:
            found[name] = column
    if "batch_size" not in found:
        raise CommandError(f"No column has the batch sizes: {_listed(names)}. Say which one: --map batch_size=NAME.")
    return found


def told_columns(text: str | None) -> dict[str, str]:
    """Read ``--map``: ``field=name,...``.

    Raises:
        CommandError: It is not written so, or names no field.
    """
    told = {}
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        name, _, column = (each.strip() for each in part.partition("="))
        if name not in FIELDS or not column:
            raise CommandError(
                f"--map {shown(part)}: write FIELD=NAME, with one of the fields {', '.join(FIELDS)}.", BAD_USE
            )
        told[name] = column
    return told


def improvements(
    curve: Sequence[tuple[int, float | None]], *, higher_is_better: bool
) -> list[tuple[int, float | None]]:
    """The evaluations that were better than all before, and the last one: what is learnt from a curve."""
    best: float | None = None
    kept: list[tuple[int, float | None]] = []
    for epoch, metric in curve:
        if metric is not None and (best is None or (metric > best if higher_is_better else metric < best)):
            best = metric
            kept.append((epoch, metric))
    if curve and (not kept or kept[-1][0] != curve[-1][0]):
        kept.append(curve[-1])
    return kept


def passed_over(unfinished: int) -> list[str]:
    """What is said of runs that have not finished; nothing if there are none."""
    have = "run has not finished and is" if unfinished == 1 else "runs have not finished and are"
    return [f"{unfinished} {have} passed over."] if unfinished else []


def _columns_for(name: str, names: Sequence[str]) -> Iterator[RecordedColumn]:
    """Columns that hold a field by their name: its own, with a unit, or another one for it."""
    lower = {each.strip().lower(): each for each in reversed(names)}
    for known in (name, *_ALIASES[name]):
        if known in lower:
            yield RecordedColumn(lower[known])
        for unit in _units_of(name):
            if f"{known}_{unit}" in lower:
                yield RecordedColumn(lower[f"{known}_{unit}"], unit)


def _told_column(name: str, told: str, names: Sequence[str]) -> RecordedColumn:
    if told not in names:
        raise CommandError(f"There is no column {shown(told)} for {name}: {_listed(names)}.")
    unit = told.lower().rpartition("_")[2]
    return RecordedColumn(told, unit if unit in _units_of(name) else "")


def _units_of(name: str) -> Mapping[str, float]:
    return {"time": TIME_UNITS, "energy": ENERGY_UNITS}.get(name, {})


def _listed(names: Sequence[str]) -> str:
    some = ", ".join(shown(name) for name in names[:20])
    return f"there are {some}{f' and {len(names) - 20} more' if len(names) > 20 else ''}"


def _read_energy(text: str, unit: str, decimal_comma: bool) -> float:
    return _with_unit(text, unit, read_number(text, ENERGY_UNITS, decimal_comma=decimal_comma), ENERGY_UNITS)


def _read_duration(text: str, unit: str, decimal_comma: bool) -> float:
    return _with_unit(text, unit, read_time(text, decimal_comma=decimal_comma), TIME_UNITS)


def _with_unit(text: str, unit: str, value: float, units: Mapping[str, float]) -> float:
    """A value in the unit of its column, unless the cell has one of its own.

    Raises:
        ValueError: The unit of the column may be mega or milli.
    """
    if not unit or text.strip()[-1:].isalpha() or ":" in text:
        return value
    if unit in AMBIGUOUS_UNITS:
        raise ValueError(
            f"the unit {shown(unit)} in the name of the column may be mega or milli; name the column energy, and write "
            "the unit into each cell, such as 25 MJ or 7 MWh, or give energy_kwh"
        )
    return value * units[unit]


def _read_curve(text: str, unit: str, decimal_comma: bool) -> tuple[tuple[int, float | None], ...]:
    try:
        points = json.loads(text)
        return tuple((int(epoch), None if metric is None else float(metric)) for epoch, metric in points)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise ValueError(f"{shown(text)} is no list of [epoch, metric] in JSON") from None


_READERS: Mapping[str, Callable[[str, str, bool], object]] = {
    "run_id": lambda text, unit, comma: text.strip(),
    "batch_size": lambda text, unit, comma: read_count(text, decimal_comma=comma),
    "epochs": lambda text, unit, comma: read_count(text, decimal_comma=comma),
    "time": _read_duration,
    "energy": _read_energy,
    "reached": lambda text, unit, comma: read_truth(text),
    "metric": lambda text, unit, comma: read_number(text, decimal_comma=comma),
    "curve": _read_curve,
    "ended_at": lambda text, unit, comma: read_moment(text),
}


def _validated(values: Mapping[str, Any]) -> PastRun:
    try:
        return PastRun(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{place}: {message}" if place else message) from None
