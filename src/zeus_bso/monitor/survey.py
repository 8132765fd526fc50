"""Finds out what this machine can measure, for ``zeus-bso doctor``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor.energy import EnergyMonitor
from zeus_bso.monitor.interface import DeviceInfo
from zeus_bso.monitor.machine import cpu_model
from zeus_bso.monitor.sensors import choose, nvml
from zeus_bso.monitor.sensors.choose import GpuMake, gpu_sensor, visible_make
from zeus_bso.monitor.sensors.estimate import machine_model
from zeus_bso.monitor.sensors.gpu import Gpu, GpuSensor
from zeus_bso.monitor.sensors.rapl import RaplSensor, ZoneFacts, has_counters, zone_facts
from zeus_bso.protocol.words import EnergySource

State = Literal["works", "not found", "fails"]


@dataclass(frozen=True)
class Finding:
    """The result for one kind of sensor.

    Attributes:
        sensor: The kind of sensor.
        state: Whether the sensor is present and works.
        sentence: Details, and what to do if the sensor does not work.
    """

    sensor: str
    state: State
    sentence: str


@dataclass(frozen=True)
class GpuFacts:
    """A GPU that this process sees.

    Attributes:
        index: Its number in this process.
        uuid: Identity of the physical GPU.
        model: Its model.
        max_power_w: Its largest power limit [W]. None if the GPU does not state it.
        source: Source of its energy readings.
        notes: Remarks, for example that the GPU is divided or shared.
    """

    index: int
    uuid: str
    model: str
    max_power_w: float | None
    source: EnergySource
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LiveReading:
    """A short measurement.

    Attributes:
        seconds: Length [s].
        power_w: Mean power by device [W].
        reported_w: Mean power that a run would report [W].
        told_w: Mean of the GPUs' power readings at the start and the end [W], to compare with their counters. None if
            no counter was read.
    """

    seconds: float
    power_w: dict[str, float]
    reported_w: float
    told_w: float | None


@dataclass(frozen=True)
class Survey:
    """The whole result.

    Attributes:
        findings: The result for each kind of sensor.
        gpus: The visible GPUs that can be read.
        zones: The CPU's counters.
        source: The source of ``EnergyMonitor()`` on this machine. None if the monitor raises an error.
        devices: The devices that it would measure. None if they are not known.
        live: A short measurement with this monitor.
        problem: The error of the monitor, and what to do.
    """

    findings: tuple[Finding, ...]
    gpus: tuple[GpuFacts, ...]
    zones: tuple[ZoneFacts, ...]
    source: EnergySource | None
    devices: DeviceInfo | None
    live: LiveReading | None
    problem: str | None


def survey(seconds: float) -> Survey:
    """Check every sensor, and measure for a short time with the one that a run would use.

    Args:
        seconds: How long to measure [s]. 0 for no measurement.
    """
    found = {make: _gpu_finding(make) for make in ("nvidia", "amd", "jetson")}
    sensor = next((sensor for _, sensor in found.values() if sensor is not None), None)
    findings = (*(finding for finding, _ in found.values()), _rapl_finding(), _estimate_finding())
    gpus = tuple(_facts(part.index, gpu, sensor.source) for part, gpu in sensor.gpus.items()) if sensor else ()
    zones = tuple(zone_facts(choose.PLACES.powercap))
    try:
        monitor = EnergyMonitor()
    except ZeusBSOMonitorError as error:
        return Survey(findings, gpus, zones, None, None, None, str(error))
    devices, problem = _devices(monitor)
    live = _measure(monitor, list(sensor.gpus.values()) if sensor else [], seconds) if seconds > 0 else None
    return Survey(findings, gpus, zones, monitor.source, devices, live, problem)


def _gpu_finding(make: GpuMake) -> tuple[Finding, GpuSensor | None]:
    name = {"nvidia": "NVIDIA GPUs", "amd": "AMD GPUs", "jetson": "Jetson module"}[make]
    if visible_make() != make:
        return Finding(name, "not found", _why_absent(make)), None
    try:
        sensor = gpu_sensor(make)
    except ZeusBSOMonitorError as error:
        return Finding(name, "fails", str(error)), None
    if not isinstance(sensor, GpuSensor) or not sensor.gpus:
        return Finding(name, "not found", "The driver shows none to this process."), None
    how = "their energy counters" if sensor.source is EnergySource.COUNTER else "their power, integrated"
    return Finding(name, "works", f"{len(sensor.gpus)} visible; read by {how}."), sensor


def _why_absent(make: GpuMake) -> str:
    if make == "jetson":
        return "This machine is no Jetson."
    if make == "amd":
        if (choose.PLACES.dev / "kfd").exists() and visible_make() is None:
            return "None is visible: look at ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES."
        return f"There is no AMD GPU behind {choose.PLACES.dev}/kfd; into a container, pass /dev/kfd and /dev/dri."
    if nvml.VISIBLE in os.environ and any(choose.PLACES.dev.glob("nvidia[0-9]*")):
        return f"Hidden from this process by {nvml.VISIBLE}={os.environ[nvml.VISIBLE]!r}."
    return f"There is no {choose.PLACES.dev}/nvidia0; in a container, start it with --gpus all."


def _rapl_finding() -> Finding:
    root = choose.PLACES.powercap
    if not has_counters(root) and any(root.glob("intel-rapl:*")):
        why = "container engines do so by default; Docker shows them with --security-opt systempaths=unconfined"
        return Finding("CPU (RAPL)", "not found", f"The CPU's energy counters are hidden from this process: {why}.")
    if not has_counters(root):
        why = "virtual machines mostly have none; on a physical one: sudo modprobe intel_rapl_msr"
        return Finding("CPU (RAPL)", "not found", f"There is no CPU energy counter under {root}; {why}")
    try:
        packages = sorted(RaplSensor(root).read().cpu)
    except ZeusBSOMonitorError as error:
        return Finding("CPU (RAPL)", "fails", str(error))
    return Finding("CPU (RAPL)", "works", f"{len(packages)} packages, with their memory where it has a counter.")


def _estimate_finding() -> Finding:
    model = machine_model()
    sentence = (
        f"{model.cpus:g} logical CPUs of {cpu_model()} at {model.idle_w:g} W idle and {model.busy_w:g} W busy; always "
        "labelled as an estimate."
    )
    return Finding("CPU time (estimate)", "works", sentence)


def _facts(index: int, gpu: Gpu, source: EnergySource) -> GpuFacts:
    try:
        limit_w: float | None = gpu.max_power_w()
    except ZeusBSOMonitorError:
        limit_w = None
    return GpuFacts(index, gpu.uuid, gpu.model, limit_w, source, tuple(gpu.notes))


def _devices(monitor: EnergyMonitor) -> tuple[DeviceInfo | None, str | None]:
    try:
        return monitor.devices(), None
    except ZeusBSOMonitorError as error:
        return None, str(error)


def _measure(
    monitor: EnergyMonitor, gpus: Sequence[Gpu], seconds: float, pause: Callable[[float], None] = time.sleep
) -> LiveReading:
    compares = monitor.source is EnergySource.COUNTER
    told_w = [sum(gpu.power_w() for gpu in gpus)] if compares else []
    monitor.begin_window("doctor")
    pause(seconds)
    measured = monitor.end_window("doctor")
    told_w += [sum(gpu.power_w() for gpu in gpus)] if compares else []
    return LiveReading(
        seconds=measured.time,
        power_w={reading.device.name: reading.energy_j / measured.time for reading in measured.readings},
        reported_w=measured.total_energy / measured.time,
        told_w=sum(told_w) / len(told_w) if told_w else None,
    )
