"""What could not be told to the server is kept on disk: one file per trial, locked while its owner lives."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.common import TrainingResult, TrialEnd, TrialId

SPOOL_DIR_VARIABLE = "ZEUS_BSO_SPOOL_DIR"

_SUFFIX = ".json"
_count = itertools.count()
_held: set[Path] = set()
"""Files that this process has locked: the operating system's locks do not part its threads."""
# A signal's handler may come back to it, in the same thread.
_holding = threading.RLock()


class Letter(BaseModel):
    """What is to be told of a trial: its last report, its end, or both.

    Attributes:
        report: The last cumulative report.
        end: The run ended without a result.
    """

    model_config = ConfigDict(frozen=True)

    report: TrainingResult | None = None
    end: TrialEnd | None = None


class SpooledLetter(Letter):
    """A letter as it is kept on disk; it holds no secret.

    Attributes:
        version: Of the format.
        address: The server's URL, without user info.
        run_id: The run's id; None: it is not known.
    """

    version: Literal[1] = 1
    address: str
    run_id: str | None = None

    @property
    def trial(self) -> TrialId:
        """The trial that it is about."""
        about = self.report or self.end
        assert about is not None
        return about


class SpoolFile:
    """One file of the spool; whoever has locked it may change it.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_suffix(".lock")
        self._descriptor: int | None = None

    def lock(self) -> bool:
        """Lock it, until :meth:`unlock` or the end of this process; False: another owner lives."""
        if self._descriptor is not None:
            return True
        with _holding:
            if self.path in _held:
                return False
            descriptor = os.open(self._lock_path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                # A lock of the process, which forked children do not share.
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            _held.add(self.path)
            self._descriptor = descriptor
            return True

    def unlock(self) -> None:
        """Give it free."""
        if self._descriptor is None:
            return
        with _holding:
            if not self.path.exists():
                self._lock_path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self.path)

    def read(self) -> SpooledLetter | None:
        """Read it; None: it is gone, or holds something else."""
        try:
            letter = SpooledLetter.model_validate_json(self.path.read_bytes())
        except (OSError, ValidationError):
            return None
        return letter if letter.report or letter.end else None

    def write(self, letter: SpooledLetter) -> None:
        """Replace its content, at once and as a whole."""
        beside = self.path.with_suffix(f".{os.getpid()}-{next(_count)}.tmp")
        beside.touch(mode=0o600)
        beside.write_text(letter.model_dump_json(), encoding="utf-8")
        beside.replace(self.path)

    def remove(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Rename it, so that it is not sent again."""
        aside = self.path.with_suffix(".refused")
        self.path.replace(aside)
        return aside


class Spool:
    """Keeps what one run could not tell.

    Args:
        address: The server's URL, without user info.
        trial: The run's trial.
        instance: Names the process that runs it.
        run_id: The run's id.
    """

    def __init__(self, address: str, trial: TrialId, *, instance: str, run_id: str) -> None:
        self._folder = spool_folder()
        self._address = address
        self._run_id = run_id
        name = f"{address}|{trial.job_id}|{trial.trial_number}|{instance}"
        self._file = SpoolFile(self._folder / (hashlib.sha256(name.encode()).hexdigest()[:24] + _SUFFIX))

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return self._file.path

    def keep(self, letter: Letter) -> None:
        """Keep a letter in place of what was kept before.

        Raises:
            OSError: The disk does not take it.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.lock()
        kept = SpooledLetter(address=self._address, run_id=self._run_id, report=letter.report, end=letter.end)
        self._file.write(kept)

    def clear(self) -> None:
        """Forget what was kept: it has been told."""
        self._file.remove()
        self._file.unlock()

    def leave(self) -> None:
        """Leave what is kept to whoever flushes the spool."""
        self._file.unlock()


def spool_folder() -> Path:
    """Where spooled files lie: ``ZEUS_BSO_SPOOL_DIR``, else below the user's directory for state."""
    given = os.environ.get(SPOOL_DIR_VARIABLE)
    if given:
        return Path(given).absolute()
    from platformdirs import user_state_path

    return user_state_path("zeus-bso", appauthor=False) / "spool"


@contextmanager
def left_over(path: Path) -> Iterator[SpoolFile | None]:
    """Take a file whose owner is dead; None: its owner lives, it is not ours to lock, or it is gone."""
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


def spooled_files(folder: Path) -> list[Path]:
    """The files of a spool, by name."""
    return sorted(folder.glob(f"*{_SUFFIX}")) if folder.is_dir() else []
