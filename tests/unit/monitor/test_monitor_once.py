"""Each physical device counts once, over ranks and hosts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from zeus_bso.exceptions import ZeusBSOMonitorError
from zeus_bso.monitor import Device, DeviceId, DeviceInfo, DeviceReading, EnergyMonitor, Measurement, ReplayMonitor
from zeus_bso.monitor.counting import WindowReading, WindowTotal, count_once, join_devices, reading_of, weakest
from zeus_bso.protocol.words import EnergySource

COUNTER, POWER, RAPL, ESTIMATE = EnergySource.COUNTER, EnergySource.POWER, EnergySource.RAPL, EnergySource.ESTIMATE


def gpu(host: str, name: str, energy_j: float, source: EnergySource | None = COUNTER) -> DeviceReading:
    return DeviceReading(DeviceId(host, name, is_gpu=True), energy_j, source)


def cpu(host: str, name: str, energy_j: float, source: EnergySource | None = RAPL) -> DeviceReading:
    return DeviceReading(DeviceId(host, name, is_gpu=False), energy_j, source)


def window(time_s: float, *readings: DeviceReading) -> WindowReading:
    return WindowReading(time_s, readings)


def test_ranks_with_a_gpu_each_add_up() -> None:
    total = count_once([window(10.0, gpu("a", "GPU-0", 100.0)), window(10.5, gpu("a", "GPU-1", 120.0))])
    assert total == WindowTotal(time_s=10.5, energy_j=220.0, source=COUNTER)


def test_ranks_that_all_see_all_gpus_count_each_once() -> None:
    ranks = [window(10.0, gpu("a", "GPU-0", 100.0 + rank), gpu("a", "GPU-1", 50.0)) for rank in range(4)]
    assert count_once(ranks).energy_j == 153.0


def test_packages_of_the_same_name_on_two_hosts_are_two() -> None:
    ranks = [window(1.0, cpu(host, "package 0", 30.0), cpu(host, "dram 0", 2.0)) for host in ("a", "a", "b")]
    assert count_once(ranks).energy_j == 64.0


def test_where_one_rank_measures_gpus_the_cpus_of_the_others_do_not_count() -> None:
    total = count_once([window(1.0, gpu("a", "GPU-0", 100.0)), window(1.0, cpu("a", "package 0", 30.0, ESTIMATE))])
    assert total == WindowTotal(1.0, 100.0, COUNTER)


@pytest.mark.parametrize(
    ("sources", "label"),
    [
        ([COUNTER, COUNTER], COUNTER),
        ([COUNTER, POWER], POWER),
        ([RAPL, ESTIMATE, RAPL], ESTIMATE),
        ([COUNTER, None], None),
        ([None, ESTIMATE], ESTIMATE),
        ([], None),
    ],
)
def test_a_sum_bears_the_label_of_its_weakest_part(
    sources: list[EnergySource | None], label: EnergySource | None
) -> None:
    assert weakest(sources) is label
    assert weakest(reversed(sources)) is label


def test_two_processes_estimate_the_idle_machine_once_and_their_own_work_each() -> None:
    ranks = [
        window(10.0, cpu("a", "cpus 0-3", 30.0, ESTIMATE), cpu("a", f"process {pid}", busy_j, ESTIMATE))
        for pid, busy_j in ((7, 5.0), (8, 6.0))
    ]
    assert count_once(ranks) == WindowTotal(10.0, 41.0, ESTIMATE)


def test_our_monitors_readings_add_up_to_its_total() -> None:
    monitor = EnergyMonitor(gpu_indices=[], cpu="estimate")
    monitor.begin_window("w")
    sum(number * number for number in range(200_000))
    measured = monitor.end_window("w")
    assert len(measured.readings) == 2
    total = count_once([reading_of(measured)])
    assert (total.time_s, total.source) == (measured.time, ESTIMATE)
    assert total.energy_j == pytest.approx(measured.total_energy)


def replayed(energy_j: float, name: str) -> WindowReading:
    monitor = ReplayMonitor([(2.0, energy_j)], name=name)
    monitor.begin_window("w")
    return reading_of(monitor.end_window("w"))


def test_replayed_ranks_add_up_unless_they_replay_one_device() -> None:
    assert count_once([replayed(10.0, "rank 0"), replayed(20.0, "rank 1")]).energy_j == 30.0
    assert count_once([replayed(10.0, "the gpu"), replayed(10.0, "the gpu")]).energy_j == 10.0


@dataclass
class Foreign:
    time: float
    total_energy: float


def test_a_monitor_that_names_no_devices_measures_its_own_process() -> None:
    reading = reading_of(Foreign(3.0, 90.0))
    assert count_once([reading]) == WindowTotal(3.0, 90.0, None)
    assert count_once([reading, reading]).energy_j == 90.0


@pytest.mark.parametrize(
    ("time_s", "energy_j"), [(math.nan, 1.0), (-1.0, 1.0), (1.0, math.inf), (1.0, -0.1), (1e16, 1.0)]
)
def test_figures_that_cannot_be_are_refused(time_s: float, energy_j: float) -> None:
    with pytest.raises(ZeusBSOMonitorError, match="cannot be"):
        reading_of(Foreign(time_s, energy_j))
    with pytest.raises(ZeusBSOMonitorError, match="cannot be"):
        reading_of(Measurement(time=time_s, gpu_energy={0: energy_j}, readings=(gpu("a", "GPU-0", energy_j),)))


def devices(model: str, *names: str, host: str = "a", is_gpu: bool = True, limit_w: float = 300.0) -> DeviceInfo:
    each = tuple(Device(DeviceId(host, name, is_gpu), model, limit_w) for name in names)
    return DeviceInfo(limit_w * len(names), len(names) if is_gpu else 0, model, each)


def test_the_limits_of_all_devices_are_summed_once_over_the_ranks() -> None:
    joint = join_devices(
        [devices("H100", "GPU-0", "GPU-1"), devices("H100", "GPU-1"), devices("H100", "GPU-2", host="b")]
    )
    assert (joint.max_power_w, joint.number_of_gpus, joint.gpu_model) == (900.0, 3, "H100")


def test_one_process_keeps_its_devices() -> None:
    alone = devices("H100", "GPU-0", "GPU-1")
    assert join_devices([alone]) == alone


def test_models_that_differ_between_ranks_are_an_error_that_names_them() -> None:
    with pytest.raises(ZeusBSOMonitorError, match=r"A100 on rank 1, 2; H100 on rank 0"):
        join_devices([devices("H100", "GPU-0"), devices("A100", "GPU-1"), devices("A100", "GPU-2", host="b")])


def test_a_rank_without_gpus_beside_ranks_with_gpus_brings_no_device() -> None:
    joint = join_devices([devices("Xeon", "package 0", is_gpu=False), devices("H100", "GPU-0")])
    assert (joint.max_power_w, joint.number_of_gpus, joint.gpu_model) == (300.0, 1, "H100")


def test_cpus_of_two_hosts_are_added() -> None:
    joint = join_devices([devices("Xeon", "package 0", host=host, is_gpu=False, limit_w=95.0) for host in "aab"])
    assert (joint.max_power_w, joint.number_of_gpus) == (190.0, 0)


def test_devices_that_nobody_names_are_their_ranks_own() -> None:
    joint = join_devices([DeviceInfo(600.0, 2, "H100"), DeviceInfo(300.0, 1, "H100")])
    assert (joint.max_power_w, joint.number_of_gpus) == (900.0, 3)
