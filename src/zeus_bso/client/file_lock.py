"""Locks of files that last until their process ends."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

_held: set[Path] = set()
"""Locks that this process holds. The operating system's locks do not separate threads of one process."""
_OWNED = (errno.EAGAIN, errno.EACCES)
"""Errors that mean that another process holds the lock. Any other error means that the file system has no locks."""

# A signal handler may take the lock again in the same thread.
_holding = threading.RLock()


class FileLock:
    """A lock by a file of its own. It lasts until it is released, or the process ends. Forked children do not share it.

    On a file system without locks, it can always be taken.

    Args:
        path: The lock file, which exists while the lock is held.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock. False if another owner lives.

        Raises:
            OSError: The lock file cannot be opened.
        """
        with _holding:
            if self._descriptor is not None:
                if _is_open_at(self._path, self._descriptor):
                    return True
                self._close()  # Something has cleared the folder.
            if self._path in _held:
                return False
            self._descriptor = _locked(self._path)
            if self._descriptor is None:
                return False
            _held.add(self._path)
            return True

    @property
    def owner(self) -> int | None:
        """The process that has written itself into the lock file. None if there is none, or it is about to."""
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Release the lock, if it is held."""
        with _holding:
            if self._descriptor is None:
                return
            self._path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        _held.discard(self._path)


def is_same_file(known: os.stat_result, path: Path) -> bool:
    """Whether a path still names this file."""
    try:
        return os.path.samestat(known, path.stat())
    except OSError:
        return False


def _locked(path: Path) -> int | None:
    """Open a lock file and lock it. None if another process holds the lock."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            # A lock of the process, which forked children do not share.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _OWNED:
                os.close(descriptor)
                return None
        # The process that held the lock before may have removed the file in between.
        if _is_open_at(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
        os.close(descriptor)


def _is_open_at(path: Path, descriptor: int) -> bool:
    return is_same_file(os.fstat(descriptor), path)
