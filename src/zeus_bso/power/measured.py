"""A power profile and the windows that are measured for it."""

from __future__ import annotations

from zeus_bso.protocol.power import PowerPoint, PowerProfile


def add_window(profile: PowerProfile, window: PowerPoint) -> PowerProfile:
    """The profile with one more window.

    Args:
        profile: What was measured before.
        window: What was measured now. The power and the rate of its limit become the means over all windows.
    """
    before = profile.at(window.limit)
    if before is not None:
        windows = before.windows + window.windows
        share = window.windows / windows
        window = PowerPoint(
            limit=window.limit,
            power=before.power + share * (window.power - before.power),
            rate=before.rate + share * (window.rate - before.rate),
            windows=windows,
        )
    others = [point for point in profile.points if point.limit != window.limit]
    points = sorted((*others, window), key=lambda point: -point.limit)
    return profile.model_copy(update={"points": tuple(points)})
