"""Whether the sensor tells the truth on a real card; it changes no setting."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from benchmarks.gpu.child import Json, in_child
from benchmarks.gpu.costs import spread
from benchmarks.gpu.training import DEFAULT_SIZE, Task, Training, timed, wait
from zeus_bso import EnergyMonitor
from zeus_bso.monitor.machine import is_kin
from zeus_bso.monitor.sensors.nvml import NvmlSensor, gpu_is_visible, load_nvml

NOBODY = 65534


def machine(device: str, result: Json) -> None:
    """The card, its driver, PyTorch and the machine."""
    result["visible"] = gpu_is_visible()
    nvml: Any = _told(load_nvml)
    result |= {
        "gpu": _told(lambda: _text(nvml.nvmlDeviceGetName(nvml.nvmlDeviceGetHandleByIndex(0)))),
        "driver": _told(lambda: _text(nvml.nvmlSystemGetDriverVersion())),
        "nvml": _told(lambda: _text(nvml.nvmlSystemGetNVMLVersion())),
        "monitor": _told(lambda: EnergyMonitor().source.value),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "user": os.getuid(),
    }
    # Last, because it fails where PyTorch cannot use the GPU.
    result["device"] = device if device == "cpu" else torch.cuda.get_device_name()


def check_sensors(task: Task, seconds: float) -> Json:
    """All checks, each in a process of its own."""
    checks: dict[str, Callable[[Json], None]] = {
        "machine": lambda result: machine(task.device, result),
        "static": lambda result: _static(result),
        "idle": lambda result: _watched(task, 0, seconds, result),
        "busy": lambda result: _watched(task, DEFAULT_SIZE, seconds, result),
        "processes": lambda result: _processes(task, result),
        "calls": lambda result: _calls(result),
        "nobody": _as_nobody,
    }
    results = {}
    for name, check in checks.items():
        results[name] = in_child(check, 60 + 2 * seconds)
        print(f"{name}: {results[name]}", flush=True)
    for form in ([], ["--json"]):
        command = [sys.executable, "-m", "zeus_bso", "doctor", *form]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        results["doctor " + " ".join(form)] = {"exit": done.returncode, "said": done.stdout, "errors": done.stderr}
        print(f"zeus-bso doctor: exit {done.returncode}\n{done.stdout}{done.stderr}" if not form else "", flush=True)
    return results


def _static(result: Json) -> None:
    nvml: Any = load_nvml()
    sensor = NvmlSensor([0], library=nvml)
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    (gpu,) = sensor.gpus.values()
    result |= {
        "visible": gpu_is_visible(),
        "count": nvml.nvmlDeviceGetCount(),
        "uuid": gpu.uuid,
        "model": gpu.model,
        "source": sensor.source.value,
        "max_power_w": gpu.max_power_w(),
        "notes": sensor.notes,
        "mig_mode": _told(lambda: list(nvml.nvmlDeviceGetMigMode(handle))),
        "limits_mw": _told(lambda: list(nvml.nvmlDeviceGetPowerManagementLimitConstraints(handle))),
        "limit_mw": _told(lambda: nvml.nvmlDeviceGetPowerManagementLimit(handle)),
        "default_limit_mw": _told(lambda: nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)),
        "persistence": _told(lambda: nvml.nvmlDeviceGetPersistenceMode(handle)),
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _watched(task: Task, batch_size: int, seconds: float, result: Json) -> None:
    """The counter against the power reading, while the card is idle (size 0) or trains."""
    (gpu,) = NvmlSensor([0]).gpus.values()
    monitor = EnergyMonitor(gpu_indices=[0])
    training = Training(task, batch_size, seed=0) if batch_size else None
    batch = training.batch() if training else None
    until = time.monotonic() + 2.0
    while training and batch and time.monotonic() < until:
        training.step(*batch)
        wait(task.device)
    powers, counters, times = [], [], []
    monitor.begin_window("watched")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if training and batch:
            training.step(*batch)
            wait(task.device)
        else:
            time.sleep(0.005)
        times.append(time.monotonic())
        counters.append(gpu.energy_j())
        powers.append(gpu.power_w())
    measured = monitor.end_window("watched")
    changes = [b - a for a, b in pairwise(counters)]
    changed_at = [time_s for time_s, change in zip(times[1:], changes, strict=True) if change]
    gaps = [b - a for a, b in pairwise(changed_at)]
    result |= {
        "counter_w": measured.total_energy / measured.time,
        "power_mean_w": statistics.fmean(powers),
        "power_min_w": min(powers),
        "power_max_w": max(powers),
        "looks": len(powers),
        "counter_falls": sum(change < 0 for change in changes),
        "counter_renewed_every_s": statistics.median(gaps) if gaps else None,
        "counter_step_j": statistics.median([change for change in changes if change]) if gaps else None,
        "max_power_w": gpu.max_power_w(),
    }


def _processes(task: Task, result: Json) -> None:
    """Whom the driver names as computing, before and while this process does; in a container, by which numbers."""
    nvml: Any = load_nvml()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)

    def named() -> object:
        processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return [{"pid": process.pid, "is_kin": is_kin(process.pid)} for process in processes]

    result |= {"own_pid": os.getpid(), "parent_pid": os.getppid(), "before": _told(named)}
    training = Training(task, DEFAULT_SIZE, seed=0)
    training.step(*training.batch())
    wait(task.device)
    result |= {"computing": _told(named), "notes": NvmlSensor([0], library=nvml).notes}


def _calls(result: Json) -> None:
    """What each question to the driver costs."""
    (gpu,) = NvmlSensor([0]).gpus.values()
    result["counter_s"] = spread([timed(gpu.energy_j) for _ in range(500)])
    result["power_s"] = spread([timed(gpu.power_w) for _ in range(500)])
    result["start_s"] = timed(lambda: NvmlSensor([0]))


def _as_nobody(result: Json) -> None:
    """The sensor in a process of an ordinary user."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    result["user"] = os.getuid()
    (gpu,) = NvmlSensor([0]).gpus.values()
    for name, read in {"counter_j": gpu.energy_j, "power_w": gpu.power_w, "max_power_w": gpu.max_power_w}.items():
        result[name] = _told(read)


def _told(read: Callable[[], object]) -> object:
    """What a question is answered with, or the error's text."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001  # The library's own errors, or a function that it lacks.
        return f"{type(error).__name__}: {error}"


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
