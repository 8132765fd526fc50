"""However devices are spread over ranks, and in whatever order the ranks are told, each counts once."""

from __future__ import annotations

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from zeus_bso.monitor import Device, DeviceId, DeviceInfo, DeviceReading
from zeus_bso.monitor.counting import WindowReading, count_once, join_devices
from zeus_bso.protocol.words import EnergySource

NAMES = st.tuples(st.sampled_from(["host-a", "host-b"]), st.integers(0, 7), st.booleans())
ENERGIES = st.dictionaries(NAMES, st.floats(0, 1e9), min_size=1, max_size=12)


@given(ENERGIES, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_total_is_the_sum_over_distinct_devices(
    energies: dict[tuple[str, int, bool], float], ranks: int, chance: random.Random
) -> None:
    readings = [
        DeviceReading(DeviceId(host, f"device {number}", is_gpu), energy_j, EnergySource.COUNTER)
        for (host, number, is_gpu), energy_j in energies.items()
    ]
    has_gpus = any(reading.device.is_gpu for reading in readings)
    expected = math.fsum(reading.energy_j for reading in readings if reading.device.is_gpu or not has_gpus)

    seen: list[list[DeviceReading]] = [[] for _ in range(ranks)]
    for reading in readings:
        for rank in {chance.randrange(ranks) for _ in range(1 + chance.randrange(ranks))}:
            seen[rank].append(reading)
    windows = [WindowReading(float(rank), tuple(found)) for rank, found in enumerate(seen)]
    chance.shuffle(windows)

    total = count_once(windows)
    assert total.energy_j == expected
    assert total.time_s == ranks - 1
    assert total.source is EnergySource.COUNTER


@given(st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1, max_size=6))
def test_joined_devices_are_the_union_whatever_each_rank_sees(ranks: list[set[int]]) -> None:
    infos = []
    for numbers in ranks:
        each = tuple(Device(DeviceId("a", f"GPU-{number}", is_gpu=True), "H100", 700.0) for number in sorted(numbers))
        infos.append(DeviceInfo(700.0 * len(each), len(each), "H100", each))

    joint = join_devices(infos)
    assert joint.number_of_gpus == len(set().union(*ranks))
    assert joint.max_power_w == 700.0 * joint.number_of_gpus
    assert join_devices([joint, *infos]) == joint
