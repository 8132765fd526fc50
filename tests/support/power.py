"""Power profiles to talk about: of a GPU of 300 W that needs the least energy at 150 W."""

from __future__ import annotations

from tests.support.jobs import Json
from zeus_bso.power.goal import PowerGoal
from zeus_bso.power.search import next_limit
from zeus_bso.protocol.power import PowerProfile

LEAST_ENERGY = PowerGoal("energy", 1.0, 300.0)


def point(limit: float, windows: int = 1, *, idle_w: float = 100.0) -> Json:
    """The pace follows the cube root of the power beyond that of an idle GPU."""
    rate = 10.0 * ((limit - idle_w) / (300.0 - idle_w)) ** (1 / 3)
    return {"limit": limit, "power": limit, "rate": rate, "windows": windows}


def profile(*points: Json, unit: str = "step") -> Json:
    """A profile with these points; the server tells them in descending order of their limits."""
    ordered = sorted(points, key=lambda one: -float(one["limit"]))
    return {"unit": unit, "lowest": 125.0, "highest": 300.0, "revision": 0, "points": ordered}


def searched(most: int = 1000, *, goal: PowerGoal = LEAST_ENERGY, idle_w: float = 100.0) -> Json:
    """The profile after so many windows of the search, or at its end."""
    points: dict[float, Json] = {}
    while most and (limit := next_limit(PowerProfile.model_validate(profile(*points.values())), goal)):
        points[limit] = point(limit, points[limit]["windows"] + 1 if limit in points else 1, idle_w=idle_w)
        most -= 1
    return profile(*points.values())


BEGUN = searched(2)
COMPLETE = searched()
BEST_W = 150.0
