"""Figures for people: three significant digits and a unit that fits, on pages, in tables and in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
"""The space between a figure and its unit."""
NARROW = "\N{NARROW NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"

JOULES = {"MWh": 3.6e9, "kWh": 3.6e6, "Wh": 3.6e3, "J": 1.0}
"""Units of energy, the largest first [J]."""
_POWER_UNITS = ((1e6, 1e7, "MW"), (1e3, 1e4, "kW"), (1.0, 1.0, "W"))
_ONE_UNIT_SPANS = 1e4
_COMMA = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LONG_FIGURE = re.compile(r"(?<![\w.:/#-])\d{4,}(?![\w/-]|[.:]\d)")
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:[Mk]?Wh|[Mk]?W|J|d|h|min|s)\b|%)")
_MINUS_SIGN = re.compile(r"(?<![\w.])-(?=\d)")
_MASS_UNITS = ((1e3, "t"), (1.0, "kg"), (1e-3, "g"), (1e-6, "mg"))


def plain(text: str) -> str:
    """A figure in ASCII, for logs and terminals."""
    for sign, said in ((SPACE, " "), (NARROW, ","), (MINUS, "-"), (NOTHING, "-")):
        text = text.replace(sign, said)
    return text


def typeset(sentence: str) -> str:
    """A sentence with figures in ASCII, with these figures as pages write them. Dates stay as they are."""
    grouped = _LONG_FIGURE.sub(lambda found: count(int(found[0])), _COMMA.sub(NARROW, sentence))
    return _MINUS_SIGN.sub(MINUS, _BEFORE_UNIT.sub(SPACE, grouped))


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, separated thousands, and a true minus sign."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    if not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    magnitude = f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - int(magnitude.partition("e")[2]))
    return f"{float(magnitude):,.{decimals}f}".replace(",", NARROW).replace("-", MINUS)


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals, separated thousands, and a true minus sign."""
    without_signed_zero = round(value, decimals) + 0.0
    return f"{without_signed_zero:,.{decimals}f}".replace(",", NARROW).replace("-", MINUS)


def count(value: int | None) -> str:
    """A whole number with separated thousands."""
    return NOTHING if value is None else f"{value:,}".replace(",", NARROW).replace("-", MINUS)


def counted(value: int, noun: str) -> str:
    """A number of things, for example ``1 run`` or ``2 runs``."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def energy(value_j: float | None, unit: str | None = None) -> str:
    """An energy in the given unit, or else in one that fits. From a tenth of a kWh on, that is kWh rather than Wh."""
    if unit is not None and value_j is not None:
        return f"{number(value_j / JOULES[unit])}{SPACE}{unit}"
    return _in_unit(value_j, [(size, _least(unit), unit) for unit, size in JOULES.items()])


def energy_unit(values_j: Iterable[float | None]) -> str:
    """One unit for several figures, which fits the largest."""
    most = max((abs(value) for value in values_j if value is not None), default=0.0)
    return next((unit for unit, size in JOULES.items() if most >= _least(unit)), "J")


def column_unit(values_j: Iterable[float | None]) -> str | None:
    """One unit for a column of figures: that of the median, so that most have the digits that they have by themselves.

    None if the least would be mostly zeros in it, so that each has its own.
    """
    sizes = sorted(abs(value) for value in values_j if value)
    if sizes and sizes[-1] > _ONE_UNIT_SPANS * sizes[0]:
        return None
    return energy_unit(sizes[len(sizes) // 2 : len(sizes) // 2 + 1])


def duration(value_s: float | None) -> str:
    """A duration in its two largest units."""
    if value_s is None:
        return NOTHING
    sign, rest = (MINUS if value_s < 0 else ""), abs(value_s)
    if not rest >= 60:
        return f"{sign}{number(rest)}{SPACE}s"
    for unit, length, below, step in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        whole, part = divmod(round(rest / step), length // step)
        if whole:
            return f"{sign}{count(whole)}{SPACE}{unit}" + (f"{SPACE}{part}{SPACE}{below}" if part else "")
    raise AssertionError("every duration has a unit")


def watts(value_w: float | None) -> str:
    """A power or a power limit."""
    if value_w is None:
        return NOTHING
    return f"{value_w:,.3f}".rstrip("0").rstrip(".").replace(",", NARROW).replace("-", MINUS) + f"{SPACE}W"


def power(value_w: float | None) -> str:
    """A power that was measured, in W, kW or MW."""
    return _in_unit(value_w, _POWER_UNITS)


def mass(value_kg: float | None) -> str:
    """A mass in mg, g, kg or t."""
    return _in_unit(value_kg, [(size, size, unit) for size, unit in _MASS_UNITS])


def money(value: float | None, currency: str) -> str:
    """An amount of money, rounded to the cent, or from 1,000 on to a whole. Below a cent, the sign does not matter."""
    if value is None:
        return NOTHING
    if 0 < abs(value) < 0.01:
        return f"under 0.01{SPACE}{currency}"
    decimals = 0 if abs(value) >= 1000 else 2
    return f"{value:,.{decimals}f}".replace(",", NARROW).replace("-", MINUS) + f"{SPACE}{currency}"


def interval(low: str, high: str) -> str:
    """An interval, from both ends in words. Empty if these read alike: it would say no more than the figure."""
    return "" if low == high else f"{low} to {high}"


def percent(share: float | None) -> str:
    """A share in whole percent. Only an exact 0 is shown as 0 %, and only an exact 1 as 100 %."""
    if share is None:
        return NOTHING
    if 0 < share < 0.01:
        return f"<1{SPACE}%"
    if 0.99 < share < 1:
        return f">99{SPACE}%"
    return f"{100 * share:.0f}{SPACE}%".replace("-", MINUS)


def less(share: float) -> str:
    """A saving as a share of the baseline, for example ``12 % less``."""
    if share == 0:
        return "no change"
    return f"{percent(abs(share))} {'more' if share < 0 else 'less'}"


def _least(unit: str) -> float:
    """From which energy on the unit is used [J]."""
    return JOULES[unit] / 10 if unit == "kWh" else JOULES[unit]


def _in_unit(value: float | None, units: Sequence[tuple[float, float, str]]) -> str:
    """The value in the first unit ``(size, least value, name)`` whose least value it reaches, else in the last unit."""
    if value is None:
        return NOTHING
    size, _, unit = next((found for found in units if abs(value) >= found[1]), units[-1])
    return f"{number(value / size)}{SPACE}{unit}"
