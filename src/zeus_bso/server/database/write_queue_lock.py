"""Lets processes that write to one SQLite file take turns."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # this operating system has no such module
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class WriteQueueLock:
    """A lock that gives each process its turn to write.

    SQLite's own lock is correct but not fair: a process that finds it taken looks again from time to time, and under
    load it may never find the lock free. With this lock the operating system wakes the next process in the queue. It
    only keeps the order, and correctness does not depend on it.

    Args:
        path: The database file, or None if no other process can see the database.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = None if path is None or fcntl is None else path.with_name(f"{path.name}-turn")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> None:
        """Wait for the turn."""
        if self._path is None:
            return
        try:
            self._file = self._file or self._path.open("ab")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            logger.warning(
                "%s cannot be used (%s), so processes that write to the database take no turns and may wait longer. "
                "Remove the file, or give it to this user.",
                self._path,
                error.strerror,
            )
            self._path = None

    def __exit__(self, *_: object) -> None:
        """Give the turn to the next process."""
        if self._file is not None and self._path is not None:
            with suppress(OSError):  # the writer thread must outlive every turn
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the queue."""
        if self._file is not None:
            self._file.close()
