"""A process that talks to the server for itself only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeVar

from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSOOrderError
from zeus_bso.monitor.adapters.codecarbon import TaskTracker
from zeus_bso.monitor.interface import Monitor
from zeus_bso.protocol.transport import Transport

_T = TypeVar("_T")

_LAUNCHERS = (
    # The number of processes and the number of this one: torchrun, Lightning's launcher, srun, mpirun.
    ("WORLD_SIZE", "RANK"),
    ("WORLD_SIZE", "LOCAL_RANK"),
    ("SLURM_NTASKS", "SLURM_PROCID"),
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
)


class SingleProcess:
    """A process that acts alone: a training of one process, or one of several that the script itself coordinates.

    Args:
        rank: The rank that the script gives.

    Attributes:
        rank: The rank.
        leads: Whether this process talks to the server.
        call: The last method that the script has called.
    """

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.call = ""
        self.leads = True

    @property
    def is_alone(self) -> bool:
        """Whether there are no other ranks to agree with."""
        return True

    def monitor(self, monitor: Monitor | TaskTracker) -> Monitor | TaskTracker:
        """The monitor, unchanged."""
        return monitor

    def transport(self, connect: Callable[[], Transport]) -> Transport:
        """Connect to the server."""
        return connect()

    def check_asking(self) -> None:
        """Make sure that this process may ask for a batch size.

        Raises:
            ZeusBSOOrderError: It may not ask.
            ZeusBSOConfigError: It is one of several processes of a training, and each of them asks.
        """
        if self.rank != 0:
            raise ZeusBSOOrderError(
                "Only rank 0 asks for a batch size; broadcast it, and set current_batch_size and trial_number. "
                "Or let distributed=True do so."
            )
        rank, world_size = _among_processes()
        if rank:
            raise ZeusBSOConfigError(
                f"This is rank {rank} of {world_size} processes that train together, and each asks for a batch size of "
                "its own: say BatchSizeOptimizer(..., distributed=True) in all of them. Or let rank 0 alone ask, "
                "broadcast what it got, and pass rank= in the others."
            )

    def agree(self, act: Callable[[], _T]) -> list[_T]:
        """Call a function, and return its result as that of the only rank."""
        return [act()]

    def share(self, act: Callable[[], _T]) -> _T:
        """Call a function, and return its result."""
        return act()


def _among_processes() -> tuple[int, int]:
    """The rank of this process and the world size, according to PyTorch or a launcher. (0, 1) for one process."""
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return int(torch.get_rank()), int(torch.get_world_size())
    for size, rank in _LAUNCHERS:
        sizes, ranks = os.environ.get(size, ""), os.environ.get(rank, "")
        if sizes.isdecimal() and ranks.isdecimal() and int(sizes) > 1:
            return int(ranks), int(sizes)
    return 0, 1
