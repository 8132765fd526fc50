"""How a command ends when it cannot do what was asked."""

from __future__ import annotations

FAILED = 1
BAD_USE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """The command ends with one line on stderr.

    Args:
        message: What is wrong and what to do about it, in a sentence.
        exit_code: ``BAD_USE`` when the command was called wrongly.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
