"""The error with which a command ends if it cannot do its work."""

from __future__ import annotations

FAILED = 1
BAD_USE = 2
COMMAND_NOT_EXECUTABLE = 126
COMMAND_NOT_FOUND = 127
"""The exit codes of a shell for a command that it was told to launch."""
INTERRUPTED = 130
CLOSED_OUTPUT = 141
"""The exit code if nobody reads the output any more. A process that SIGPIPE ends has the same."""


class CommandError(Exception):
    """Ends the command with one line on stderr.

    Args:
        message: One sentence that says what is wrong and what to do about it.
        exit_code: ``BAD_USE`` if the arguments were wrong.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
