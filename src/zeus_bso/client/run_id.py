"""Run ids. A script that is launched again after an interruption gets its trial back by its run id."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import PurePath

from pydantic import ValidationError

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.protocol.messages import AskForTrial

RUN_ID_VARIABLE = "ZEUS_BSO_RUN_ID"
KUBERNETES_JOB_VARIABLE = "ZEUS_BSO_KUBERNETES_JOB"

_DOWNWARD_API = f"""
  env:
    - name: {KUBERNETES_JOB_VARIABLE}
      valueFrom:
        fieldRef:
          fieldPath: metadata.labels['batch.kubernetes.io/controller-uid']"""

_LAUNCH = re.compile(r"(torchelastic-.+)-launch-[0-9a-f]{12}")
_JOB_UID = re.compile(r"kubernetes-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-\d+)?")


def named_run_id(run_id: str | None) -> str | None:
    """The run id in the argument or the environment. None if there is none.

    ``"slurm"``, ``"torchelastic"`` and ``"kubernetes"`` stand for ids that these schedulers keep over a restart.

    Raises:
        ZeusBSOConfigError: The run id is not valid, or the scheduler's variables are missing.
    """
    given = run_id or os.environ.get(RUN_ID_VARIABLE)
    if not given:
        return None
    name = _OF_SCHEDULER[given]() if given in _OF_SCHEDULER else given
    try:
        AskForTrial(job_id="any", run_id=name)
    except ValidationError:
        raise ZeusBSOConfigError(
            f"A run id has 1 to 255 characters and no invisible ones (argument run_id, or {RUN_ID_VARIABLE})."
        ) from None
    return name


def fresh_run_id(name: str | None = None) -> str:
    """A new, unique run id. It contains the name, if there is one."""
    return uuid.uuid4().hex if name is None else f"{name[:200]}-{uuid.uuid4().hex}"


def reused_name(run_id: str) -> str | None:
    """The name in a run id that several recurrences may share: a Job that is created again, or a fixed --rdzv-id.

    Returns:
        The name. None if the run id belongs to one recurrence only.
    """
    if launch := _LAUNCH.fullmatch(run_id):
        return launch[1]
    if run_id.startswith("torchelastic-") or (run_id.startswith("kubernetes-") and not _JOB_UID.fullmatch(run_id)):
        return run_id
    return None


def goes_on_as(named: str, saved: str) -> bool:
    """Whether a launch with this run id continues a saved run. Their ids may differ if a scheduler gave the name."""
    name = reused_name(named)
    return saved == named or (name is not None and saved.startswith(f"{name}-"))


def _slurm() -> str:
    """Cluster, job and array task. The restart count is left out, because it changes when the job is requeued."""
    cluster = os.environ.get("SLURM_CLUSTER_NAME")
    of_cluster = f"slurm-{cluster}" if cluster else "slurm"
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    if array and task:
        return f"{of_cluster}-{array}_{task}"
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        raise ZeusBSOConfigError('run_id="slurm" needs SLURM_JOB_ID: start the script within a Slurm job (sbatch).')
    return f"{of_cluster}-{job}"


def _torchelastic() -> str:
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if not run:
        raise ZeusBSOConfigError('run_id="torchelastic" needs TORCHELASTIC_RUN_ID: start the script with torchrun.')
    if run == "none":
        raise ZeusBSOConfigError(
            "torchrun was started without an id of its own, so every run would be the same one: give it "
            "--rdzv-id with another id for each recurrence."
        )
    # All ranks and attempts of a launch share a folder of files, which no other launch has.
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not file or len(PurePath(file).parents) < 3:
        return f"torchelastic-{run}"
    launch = hashlib.sha256(str(PurePath(file).parents[2]).encode()).hexdigest()[:12]
    return f"torchelastic-{run[:200]}-launch-{launch}"


def _kubernetes() -> str:
    """The uid of the Job, which outlives its pods. Names can be used again, and HOSTNAME changes at each restart."""
    job = os.environ.get(KUBERNETES_JOB_VARIABLE)
    if not job:
        raise ZeusBSOConfigError(
            f"run_id=\"kubernetes\" needs the Job's uid in {KUBERNETES_JOB_VARIABLE}; hand it over in the container's "
            f"spec:{_DOWNWARD_API}"
        )
    index = os.environ.get("JOB_COMPLETION_INDEX")
    return f"kubernetes-{job}-{index}" if index else f"kubernetes-{job}"


_OF_SCHEDULER = {"slurm": _slurm, "torchelastic": _torchelastic, "kubernetes": _kubernetes}
