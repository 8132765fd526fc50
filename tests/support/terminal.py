"""A terminal for the command line, as wide as a test wants it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.support.forked import start_python

_PATIENCE_S = 120.0
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(
    *arguments: str, columns: int = 80, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[str]:
    """The lines that a command of zeus-bso shows on a terminal."""
    ours, its = os.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    variables = inherited | {"TERM": "xterm"} | dict(environment or {})
    process = start_python(["-m", "zeus_bso", *arguments], cwd or Path.cwd(), variables, its, its, its)
    os.close(its)
    shown = b""
    try:
        while part := _read(ours):
            shown += part
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return [line.rsplit("\r", 1)[-1] for line in _STYLE.sub("", shown.decode()).replace("\r\n", "\n").splitlines()]


def _read(terminal: int) -> bytes:
    """What comes next. Nothing once the command has ended."""
    if not select.select([terminal], [], [], _PATIENCE_S)[0]:
        raise TimeoutError("the command shows nothing any more")
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
