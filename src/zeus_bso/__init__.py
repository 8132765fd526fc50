"""zeus-bso finds the batch size of least cost for a recurring training job.

::

    from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

:func:`connect` reads the results.

Public names are loaded when they are first used, so that a script can import the package quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from zeus_bso._version import __version__

if TYPE_CHECKING:
    from zeus_bso.client.batch_size_optimizer import BatchSizeOptimizer
    from zeus_bso.exceptions import (
        ZeusBSOConfigError,
        ZeusBSODistributedError,
        ZeusBSOError,
        ZeusBSOMonitorError,
        ZeusBSOOrderError,
        ZeusBSORequestError,
        ZeusBSOServerUnreachableError,
        ZeusBSOSpecConflictError,
        ZeusBSOTrainFailError,
    )
    from zeus_bso.monitor import EnergyMonitor, ReplayMonitor
    from zeus_bso.protocol.job_spec import JobParams, JobSpec
    from zeus_bso.results.results import connect

_HOMES = {
    "BatchSizeOptimizer": "zeus_bso.client.batch_size_optimizer",
    "EnergyMonitor": "zeus_bso.monitor",
    "JobParams": "zeus_bso.protocol.job_spec",
    "JobSpec": "zeus_bso.protocol.job_spec",
    "ReplayMonitor": "zeus_bso.monitor",
    "ZeusBSOConfigError": "zeus_bso.exceptions",
    "ZeusBSODistributedError": "zeus_bso.exceptions",
    "ZeusBSOError": "zeus_bso.exceptions",
    "ZeusBSOMonitorError": "zeus_bso.exceptions",
    "ZeusBSOOrderError": "zeus_bso.exceptions",
    "ZeusBSORequestError": "zeus_bso.exceptions",
    "ZeusBSOServerUnreachableError": "zeus_bso.exceptions",
    "ZeusBSOSpecConflictError": "zeus_bso.exceptions",
    "ZeusBSOTrainFailError": "zeus_bso.exceptions",
    "connect": "zeus_bso.results.results",
}

__all__ = [
    "BatchSizeOptimizer",
    "EnergyMonitor",
    "JobParams",
    "JobSpec",
    "ReplayMonitor",
    "ZeusBSOConfigError",
    "ZeusBSODistributedError",
    "ZeusBSOError",
    "ZeusBSOMonitorError",
    "ZeusBSOOrderError",
    "ZeusBSORequestError",
    "ZeusBSOServerUnreachableError",
    "ZeusBSOSpecConflictError",
    "ZeusBSOTrainFailError",
    "__version__",
    "connect",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module at its first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'zeus_bso' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
