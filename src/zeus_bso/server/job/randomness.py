"""The random numbers of a job. With a seed, their sequence continues from request to request."""

from __future__ import annotations

from typing import Any

import numpy as np

from zeus_bso.server.job.models import JobState


def generator(job: JobState) -> np.random.Generator:
    """The job's generator in the state after the previous request. Without a seed, a generator with fresh entropy."""
    rng = np.random.default_rng(job.spec.mab_seed)
    if job.rng_state is not None and job.spec.mab_seed is not None:
        rng.bit_generator.state = job.rng_state
    return rng


def state_to_keep(job: JobState, rng: np.random.Generator) -> dict[str, Any] | None:
    """The generator's state for the next request, in plain numbers that JSON stores exactly. None without a seed."""
    return None if job.spec.mab_seed is None else _plain(rng.bit_generator.state)


def _plain(state: Any) -> dict[str, Any]:
    return {
        key: _plain(value) if isinstance(value, dict) else value if isinstance(value, str) else int(value)
        for key, value in state.items()
    }
