"""The parser of command lines, whose errors are in plain words."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.cli.line_breaks import print_error

_CHOICE = re.compile(r"invalid choice: '(?P<given>.*?)' \(choose from (?P<choices>.*)\)$")
_VALUE = re.compile(r"argument \S.*: must be ")


class CommandParser(argparse.ArgumentParser):
    """A parser that suggests what may have been meant, and speaks of numbers rather than of types of Python."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("type", int, whole_number())
        self.register("type", float, number)

    def error(self, message: str) -> NoReturn:
        """Print the error, and exit with 2. The usage comes first, unless the error says what an argument must be."""
        if _VALUE.match(message):
            self.exit(BAD_USE, f"{self.prog}: error: {message}\n")
        if (wrong := _CHOICE.search(message)) is not None:
            choices = re.findall(r"[^\s,']+", wrong["choices"])
            near = closest(wrong["given"], choices)
            instead = f"Did you mean {near!r}?" if near else f"Choose from {', '.join(choices)}."
            message = f"{message[: wrong.start()]}there is no {wrong['given']!r}. {instead}"
        super().error(message)

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, with a message that fits the terminal."""
        if message:
            print_error(message.removesuffix("\n"))
        super().exit(status)


def closest(given: str, known: list[str]) -> str | None:
    """The name that may have been meant by a misspelt one."""
    return next(iter(difflib.get_close_matches(given, known, n=1)), None)


def add_command(parser: argparse.ArgumentParser, what: str = "the command with its arguments") -> None:
    """Declare the command that is launched, after ``--``."""
    parser.add_argument("launched", nargs=argparse.REMAINDER, metavar="-- COMMAND", help=what)


def command_of(args: argparse.Namespace, example: str) -> list[str]:
    """The command that is to be launched.

    Raises:
        CommandError: There is none; the message shows the example.
    """
    command: list[str] = args.launched[1:] if args.launched[:1] == ["--"] else args.launched
    if not command:
        raise CommandError(f"give the command to run: {example}", BAD_USE)
    return command


def whole_number(least: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers that are not below a bound."""
    bound = "" if least is None else f" of at least {least}"

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or (least is not None and value < least):
            raise argparse.ArgumentTypeError(f"must be a whole number{bound}, not {text!r}")
        return value

    return parse


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None


def share(text: str) -> float:
    """A number between 0 and 1."""
    value = number(text)
    if math.isnan(value) or not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1, not {text!r}")
    return value
