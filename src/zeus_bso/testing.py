"""Real classes for tests of training scripts: a whole server in this process, and a monitor that replays readings.

::

    from zeus_bso.testing import InMemoryServer, ReplayMonitor

    def test_my_training_reaches_its_target():
        server = InMemoryServer()
        bso = BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 20), job=JobSpec(...), transport=server)
        train(bso)
        assert server.request("GET", "/api/v1/job", params={"job_id": bso.job_id}).body["trials"] == 1

The server needs the ``server`` extra.
"""

from __future__ import annotations

from zeus_bso.embedded import IN_MEMORY, EmbeddedTransport
from zeus_bso.monitor import ReplayMonitor

__all__ = ["InMemoryServer", "ReplayMonitor"]


class InMemoryServer(EmbeddedTransport):
    """A server in this process that keeps everything in memory. It runs the same code and gives the same answers.

    Raises:
        ZeusBSOConfigError: The ``server`` extra is not installed.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec
        >>> from zeus_bso.testing import InMemoryServer, ReplayMonitor
        >>> job = JobSpec(job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64)
        >>> server = InMemoryServer()
        >>> bso = BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 5), job=job, transport=server)
        >>> bso.get_batch_size()
        64
        >>> server.request("GET", "/api/v1/job", params={"job_id": bso.job_id}).body["trials"]
        1
    """

    def __init__(self) -> None:
        super().__init__(IN_MEMORY)
