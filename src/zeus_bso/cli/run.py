"""``zeus-bso run -- COMMAND``: launches a training script, and again after a run that failed to converge."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from zeus_bso.cli.errors import COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND, CommandError
from zeus_bso.cli.parser import add_command, command_of, whole_number
from zeus_bso.client.launcher import OUTCOME_FILE_VARIABLE
from zeus_bso.protocol import wording
from zeus_bso.protocol.words import FailReason, Outcome

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_FORWARDED = (*_ENDING, signal.SIGUSR1, signal.SIGUSR2)
_UNKNOWN = (
    "zeus-bso: the outcome of the run is not known, so that nothing is launched again: no training with zeus-bso has "
    "ended here. If the script runs elsewhere (ssh, srun, docker, kubectl), start zeus-bso run itself there."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--relaunch",
        type=whole_number(0),
        default=3,
        metavar="N",
        help="launch it again at most N times (default: 3) when it failed to converge or ran out of memory",
    )
    add_command(parser)


def run(args: argparse.Namespace) -> int:
    """Launch the command; its exit code is ours."""
    command = command_of(args, "zeus-bso run -- python train.py")
    with tempfile.TemporaryDirectory(prefix="zeus-bso-run-") as folder:
        launcher = _Launcher(command, Path(folder) / "outcome")
        with launcher:
            code = launcher.launch()
            for number in range(1, args.relaunch + 1):
                why = launcher.useless_because()
                if not launcher.knows_outcome and not launcher.told_to_end:
                    print(_failed(code) if code else _UNKNOWN, file=sys.stderr)
                if why is None or launcher.told_to_end:
                    break
                print(f"zeus-bso: {why}; launching it again ({number} of {args.relaunch}).", file=sys.stderr)
                code = launcher.launch()
        return code


def _failed(code: int) -> str:
    return (
        f"zeus-bso: the script failed (status {code}), and the outcome of its training is not known, so nothing is "
        "launched again."
    )


class _Launcher:
    """Launches one command, again and again; while it is entered, signals go on to the command.

    Args:
        command: The command.
        outcome_file: Where the client in it says how its run ended.

    Attributes:
        told_to_end: A signal came that ends programs.
    """

    def __init__(self, command: Sequence[str], outcome_file: Path) -> None:
        self.told_to_end = False
        self._command = list(command)
        self._outcome_file = outcome_file
        self._child: subprocess.Popen[bytes] | None = None
        self._missed: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> _Launcher:
        """Take the signals over; an ignored one (nohup) stays so, here and in the command."""
        for number in _FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._forward)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give them back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def launch(self) -> int:
        """Launch it and wait for its end; returns its exit code, as a shell does."""
        self._outcome_file.unlink(missing_ok=True)
        self._child = None
        environment = {**os.environ, OUTCOME_FILE_VARIABLE: str(self._outcome_file)}
        try:
            self._child = subprocess.Popen(self._command, env=environment)
        except FileNotFoundError:
            raise CommandError(f"there is no command {self._command[0]!r}.", COMMAND_NOT_FOUND) from None
        except OSError as error:
            raise CommandError(
                f"{self._command[0]!r} cannot be run: {error.strerror}.", COMMAND_NOT_EXECUTABLE
            ) from None
        while self._missed:
            self._child.send_signal(self._missed.pop())
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    @property
    def knows_outcome(self) -> bool:
        """Whether the last run has said how it ended."""
        try:
            return self._outcome_file.stat().st_size > 0
        except OSError:
            return False

    def useless_because(self) -> str | None:
        """Why the last run's batch size was of no use; None: it was, or nothing is known."""
        try:
            lines = self._outcome_file.read_text(encoding="utf-8").splitlines()
            told = json.loads(lines[-1])
        except (OSError, ValueError, IndexError):
            return None
        size = told.get("batch_size")
        if told.get("reason") == FailReason.OOM.value:
            return f"batch size {size} ran out of memory"
        outcome = told.get("outcome")
        # Who has the model need not train it again, however dear it was.
        if outcome in (None, Outcome.CONVERGED.value) or told.get("target_reached"):
            return None
        return f"batch size {size} {wording.end_of(outcome)}"

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self.told_to_end = self.told_to_end or number in _ENDING
        if number == signal.SIGINT and _is_in_foreground():
            return
        if self._child is None:
            self._missed.append(number)
        else:
            self._child.send_signal(number)


def _is_in_foreground() -> bool:
    """Whether a terminal's interrupt reaches this process; it then reaches the command as well."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
