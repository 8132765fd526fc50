"""What names a recurrence, so that a script which is launched again after an interruption gets its trial back."""

from __future__ import annotations

import os
import uuid

from pydantic import ValidationError

from zeus_bso.common import AskForTrial
from zeus_bso.exceptions import ZeusBSOConfigError

RUN_ID_VARIABLE = "ZEUS_BSO_RUN_ID"
KUBERNETES_JOB_VARIABLE = "ZEUS_BSO_KUBERNETES_JOB"

_DOWNWARD_API = f"""
  env:
    - name: {KUBERNETES_JOB_VARIABLE}
      valueFrom:
        fieldRef:
          fieldPath: metadata.labels['batch.kubernetes.io/job-name']"""


def named_run_id(run_id: str | None) -> str | None:
    """The run id that the argument or the environment gives; None: neither does.

    ``"slurm"``, ``"torchelastic"`` and ``"kubernetes"`` take what these schedulers keep over a restart.

    Raises:
        ZeusBSOConfigError: The protocol does not allow it, or the scheduler's variables are missing.
    """
    given = run_id or os.environ.get(RUN_ID_VARIABLE)
    if not given:
        return None
    name = _OF_SCHEDULER[given]() if given in _OF_SCHEDULER else given
    try:
        AskForTrial(job_id="any", run_id=name)
    except ValidationError:
        raise ZeusBSOConfigError(
            f"A run id has 1 to 255 characters and no control characters (argument run_id, or {RUN_ID_VARIABLE})."
        ) from None
    return name


def fresh_run_id() -> str:
    """A run id that no other run has."""
    return uuid.uuid4().hex


def _slurm() -> str:
    """Job and array task; the restart count changes when the job is requeued, so it is no part of it."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        return f"slurm-{array}_{task}"
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        raise ZeusBSOConfigError('run_id="slurm" needs SLURM_JOB_ID: start the script within a Slurm job (sbatch).')
    return f"slurm-{job}"


def _torchelastic() -> str:
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if not run:
        raise ZeusBSOConfigError('run_id="torchelastic" needs TORCHELASTIC_RUN_ID: start the script with torchrun.')
    if run == "none":
        raise ZeusBSOConfigError(
            "torchrun was started without an id of its own, so every run would be the same one: give it "
            "--rdzv-id with another id for each recurrence."
        )
    return f"torchelastic-{run}"


def _kubernetes() -> str:
    """The Job's name, which outlives its pods; a pod's HOSTNAME is another one after each restart."""
    job = os.environ.get(KUBERNETES_JOB_VARIABLE)
    if not job:
        raise ZeusBSOConfigError(
            f"run_id=\"kubernetes\" needs the Job's name in {KUBERNETES_JOB_VARIABLE}; hand it over in the container's "
            f"spec:{_DOWNWARD_API}"
        )
    index = os.environ.get("JOB_COMPLETION_INDEX")
    return f"kubernetes-{job}-{index}" if index else f"kubernetes-{job}"


_OF_SCHEDULER = {"slurm": _slurm, "torchelastic": _torchelastic, "kubernetes": _kubernetes}
