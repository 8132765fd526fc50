"""Which run may set a GPU's power limit, and what to restore if the run dies: one file per GPU."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from zeus_bso.client.file_lock import FileLock
from zeus_bso.files import written_whole
from zeus_bso.monitor.machine import host_id

FOLDER_VARIABLE = "ZEUS_BSO_POWER_DIR"

_ROOTS_FOLDER = Path("/run/zeus-bso/power")

_SUFFIX = ".json"


class LimitRecord(BaseModel):
    """What a run has found, before it set a limit.

    Attributes:
        uuid: The GPU.
        host: The machine since its last start, which resets all limits.
        limit_w: The limit to restore [W].
        set_w: The limits that the run has set, or was about to set [W]. Any other one is somebody else's.
        pid: The process of the run.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    uuid: str
    host: str
    limit_w: float
    set_w: tuple[float, ...]
    pid: int


class GpuClaim:
    """The right to set the power limit of one GPU. One living process has it at a time.

    Args:
        folder: The folder of the claims.
        uuid: The GPU.
    """

    def __init__(self, folder: Path, uuid: str) -> None:
        self._folder = folder
        self._uuid = uuid
        self._path = folder / (hashlib.sha256(f"{host_id()}|{uuid}".encode()).hexdigest()[:24] + _SUFFIX)
        self._lock = FileLock(self._path.with_suffix(".lock"))

    def take(self) -> bool:
        """Take the claim. False if another process has it.

        Raises:
            OSError: The folder cannot be used.
        """
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return self._lock.take()

    def release(self) -> None:
        """Give the claim back."""
        self._lock.release()

    def read(self) -> LimitRecord | None:
        """What the latest owner has found. None if it has restored it, or has changed nothing."""
        return _read(self._path)

    @property
    def owner(self) -> int | None:
        """The process that has the claim. None if it is not known."""
        return self._lock.owner

    def record(self, limit_w: float, set_w: tuple[float, ...]) -> None:
        """Write down what to restore. Do so before setting a limit.

        Args:
            limit_w: The limit to restore [W].
            set_w: The limits that this run has set, and the one that it will set [W].

        Raises:
            OSError: The record cannot be written.
        """
        found = LimitRecord(uuid=self._uuid, host=host_id(), limit_w=limit_w, set_w=set_w, pid=os.getpid())
        with written_whole(self._path) as file:
            file.write(found.model_dump_json().encode())

    def forget(self) -> None:
        """Remove the record, because the limit is restored."""
        self._path.unlink(missing_ok=True)


def claims_folder() -> Path | None:
    """The folder of the claims: ``ZEUS_BSO_POWER_DIR``, else one for root, or one of the user.

    Returns:
        The folder. None if the user has no home folder.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given).absolute()
    if os.geteuid() == 0:
        return _ROOTS_FOLDER
    from platformdirs import user_state_dir

    try:
        folder = Path(user_state_dir("zeus-bso", appauthor=False))
    except (OSError, RuntimeError, KeyError):
        return None
    # Without a home folder, the path still starts with "~".
    return folder / "power" if folder.is_absolute() else None


def records_here(folder: Path | None) -> Iterator[LimitRecord]:
    """The records of this machine since its start, of living and of dead runs."""
    if folder is None:
        return
    try:
        paths = sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return
    for path in paths:
        found = _read(path)
        if found is not None and found.host == host_id():
            yield found


def _read(path: Path) -> LimitRecord | None:
    try:
        return LimitRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
