"""Processes that write to one SQLite file take turns."""

from __future__ import annotations

from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not on this operating system
    fcntl = None  # type: ignore[assignment]


class Turn:
    """A process's turn to write.

    SQLite's own lock is right but not fair: who finds it taken looks again every now and then, and under load a process
    may never see it free. Here the operating system wakes who waits. It keeps order, nothing depends on it.

    Args:
        path: The database file; None: no other process can see the database.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = None if path is None or fcntl is None else path.with_name(f"{path.name}-turn")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        """Wait for the turn."""
        if self._path is not None:
            self._file = self._file or self._path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """Give the turn to the next process."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the queue."""
        if self._file is not None:
            self._file.close()
