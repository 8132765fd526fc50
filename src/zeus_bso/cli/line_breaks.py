"""Messages and commands in lines that fit the terminal."""

from __future__ import annotations

import re
import shlex
import shutil
import sys

_WORD = re.compile(r"`[^`]*`[^\s`]*|\S+")
"""A command in backquotes is one word, so that it can be copied as a whole."""


def print_error(message: str) -> None:
    """Print a message on stderr. Where this is no terminal, its lines are left as they are."""
    if sys.stderr.isatty():
        message = wrapped(message, shutil.get_terminal_size().columns)
    print(message, file=sys.stderr)


def wrapped(message: str, width: int) -> str:
    """A message whose lines are at most so wide [characters]. Words, and lines that are indented, are never broken."""
    lines: list[str] = []
    for line in message.splitlines():
        if len(line) <= width or line.startswith(" "):
            lines.append(line)
            continue
        filled = ""
        for word in _WORD.findall(line):
            if filled and len(filled) + 1 + len(word) > width:
                lines.append(filled)
                filled = word
            else:
                filled = f"{filled} {word}".lstrip()
        lines.append(filled)
    return "\n".join(lines)


def folded(command: str, width: int) -> str:
    """A command of a shell in lines that are at most so wide [characters], if it can be broken before its options."""
    first, *options = command.split(" --")
    lines = [first]
    for option in options:
        if len(lines[-1]) + len(f" --{option} \\") > width:
            lines[-1] += " \\"
            lines.append(f"  --{option}")
        else:
            lines[-1] += f" --{option}"
    return (
        "\n".join(lines) if _words(" ".join(line.removesuffix("\\") for line in lines)) == _words(command) else command
    )


def _words(command: str) -> list[str]:
    """The words of a command, or none if it is not one of a shell."""
    try:
        return shlex.split(command)
    except ValueError:
        return []
