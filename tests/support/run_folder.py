"""One folder for all temporary files of a test run: in memory where there is room, and gone at the end.

The process that begins the run makes the folder; the processes that it starts find it in the environment. ``TMPDIR``
names it too, so that temporary files of the code under test, and of whatever a test starts, lie there as well.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.support import leftovers

VARIABLE = "BSO_TEST_RUN_FOLDER"

_PREFIX = "zeus-bso-tests-"
_IN_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 4 * 2**30
"""A whole run takes about 1 GiB."""


class RunFolder:
    """The temporary files of a run.

    Attributes:
        path: The folder.
        owned: Whether this process began the run.
    """

    def __init__(self) -> None:
        self.owned = VARIABLE not in os.environ
        self._lock: IO[bytes] | None = None
        if self.owned:
            home = _home()
            _remove_abandoned(home)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
            self.path.chmod(0o711)  # Database servers run as another user, and have their data inside.
            self._lock = (self.path / "lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.environ[VARIABLE] = os.environ["TMPDIR"] = str(self.path)
            tempfile.tempdir = None
        else:
            self.path = Path(os.environ[VARIABLE])

    def remove(self) -> None:
        """End what still runs in it, and remove it with all that it holds."""
        assert self._lock is not None
        leftovers.kill(leftovers.of_run(self.path))
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _home() -> Path:
    with suppress(OSError):
        if shutil.disk_usage(_IN_MEMORY).free > _ENOUGH_BYTES and _available_memory() > 2 * _ENOUGH_BYTES:
            return _IN_MEMORY
    return Path(tempfile.gettempdir())


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _remove_abandoned(home: Path) -> None:
    """Remove the folders and the processes of runs that were killed: nobody holds their locks."""
    for folder in home.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_uid != os.geteuid():
                continue
            with (folder / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                leftovers.kill(leftovers.of_run(folder))
                shutil.rmtree(folder, ignore_errors=True)
