"""Keeps messages on disk that could not be sent: one file per trial, locked while its owner lives."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.client.file_lock import FileLock, is_same_file
from zeus_bso.protocol.messages import TrainingResult, TrialEnd, TrialId

SPOOL_DIR_VARIABLE = "ZEUS_BSO_SPOOL_DIR"

_SUFFIX = ".json"
_SURELY_OVER_S = 60.0
"""After this time no process is still writing a file, even on a file system without locks [s]."""

_count = itertools.count()


class TrialMessage(BaseModel):
    """A message about a trial: its last report, its end, or both.

    Attributes:
        report: The last cumulative report.
        end: The end of a run without a result.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    report: TrainingResult | None = None
    end: TrialEnd | None = None


class SpooledMessage(TrialMessage):
    """A message as it is kept on disk. It contains no secrets.

    Attributes:
        version: Version of the format.
        address: The server's URL, without user info.
        run_id: The run id. None if it is not known.
    """

    version: Literal[1] = 1
    address: str
    run_id: str | None = None

    @property
    def trial(self) -> TrialId:
        """The trial of this message."""
        about = self.report or self.end
        assert about is not None
        return about


class SpoolFile:
    """One file of the spool. Only the owner of its lock may change it.

    On a file system without locks, the file counts as unlocked. A message that is sent twice counts once.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_suffix(".lock"))
        self._read: os.stat_result | None = None

    def lock(self) -> bool:
        """Lock the file, until :meth:`unlock` or the end of this process. False if another owner lives.

        Raises:
            OSError: The lock file cannot be opened.
        """
        return self._lock.take()

    def unlock(self) -> None:
        """Unlock the file."""
        self._lock.release()

    def read(self) -> SpooledMessage | None:
        """Read the message. None if the file is gone or contains something else."""
        try:
            with self.path.open("rb") as file:
                self._read = os.fstat(file.fileno())
                message = SpooledMessage.model_validate_json(file.read())
        except (OSError, ValidationError):
            return None
        return message if message.report or message.end else None

    def write(self, message: SpooledMessage) -> None:
        """Replace the content of the file in one step.

        Raises:
            OSError: The message cannot be written. The content is unchanged.
        """
        beside = self.path.with_suffix(f".{os.getpid()}-{next(_count)}.tmp")
        try:
            beside.touch(mode=0o600)
            beside.write_text(message.model_dump_json(), encoding="utf-8")
            beside.replace(self.path)
        except OSError:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Remove the file, unless it has been replaced since it was read."""
        if self._read is not None and not is_same_file(self._read, self.path):
            return
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Rename the file, so that it is not sent again."""
        aside = self.path.with_suffix(".refused")
        self.path.replace(aside)
        return aside


class Spool:
    """Keeps the messages that one run could not send.

    Args:
        address: The server's URL, without user info.
        trial: The run's trial.
        instance: Name of the process of the run.
        run_id: The run id.
    """

    def __init__(self, address: str, trial: TrialId, *, instance: str, run_id: str) -> None:
        self._address = address
        self._run_id = run_id
        folder = spool_folder()
        name = hashlib.sha256(f"{address}|{trial.job_id}|{trial.trial_number}|{instance}".encode()).hexdigest()
        self._file = None if folder is None else SpoolFile(folder / (name[:24] + _SUFFIX))

    @property
    def path(self) -> Path | None:
        """The file. None if there is no folder for it."""
        return None if self._file is None else self._file.path

    def keep(self, message: TrialMessage) -> None:
        """Keep a message. It replaces the previous message.

        Raises:
            OSError: The message cannot be written.
        """
        if self._file is None:
            raise FileNotFoundError(errno.ENOENT, "this user has no home folder")
        self._file.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.lock()
        kept = SpooledMessage(address=self._address, run_id=self._run_id, report=message.report, end=message.end)
        self._file.write(kept)

    def clear(self) -> None:
        """Remove the message, because the server has it or refuses it for good.

        Raises:
            OSError: The file cannot be removed.
        """
        if self._file is not None:
            self._file.remove()
            self._file.unlock()

    def release(self) -> None:
        """Unlock the file, so that another process may send its message."""
        if self._file is not None:
            self._file.unlock()


def spool_folder() -> Path | None:
    """The folder of the spool: ``ZEUS_BSO_SPOOL_DIR``, or else a folder in the user's state directory.

    Returns:
        The folder. None if the variable is not set and the user has no home folder.
    """
    given = os.environ.get(SPOOL_DIR_VARIABLE)
    if given:
        return Path(given).absolute()
    from platformdirs import user_state_dir

    try:
        folder = Path(user_state_dir("zeus-bso", appauthor=False))
    except (OSError, RuntimeError, KeyError):
        return None
    # Without a home folder, the path still starts with "~".
    return folder / "spool" if folder.is_absolute() else None


@contextmanager
def left_over(path: Path) -> Iterator[SpoolFile | None]:
    """Take a file whose owner is dead. None if its owner lives, the file cannot be locked, or it is gone."""
    file = SpoolFile(path)
    try:
        taken = file.lock()
    except OSError:
        taken = False
    if not taken:
        yield None
        return
    try:
        yield file if path.exists() else None
    finally:
        file.unlock()


def spooled_files(folder: Path | None) -> list[Path]:
    """The files of a spool, by name."""
    return sorted(folder.glob(f"*{_SUFFIX}")) if folder is not None and folder.is_dir() else []


def clear_remains(folder: Path | None) -> None:
    """Remove temporary files that killed processes have left.

    Raises:
        OSError: The folder cannot be read.
    """
    if folder is None or not folder.is_dir():
        return
    for remains in (*folder.glob("*.tmp"), *folder.glob("*.lock")):
        # All companions of a file share its name up to the first dot.
        file = SpoolFile(remains.with_name(remains.name.partition(".")[0] + _SUFFIX))
        with suppress(OSError):
            if time.time() - remains.stat().st_mtime > _SURELY_OVER_S and file.lock():
                try:
                    if remains.suffix == ".tmp":
                        remains.unlink(missing_ok=True)
                finally:
                    file.unlock()
