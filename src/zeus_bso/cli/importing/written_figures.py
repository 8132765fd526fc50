"""Reads figures as people and programs write them: numbers with units, truth values and times."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone

ENERGY_UNITS = {"j": 1.0, "kj": 1e3, "mj": 1e6, "wh": 3.6e3, "kwh": 3.6e6, "mwh": 3.6e9}
"""Units of energy [J], in lower case: of what begins with an m, the case tells mega from milli."""

AMBIGUOUS_UNITS = frozenset({"mj", "mwh"})
"""Units that may be mega or milli where the case of a column's name does not tell."""

TIME_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    "ms": 1e-3,
}
"""Units of time [s]."""

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "nil", "-", "--", "#n/a"})
"""What stands for a figure that is not known."""

_TRUE = frozenset({"true", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "no", "n", "0", "0.0"})

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.DOTALL | re.ASCII)
_CLOCK = re.compile(r"(\d{1,6}):([0-5]?\d):([0-5]?\d(?:\.\d+)?)", re.ASCII)
_TWO_PARTS = re.compile(r"\d+:\d+(?:\.\d+)?", re.ASCII)
_SECONDS_FROM, _MILLISECONDS_FROM = 1e8, 1e11
_LONGEST_SHOWN = 40


def is_missing(text: str) -> bool:
    """Whether a text stands for a figure that is not known."""
    return text.strip().lower() in _MISSING


def shown(text: str) -> str:
    """A text for a message, not too long."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


def read_number(text: str, units: Mapping[str, float] | None = None, *, decimal_comma: bool = False) -> float:
    """Read a number, with one of the units if any are given; without a unit, it is in the first of them.

    Raises:
        ValueError: It is no finite number, may be read in two ways, or has another unit.
    """
    given = text.strip()
    if "," in given:
        given = _without_comma(given, decimal_comma=decimal_comma)
    if given.lower().lstrip("+-") in ("inf", "infinity"):
        raise ValueError(f"{shown(text)} is not finite")
    found = _NUMBER.fullmatch(given)
    if found is None:
        raise ValueError(f"{shown(text)} is no number")
    value = float(found[1]) * _scale(found[2].strip(), units or {}, text)
    if not math.isfinite(value):
        raise ValueError(f"{shown(text)} is not finite")
    return value


def _scale(unit: str, units: Mapping[str, float], text: str) -> float:
    """How many of the first unit one of the given unit is."""
    if not unit:
        return 1.0
    if unit.lower() not in units:
        known = f"; known are {', '.join(units)}" if units else ""
        raise ValueError(f"{shown(text)} has the unit {shown(unit)}, which is not known here{known}")
    scale = units[unit.lower()]
    # A small m is milli, as SI has it.
    return scale * 1e-9 if unit.lower() in AMBIGUOUS_UNITS and unit[0] == "m" else scale


def read_time(text: str, *, decimal_comma: bool = False) -> float:
    """Read a duration [s]: a number with or without a unit, or hours, minutes and seconds as ``1:02:03``.

    Raises:
        ValueError: It is none, or has two parts only.
    """
    if _TWO_PARTS.fullmatch(text.strip()):
        raise ValueError(
            f"{shown(text)} may be hours and minutes, or minutes and seconds; write it as h:mm:ss, or with a unit"
        )
    clock = _CLOCK.fullmatch(text.strip())
    if clock is None:
        return read_number(text, TIME_UNITS, decimal_comma=decimal_comma)
    return int(clock[1]) * 3600.0 + int(clock[2]) * 60.0 + float(clock[3])


def read_count(text: str, *, decimal_comma: bool = False) -> int:
    """Read a whole number, which may be written as ``64.0``.

    Raises:
        ValueError: It is none.
    """
    number = read_number(text, decimal_comma=decimal_comma)
    if number != int(number):
        raise ValueError(f"{shown(text)} is no whole number")
    return int(number)


def read_truth(text: str) -> bool:
    """Read yes or no.

    Raises:
        ValueError: It is neither.
    """
    given = text.strip().lower()
    if given in _TRUE or given in _FALSE:
        return given in _TRUE
    raise ValueError(f"{shown(text)} is neither true nor false")


def read_moment(text: str) -> datetime:
    """Read a point in time: ISO 8601, or seconds or milliseconds since 1970.

    Raises:
        ValueError: It is none.
    """
    given = text.strip()
    try:
        number = float(given)
    except ValueError:
        return _iso(given)
    if _SECONDS_FROM <= number < _MILLISECONDS_FROM:
        return datetime.fromtimestamp(number, timezone.utc)
    if _MILLISECONDS_FROM <= number < 1e3 * _MILLISECONDS_FROM:
        return datetime.fromtimestamp(number / 1e3, timezone.utc)
    raise ValueError(f"{shown(text)} is no time")


def _iso(text: str) -> datetime:
    try:
        stamp = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        raise ValueError(f"{shown(text)} is no time; write it as 2026-01-31T12:00:00Z") from None
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)


def _without_comma(text: str, *, decimal_comma: bool) -> str:
    if not decimal_comma:
        raise ValueError(f"{shown(text)} has a comma; write 1000 and 0.5, or separate the columns by semicolons")
    if text.count(",") > 1 or "." in text:
        raise ValueError(f"{shown(text)} may be read in two ways; write it without a separator of thousands")
    return text.replace(",", ".")
