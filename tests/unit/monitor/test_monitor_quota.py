"""A container's CPU quota, over trees of files laid out as Linux's control groups are."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeus_bso.monitor.quota import CpuQuota, cpu_quota
from zeus_bso.monitor.sensors import estimate


def process(tmp_path: Path, group: str, mount: str, root: str = "/") -> Path:
    """A process file system of a process in a group."""
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(group)
    kind, options = ("cgroup2", "rw") if group.startswith("0::") else ("cgroup", "rw,cpu,cpuacct")
    (proc / "self/mountinfo").write_text(f"33 24 0:29 {root} {mount} rw,nosuid - {kind} cgroup {options}\n")
    return proc


def limit(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_version_2_states_quota_and_period(tmp_path: Path) -> None:
    limit(tmp_path / "cg/pod/container", cpu__max="150000 100000")
    found = cpu_quota(process(tmp_path, "0::/pod/container\n", str(tmp_path / "cg")))
    assert found is not None
    assert found.cpus == 1.5


def test_version_1_states_them_apart(tmp_path: Path) -> None:
    limit(tmp_path / "cg/box", cpu__cfs_quota_us="20000", cpu__cfs_period_us="100000")
    found = cpu_quota(process(tmp_path, "4:cpu,cpuacct:/box\n3:memory:/other\n", str(tmp_path / "cg")))
    assert found is not None
    assert found.cpus == 0.2


def test_the_tightest_of_the_groups_above_counts(tmp_path: Path) -> None:
    limit(tmp_path / "cg/pod/container", cpu__max="max 100000")
    limit(tmp_path / "cg/pod", cpu__max="50000 100000")
    limit(tmp_path / "cg", cpu__max="400000 100000")
    found = cpu_quota(process(tmp_path, "0::/pod/container\n", str(tmp_path / "cg")))
    assert found is not None
    assert found.cpus == 0.5


def test_a_group_whose_path_is_the_hosts_is_found_where_it_is_mounted(tmp_path: Path) -> None:
    limit(tmp_path / "cg", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    found = cpu_quota(process(tmp_path, "4:cpu,cpuacct:/docker/abc\n", str(tmp_path / "cg"), root="/docker/abc"))
    assert found is not None
    assert found.cpus == 3.0


@pytest.mark.parametrize("content", ["max 100000", "max", "", "-1 100000", "nonsense", "100000 0"])
def test_what_limits_nothing_is_no_quota(content: str, tmp_path: Path) -> None:
    limit(tmp_path / "cg", cpu__max=content)
    assert cpu_quota(process(tmp_path, "0::/\n", str(tmp_path / "cg"))) is None


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


def test_the_estimate_and_the_maximum_power_are_those_of_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "cpu_quota", lambda: CpuQuota(0.2, "cgroup 7"))
    sensor = estimate.EstimateSensor()
    devices = sensor.devices()
    assert devices.max_power_w == pytest.approx(0.7)
    assert [device.id.name for device in devices.each] == ["0.2 cpus of cgroup 7"]
    assert sensor.model.idle_j(10) == pytest.approx(0.2 * 0.74 * 10)


def test_a_quota_beyond_the_cpus_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    without = estimate.EstimateSensor().devices()
    monkeypatch.setattr(estimate, "cpu_quota", lambda: CpuQuota(4096.0, "cgroup 7"))
    assert estimate.EstimateSensor().devices() == without
