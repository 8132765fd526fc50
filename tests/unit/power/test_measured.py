"""A profile and the windows that are added to it."""

from __future__ import annotations

import pytest

from zeus_bso.power.measured import add_window
from zeus_bso.protocol.power import PowerPoint, PowerProfile

EMPTY = PowerProfile(unit="step", lowest=100, highest=300)


def test_a_window_at_a_new_limit_is_a_point_in_its_place() -> None:
    profile = EMPTY
    for limit in (200, 300, 100):
        profile = add_window(profile, PowerPoint(limit=limit, power=limit - 10, rate=2.0))

    assert [point.limit for point in profile.points] == [300, 200, 100]
    assert (profile.unit, profile.lowest, profile.highest) == ("step", 100, 300)


def test_a_point_is_the_mean_of_its_windows() -> None:
    profile = EMPTY
    for power, rate in ((100, 1.0), (130, 2.0), (160, 6.0)):
        profile = add_window(profile, PowerPoint(limit=200, power=power, rate=rate))

    (point,) = profile.points
    assert point.windows == 3
    assert [point.power, point.rate] == pytest.approx([130, 3])
