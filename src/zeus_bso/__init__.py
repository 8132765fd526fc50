"""zeus-bso: the batch size of least cost for a recurring training job.

::

    from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

The names are loaded when they are first used, so that importing the package costs a script next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeus_bso.client.optimizer import BatchSizeOptimizer
    from zeus_bso.common import JobParams, JobSpec
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

__version__ = "0.1.0"

_HOMES = {
    "BatchSizeOptimizer": "zeus_bso.client.optimizer",
    "EnergyMonitor": "zeus_bso.monitor",
    "JobParams": "zeus_bso.common",
    "JobSpec": "zeus_bso.common",
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
]


def __getattr__(name: str) -> object:
    """Load a public name from its home at its first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'zeus_bso' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
