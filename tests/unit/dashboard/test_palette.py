from __future__ import annotations

import re

import pytest

from zeus_bso.server.dashboard import palette


def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def themes() -> dict[str, list[str]]:
    """The ramp of each theme, as the style sheet has it."""
    colours = re.findall(r"--size-\d+: (#[0-9a-f]{6});", palette.stylesheet())
    assert len(colours) == 3 * palette.STEPS
    light, by_system, by_choice = (colours[n * palette.STEPS : (n + 1) * palette.STEPS] for n in range(3))
    assert by_system == by_choice
    return {"light": light, "dark": by_choice}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_ramp_grows_lighter_from_step_to_step_so_that_it_reads_without_hues(theme: str) -> None:
    lights = [luminance(colour) for colour in themes()[theme]]

    assert lights == sorted(lights)
    assert lights[-1] > 2 * lights[0]


@pytest.mark.parametrize(("theme", "ground"), [("light", "#ffffff"), ("dark", "#1a1b1d")])
def test_every_shade_stands_out_from_its_ground(theme: str, ground: str) -> None:
    assert min(contrast(luminance(colour), luminance(ground)) for colour in themes()[theme]) > 1.9


def test_batch_sizes_are_spread_over_the_whole_ramp_in_their_order() -> None:
    shades = palette.shades([512, 8, 64])

    assert shades == {8: 0, 64: 24, 512: palette.STEPS - 1}
    assert palette.shades([32]) == {32: 0}
    assert len(palette.shades(range(1, 1001))) == 1000
