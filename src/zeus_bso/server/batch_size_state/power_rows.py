"""Conversion of power profiles between values and rows of their tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zeus_bso.protocol.power import PowerPoint, PowerProfile
from zeus_bso.server.batch_size_state.commands import SavePowerProfile

Row = Mapping[Any, Any]


def profile_of(rows: Sequence[Row]) -> PowerProfile | None:
    """Convert the rows of a profile, one for each limit, to the profile. None if there are none."""
    if not rows:
        return None
    # What is stored was validated when it came.
    return PowerProfile.model_construct(
        unit=rows[0]["unit"],
        lowest=rows[0]["lowest"],
        highest=rows[0]["highest"],
        revision=rows[0]["revision"],
        points=tuple(map(point_of, sorted(rows, key=lambda row: -float(row["power_limit"])))),
    )


def point_of(row: Row) -> PowerPoint:
    """Convert a row to what was measured at a limit."""
    return PowerPoint.model_construct(
        limit=row["power_limit"], power=row["power"], rate=row["rate"], windows=row["windows"]
    )


def profile_values(command: SavePowerProfile) -> dict[str, Any]:
    """The row of a profile, without its limits."""
    return _key(command) | command.profile.model_dump(exclude={"points"})


def point_values(command: SavePowerProfile) -> list[dict[str, Any]]:
    """The rows of the limits of a profile."""
    return [
        _key(command) | {"power_limit": point.limit, "power": point.power, "rate": point.rate, "windows": point.windows}
        for point in command.profile.points
    ]


def _key(command: SavePowerProfile) -> dict[str, Any]:
    return {"job_id": command.job_id, "batch_size": command.batch_size}
