"""Colours of batch sizes: one ramp from small to large, the same in every chart and table.

Lightness rises steadily along the ramp, so people who cannot tell hues apart can read it, and so can readers of a grey
print. On a dark background the whole ramp is lighter. Colours are names of CSS variables, which follow the theme.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

STEPS = 48
"""Number of shades in the ramp. In jobs with more batch sizes, neighbouring sizes share a shade."""

_HUES = (258.0, 292.0, 338.0, 15.0, 48.0, 84.0)
"""Hues from blue through magenta to amber [degrees]."""
_CHROMAS = (0.16, 0.20, 0.20, 0.18, 0.16, 0.15)
_LIGHT = (0.40, 0.76)
_DARK = (0.56, 0.90)


def shades(batch_sizes: Iterable[int]) -> dict[int, int]:
    """The shade of each batch size: its position in the job's list, scaled to the ramp."""
    ascending = sorted(batch_sizes)
    last = max(1, len(ascending) - 1)
    return {size: round(place * (STEPS - 1) / last) for place, size in enumerate(ascending)}


def variable(shade: int) -> str:
    """The CSS variable of a shade, for style sheets and the charts' script."""
    return f"var(--size-{shade})"


def stylesheet() -> str:
    """The shades as CSS variables of both themes, and for each shade a class that sets ``--size`` of an element."""
    light, dark = (_variables(lightness) for lightness in (_LIGHT, _DARK))
    classes = "\n".join(f".shade-{shade} {{ --size: {variable(shade)}; }}" for shade in range(STEPS))
    return (
        f":root {{\n{light}\n}}\n"
        f"@media (prefers-color-scheme: dark) {{\n:root:not([data-theme=light]) {{\n{dark}\n}}\n}}\n"
        f":root[data-theme=dark] {{\n{dark}\n}}\n{classes}\n"
    )


def _variables(lightness: tuple[float, float]) -> str:
    return "\n".join(f"  --size-{shade}: {_colour(shade / (STEPS - 1), lightness)};" for shade in range(STEPS))


def _colour(along: float, lightness: tuple[float, float]) -> str:
    low, high = lightness
    return _hex(low + along * (high - low), _between(_CHROMAS, along), _between(_unwound(_HUES), along))


def _unwound(degrees: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(degree + 360.0 if degree < degrees[0] else degree for degree in degrees)


def _between(anchors: tuple[float, ...], along: float) -> float:
    place = along * (len(anchors) - 1)
    left = min(int(place), len(anchors) - 2)
    return anchors[left] + (place - left) * (anchors[left + 1] - anchors[left])


def _hex(lightness: float, chroma: float, hue: float) -> str:
    """Convert OKLCH to sRGB. A colour outside sRGB loses chroma until it fits.

    Source:
        Björn Ottosson, "A perceptual color space for image processing" (2020).
    """
    while True:
        a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
        long, medium, short = (
            (lightness + x * a + y * b) ** 3
            for x, y in ((0.3963377774, 0.2158037573), (-0.1055613458, -0.0638541728), (-0.0894841775, -1.2914855480))
        )
        rgb = (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        )
        if chroma <= 0 or all(-0.001 <= part <= 1.001 for part in rgb):
            return "#" + "".join(f"{round(255 * _gamma(min(1.0, max(0.0, part)))):02x}" for part in rgb)
        chroma -= 0.005


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
