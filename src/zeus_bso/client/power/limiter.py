"""Sets the power limit of the GPUs of a run, and restores the limit that was there before."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from zeus_bso.client.power.claims import GpuClaim, LimitRecord, claims_folder, records_here
from zeus_bso.client.power.daemon import SOCKET_VARIABLE, PowerDaemon, known_daemon
from zeus_bso.exceptions import ZeusBSOError, ZeusBSOMonitorError
from zeus_bso.monitor.machine import is_kin
from zeus_bso.monitor.sensors.gpu import LimitedGpu, NotPermittedError

logger = logging.getLogger("zeus_bso")

HOW_TO_ALLOW = (
    "Run the training as root or with the capability SYS_ADMIN (in a container: --cap-add SYS_ADMIN), or start zeusd "
    f"as root and set {SOCKET_VARIABLE} to its socket."
)


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
        left = claim.read()
        self._check_permission(gpu.power_limits_w().now_w if left is None else left.limit_w)
        if left is not None:
            _log_restored(left)
            claim.forget()
        limits = gpu.power_limits_w()
        self.found_w, self.lowest_w = limits.now_w, min(limits.lowest_w, limits.now_w)

    def record(self) -> None:
        """Write down the limit to restore.

        Raises:
            OSError: It cannot be written.
        """
        self._claim.record(self.found_w)

    def set_limit(self, limit_w: float) -> None:
        """Set the limit [W].

        Raises:
            ZeusBSOMonitorError: It cannot be set.
        """
        if self._daemon is None:
            self._gpu.set_power_limit_w(limit_w)
            return
        index = self._gpu.host_index
        if index is None:
            raise ZeusBSOMonitorError("The number of the GPU on this machine is not known.")
        self._daemon.set_power_limit_w(index, limit_w)

    def put_back(self) -> None:
        """Restore the limit that was found. If that fails, the record stays for a later run."""
        try:
            self.set_limit(self.found_w)
        except ZeusBSOMonitorError as error:
            logger.warning("A power limit is not restored yet: %s. `zeus-bso doctor --restore-power` does.", error)
            return
        with suppress(OSError):
            self._claim.forget()

    def release(self) -> None:
        """Let others set the limit."""
        with suppress(OSError):
            self._claim.release()

    def _check_permission(self, limit_w: float) -> None:
        """Set a limit that should be in force, directly or by the daemon."""
        try:
            self.set_limit(limit_w)
        except NotPermittedError:
            self._daemon = known_daemon()
            if self._daemon is None:
                raise
            self.set_limit(limit_w)


class PowerLimiter:
    """The power limit of a run's GPUs, all alike.

    Args:
        gpus: The GPUs.
        folder: The folder of the claims. Default: the one of this user.
        has_ranks: Whether other processes of the same training set the limits of their GPUs.

    Attributes:
        has_ranks: The same.
    """

    def __init__(self, gpus: Sequence[LimitedGpu], folder: Path | None = None, *, has_ranks: bool = False) -> None:
        self._gpus = gpus
        self.has_ranks = has_ranks
        self._folder = folder or claims_folder()
        self._claimed: list[ClaimedGpu] = []
        self._is_recorded = self._is_restored = False
        # A signal handler may restore the limit while the same thread is about to set one.
        self._lock = threading.RLock()

    @property
    def is_claimed(self) -> bool:
        """Whether this process may set a limit now."""
        return bool(self._claimed)

    @property
    def range_w(self) -> tuple[float, float] | None:
        """The lowest limit that may be set, and the one that was in force [W]. None if no GPU is claimed."""
        if not self._claimed:
            return None
        return max(gpu.lowest_w for gpu in self._claimed), min(gpu.found_w for gpu in self._claimed)

    def claim(self) -> None:
        """Take the right to set the limit. A GPU that another rank of this training limits is left to that rank.

        Raises:
            PowerLimitError: A GPU must be left alone.
        """
        with self._lock:
            if self._claimed:
                return
            if not self._gpus:
                raise PowerLimitError("No GPU is measured whose power can be limited.")
            self._is_recorded = self._is_restored = False
            try:
                for gpu in self._gpus:
                    self._claim(gpu)
            except PowerLimitError:
                self.restore()
                raise

    def set_limit(self, limit_w: float) -> None:
        """Set the limit of all GPUs [W], within what they allow.

        Raises:
            PowerLimitError: It cannot be set. The limits are restored.
        """
        with self._lock:
            claimed = self._claimed
            if self._is_restored or not claimed:
                return
            try:
                self._record()
                for gpu in claimed:
                    gpu.set_limit(min(max(limit_w, gpu.lowest_w), gpu.found_w))
            except (OSError, ZeusBSOMonitorError) as error:
                self.restore()
                raise PowerLimitError(f"The power limit cannot be set: {_sentence(error)}.") from error
            if self._is_restored:  # By a signal handler, in between.
                self._put_back(claimed)

    def restore(self) -> None:
        """Restore the limits that were found, and let others set them. After this, :meth:`set_limit` does nothing."""
        with self._lock:
            self._is_restored = True
            if self._is_recorded:
                self._put_back(self._claimed)
            claimed, self._claimed = self._claimed, []
            for gpu in claimed:
                gpu.release()

    def _claim(self, gpu: LimitedGpu) -> None:
        if self._folder is None:
            raise PowerLimitError("There is no folder in which to write down what to restore.")
        users = gpu.users
        if users is not None:
            raise PowerLimitError(f"The power limit of GPU {gpu.uuid} is left alone: {users}.")
        claim = GpuClaim(self._folder, gpu.uuid)
        try:
            taken = claim.take()
        except OSError as error:
            raise PowerLimitError(f"Nothing can be written to {self._folder} ({error.strerror}).") from error
        if not taken:
            self._leave_to_another(gpu, claim.read())
            return
        try:
            self._claimed.append(ClaimedGpu(gpu, claim))
        except ZeusBSOMonitorError as error:
            claim.release()
            remedy = f" {HOW_TO_ALLOW}" if isinstance(error, NotPermittedError) else ""
            raise PowerLimitError(f"{_sentence(error)}.{remedy}") from error

    def _leave_to_another(self, gpu: LimitedGpu, owner: LimitRecord | None) -> None:
        # A rank that has limited nothing yet has no record.
        if self.has_ranks and (owner is None or is_kin(owner.pid)):
            return
        by = "" if owner is None else f", in process {owner.pid}"
        raise PowerLimitError(f"Another run sets the power limit of GPU {gpu.uuid}{by}; this one leaves it alone.")

    def _record(self) -> None:
        if not self._is_recorded:
            self._is_recorded = True
            for gpu in self._claimed:
                gpu.record()

    @staticmethod
    def _put_back(gpus: Iterable[ClaimedGpu]) -> None:
        for gpu in gpus:
            gpu.put_back()


def restore_left_over(gpus: Iterable[LimitedGpu], folder: Path | None = None) -> list[str]:
    """Restore the limits that dead runs on this machine have left.

    Args:
        gpus: The GPUs of this machine.
        folder: The folder of the claims. Default: the one of this user.

    Returns:
        What was done for each GPU that a run had limited, as sentences.
    """
    folder = folder or claims_folder()
    left = {record.uuid: record for record in records_here(folder)}
    if not left or folder is None:
        return []
    said = []
    for gpu in gpus:
        if gpu.uuid not in left:
            continue
        claim = GpuClaim(folder, gpu.uuid)
        try:
            if not claim.take():
                said.append(f"GPU {gpu.uuid}: a run in process {left[gpu.uuid].pid} still sets its limit.")
                continue
            ClaimedGpu(gpu, claim)
            said.append(f"GPU {gpu.uuid}: its limit of {left[gpu.uuid].limit_w:g} W is restored.")
        except (OSError, ZeusBSOMonitorError) as error:
            said.append(f"GPU {gpu.uuid}: its limit of {left[gpu.uuid].limit_w:g} W is not restored: {error}")
        claim.release()
    return said


def _log_restored(left: LimitRecord) -> None:
    logger.warning(
        "The run in process %d died and left GPU %s with a power limit. Its limit of %g W is restored.",
        left.pid,
        left.uuid,
        left.limit_w,
    )


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".")
