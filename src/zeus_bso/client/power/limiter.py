"""Sets the power limit of the GPUs of a run, and restores the limit that was there before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from zeus_bso.client.power.claims import GpuClaim, LimitRecord, claims_folder, records_here
from zeus_bso.client.power.daemon import SOCKET_VARIABLE, PowerDaemon, known_daemon
from zeus_bso.exceptions import ZeusBSOError, ZeusBSOMonitorError
from zeus_bso.monitor.machine import own_processes
from zeus_bso.monitor.sensors.gpu import LimitedGpu, NotPermittedError

logger = logging.getLogger("zeus_bso")

HOW_TO_ALLOW = (
    "Run the training as root or with the capability SYS_ADMIN (in a container: --cap-add SYS_ADMIN), or start zeusd "
    f"as root and set {SOCKET_VARIABLE} to its socket."
)

_SAME_W = 1.0
"""Drivers round a limit by less than this [W]."""


class PowerLimitError(ZeusBSOError):
    """The power limit of a GPU is left alone. The message says why. It never ends a training."""


class ClaimedGpu:
    """A GPU whose power limit this process may set.

    Args:
        gpu: The GPU.
        claim: The claim, which is taken.

    Attributes:
        found_w: The limit that was in force [W]. It is the highest that is ever set.
        lowest_w: The lowest limit that may be set [W].

    Raises:
        ZeusBSOMonitorError: The limit cannot be read or set.
        NotPermittedError: This process may not set it.
    """

    def __init__(self, gpu: LimitedGpu, claim: GpuClaim) -> None:
        self._gpu = gpu
        self._claim = claim
        self._daemon: PowerDaemon | None = None
        self._ours_w: tuple[float, ...] = ()
        now_w = gpu.power_limits_w().now_w
        left = claim.read()
        is_left = left is not None and _is_among(now_w, left.set_w)
        self._check_permission(left.limit_w if left is not None and is_left else now_w)
        if left is not None:
            if is_left:
                _log_restored(left)
            claim.forget()
        limits = gpu.power_limits_w()
        self.found_w, self.lowest_w = limits.now_w, min(limits.lowest_w, limits.now_w)

    def limit(self, limit_w: float) -> None:
        """Set the limit [W], within what the GPU allows. What to restore is written down before.

        Raises:
            ZeusBSOMonitorError: It cannot be set, or another one than ours is in force.
            OSError: Nothing can be written down.
        """
        limit_w = min(max(limit_w, self.lowest_w), self.found_w)
        if not self._is_ours():
            raise ZeusBSOMonitorError("Somebody else has set another power limit meanwhile")
        self._ours_w = (*self._ours_w, limit_w)
        self._claim.record(self.found_w, self._ours_w)
        self._set(limit_w)
        if not self._ours_w:  # A signal handler has restored in between.
            self._ours_w = (limit_w,)

    def put_back(self) -> None:
        """Restore the limit that was found, if ours is still in force. If that fails, the record stays for a later run.

        Raises:
            ZeusBSOMonitorError: It cannot be set.
        """
        if not self._ours_w:
            return
        if self._is_ours():
            self._set(self.found_w)
        self._ours_w = ()
        with suppress(OSError):
            self._claim.forget()

    def release(self) -> None:
        """Let others set the limit."""
        with suppress(OSError):
            self._claim.release()

    def _is_ours(self) -> bool:
        return _is_among(self._gpu.power_limits_w().now_w, (self.found_w, *self._ours_w))

    def _set(self, limit_w: float) -> None:
        if self._daemon is None:
            self._gpu.set_power_limit_w(limit_w)
            return
        index = self._gpu.host_index
        if index is None:
            raise ZeusBSOMonitorError("The number of this GPU on the machine is not known, by which zeusd names it")
        self._daemon.set_power_limit_w(index, limit_w)
        if not _is_among(self._gpu.power_limits_w().now_w, (limit_w,)):
            raise ZeusBSOMonitorError("zeusd has not set the power limit of this GPU")

    def _check_permission(self, limit_w: float) -> None:
        """Set a limit that should be in force, directly or by the daemon."""
        try:
            self._set(limit_w)
        except NotPermittedError:
            self._daemon = known_daemon()
            if self._daemon is None:
                raise
            self._set(limit_w)


class PowerLimiter:
    """The power limit of a run's GPUs, all alike.

    Args:
        gpus: The GPUs.
        folder: The folder of the claims. Default: the one of this user.
    """

    def __init__(self, gpus: Sequence[LimitedGpu], folder: Path | None = None) -> None:
        self._gpus = gpus
        self._folder = folder or claims_folder()
        self._claimed: list[ClaimedGpu] = []
        self._is_closed = False
        self.is_restored = True
        # A signal handler may restore the limit while the same thread is about to set one.
        self._lock = threading.RLock()

    @property
    def range_w(self) -> tuple[float, float] | None:
        """The lowest limit that may be set, and the one that was in force [W]. None if no GPU is claimed."""
        if not self._claimed:
            return None
        return max(gpu.lowest_w for gpu in self._claimed), min(gpu.found_w for gpu in self._claimed)

    def claim(self, ranks: Collection[int] = ()) -> None:
        """Take the right to set the limit.

        Args:
            ranks: The processes of this training on this machine. A GPU that one of them limits is left to it.

        Raises:
            PowerLimitError: A GPU must be left alone.
        """
        with self._lock:
            if self._is_closed:
                raise PowerLimitError("The run has ended.")
            if not self._gpus:
                raise PowerLimitError("No GPU is measured whose power can be limited.")
            if not self.is_restored:
                return
            self.is_restored = False
            try:
                for gpu in self._gpus:
                    self._claim(gpu, ranks)
            except BaseException:
                self.restore()
                raise

    def set_limit(self, limit_w: float) -> None:
        """Set the limit of all GPUs [W], within what they allow. Does nothing once the limits are restored.

        Raises:
            PowerLimitError: It cannot be set. The limits are restored.
        """
        with self._lock:
            if self.is_restored:
                return
            claimed = self._claimed
            try:
                for gpu in claimed:
                    gpu.limit(limit_w)
            except (OSError, ZeusBSOMonitorError) as error:
                self.restore()
                raise PowerLimitError(f"The power limit cannot be set: {_sentence(error)}.") from error
            if self.is_restored:  # By a signal handler, in between.
                _put_back(claimed)

    def restore(self) -> None:
        """Restore the limits that were found, and let others set them."""
        with self._lock:
            self.is_restored = True
            _put_back(self._claimed)
            claimed, self._claimed = self._claimed, []
            for gpu in claimed:
                gpu.release()

    def close(self) -> None:
        """Restore the limits for good: nothing can be claimed any more."""
        with self._lock:
            self._is_closed = True
            self.restore()

    def forget(self) -> None:
        """Forget the claims, which belong to the parent process. For a forked child."""
        self._lock = threading.RLock()
        self._claimed, self.is_restored, self._is_closed = [], True, True

    def _claim(self, gpu: LimitedGpu, ranks: Collection[int]) -> None:
        users = gpu.users({*own_processes(), *ranks})
        if users is not None:
            raise PowerLimitError(f"The power limit of GPU {gpu.uuid} is left alone: {users}.")
        claim = self._take(gpu, ranks)
        if claim is None:
            return
        try:
            self._claimed.append(ClaimedGpu(gpu, claim))
        except BaseException as error:
            claim.release()
            if not isinstance(error, ZeusBSOMonitorError):
                raise
            remedy = f" {HOW_TO_ALLOW}" if isinstance(error, NotPermittedError) else ""
            raise PowerLimitError(f"{_sentence(error)}.{remedy}") from error

    def _take(self, gpu: LimitedGpu, ranks: Collection[int]) -> GpuClaim | None:
        """Take the claim of a GPU. None if another rank has it."""
        if self._folder is None:
            raise PowerLimitError("There is no folder in which to write down what to restore.")
        claim = GpuClaim(self._folder, gpu.uuid)
        try:
            if claim.take():
                return claim
        except OSError as error:
            raise PowerLimitError(f"Nothing can be written to {self._folder} ({error.strerror}).") from error
        if claim.owner in ranks:
            return None
        by = "" if claim.owner is None else f", in process {claim.owner}"
        raise PowerLimitError(f"Another run sets the power limit of GPU {gpu.uuid}{by}; this one leaves it alone.")


def restore_left_over(gpus: Iterable[LimitedGpu], folder: Path | None = None) -> list[str]:
    """Restore the limits that dead runs on this machine have left.

    Args:
        gpus: The GPUs of this machine.
        folder: The folder of the claims. Default: the one of this user.

    Returns:
        What was done for each GPU that a run has limited, as sentences.
    """
    folder = folder or claims_folder()
    seen = {gpu.uuid: gpu for gpu in gpus}
    return [
        _restore_one(record, seen.get(record.uuid), folder) for record in records_here(folder) if folder is not None
    ]


def _restore_one(record: LimitRecord, gpu: LimitedGpu | None, folder: Path) -> str:
    what = f"GPU {record.uuid}: its limit of {record.limit_w:g} W"
    if gpu is None:
        return f"{what} is not restored: this process does not see the GPU."
    claim = GpuClaim(folder, record.uuid)
    try:
        if not claim.take():
            return f"GPU {record.uuid}: a run in process {record.pid} still sets its limit."
        found_w = ClaimedGpu(gpu, claim).found_w
    except (OSError, ZeusBSOMonitorError) as error:
        return f"{what} is not restored: {_sentence(error)}. {HOW_TO_ALLOW}"
    finally:
        claim.release()
    if not _is_among(found_w, (record.limit_w,)):
        return f"GPU {record.uuid}: somebody has set a limit of {found_w:g} W since, which stays."
    return f"{what} is restored."


def _put_back(gpus: Iterable[ClaimedGpu]) -> None:
    """Restore every limit, whatever happens to another one."""
    for gpu in gpus:
        try:
            gpu.put_back()
        except Exception as error:  # noqa: BLE001, PERF203 - one broken GPU must not leave another one limited
            logger.warning(
                "A power limit is not restored yet: %s. `zeus-bso doctor --restore-power` does.", _sentence(error)
            )


def _is_among(limit_w: float, limits_w: Iterable[float]) -> bool:
    return any(abs(limit_w - known_w) <= _SAME_W for known_w in limits_w)


def _log_restored(left: LimitRecord) -> None:
    logger.warning(
        "The run in process %d died and left GPU %s with a power limit. Its limit of %g W is restored.",
        left.pid,
        left.uuid,
        left.limit_w,
    )


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".")
