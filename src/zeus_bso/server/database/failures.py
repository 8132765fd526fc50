"""What an error of a database driver means: by its code, or in a sentence for the person who runs the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

_Code = int | str

LOST_RACES: frozenset[_Code] = frozenset({1205, 1213, "40001", "40P01", "55P03"})
"""A lock not granted in time, a deadlock, a serialization failure. MySQL has numbers, PostgreSQL SQL states."""

CANNOT_WRITE: frozenset[_Code] = frozenset({1290, 1792, 1836, 3032, 3100, "25006", "57P01", "57P02", "57P03"})
"""The server at the other end is read-only or goes away. A new connection may lead to its successor."""

FULL: frozenset[_Code] = frozenset({1021, 1114, "53100"})
"""The disk of the database is full."""

_FULL_OF_SQLITE = ("disk is full", "disk I/O error")

_UNREACHABLE: frozenset[_Code] = frozenset(
    {1040, 1053, 1129, 2002, 2003, 2005, 2006, 2013, 2055, 3032, "53300", "57P01", "57P02", "57P03"}
)

_SENTENCES: Mapping[frozenset[_Code], str] = {
    frozenset({1045, 1130, 1251, 1698, 1862, 3118, "28000", "28P01"}): "The database refuses the login",
    frozenset({1049, "3D000"}): "The database does not exist",
    frozenset({1044, 1142, 1143, 1227, 1370, "42501"}): "The user of the database lacks a right",
    frozenset({1050, 1060, 1061, "42P06", "42P07", "42701"}): "The database already has what should be created",
    frozenset({1054, 1146, "42703", "42P01"}): "The tables of the database are not those of this release",
    FULL: "The disk of the database is full",
    CANNOT_WRITE - _UNREACHABLE: "The database is read-only",
    _UNREACHABLE: "The database cannot be reached",
}


def codes_of(error: BaseException) -> set[_Code]:
    """The codes of an error. MySQL's number is more precise than its SQL state, so both count."""
    original = getattr(error, "orig", None) or error
    number = next(iter(original.args), None)
    found = {getattr(original, "sqlstate", None), number if isinstance(number, int) else None}
    return {code for code in found if code is not None}


def is_full(error: BaseException) -> bool:
    """Whether the disk of the database is full, or fails."""
    said = str(getattr(error, "orig", error))
    return not FULL.isdisjoint(codes_of(error)) or any(words in said for words in _FULL_OF_SQLITE)


def describe(error: BaseException) -> str:
    """Describe an error in one sentence, without the statement and its values."""
    original = getattr(error, "orig", None) or error
    codes, reason = codes_of(error), _first_line(original)
    for meant, sentence in _SENTENCES.items():
        if not meant.isdisjoint(codes):
            return f"{sentence}: {reason}"
    if not codes or isinstance(original, OSError) or "FATAL: " in str(original):
        return _describe_no_answer(original, reason)
    return f"The database refused a statement: {reason}"


def _describe_no_answer(original: BaseException, reason: str) -> str:
    """Describe an error of a connection, or of the driver itself."""
    if "FATAL: " in str(original):
        return f"The database refuses the connection: {reason}"  # PostgreSQL itself has refused it
    if isinstance(original, asyncio.TimeoutError) and not original.args:
        return "The database did not answer in time. Perhaps it hangs, or waits for room on its disk"
    if type(original).__name__ == "ProgrammingError":  # psycopg's, about the options
        return f"The database's driver cannot use the options of the database URL: {reason}"
    return f"The database cannot be reached: {reason}"


def _first_line(error: BaseException) -> str:
    number, *text = error.args or (None,)
    said = str(text[0] if text and isinstance(number, int) else error)
    return next(iter(said.splitlines()), "") or type(error).__name__
