"""Places labels beside the marks of a chart, so that none overlaps another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDE, _HIGH = 260.0, 170.0
"""The least size of the drawing area, that of a phone [px]."""
_OF_A_CHARACTER, _OF_A_LINE, _OF_A_MARK = 8.0, 15.0, 16.0
_AWAY = (_OF_A_MARK + _OF_A_LINE) / 2


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a mark.

    Attributes:
        text: The text.
        right: Place of the mark from the left, as a share of the chart's width.
        up: Place of the mark from below, as a share of the chart's height.
    """

    text: str
    right: float
    up: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle [px]."""

    left: float
    low: float
    right: float
    high: float

    def overlaps(self, other: Box) -> bool:
        """Whether two rectangles have an area in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.low < other.high and other.low < self.high


def place_labels(labels: Sequence[Label]) -> list[str | None]:
    """Where each label stands at its mark, in Plotly's words, or None if there is no room for it.

    Args:
        labels: The labels, the most important ones first.
    """
    taken = [_around(_OF_A_MARK, _OF_A_MARK, label.right * _WIDE, label.up * _HIGH) for label in labels]
    places: list[str | None] = []
    for number, label in enumerate(labels):
        others = [box for other, box in enumerate(taken) if other != number]
        place = next((place for place, box in boxes_of(label).items() if _is_free(box, others)), None)
        places.append(place)
        if place is not None:
            taken.append(boxes_of(label)[place])
    return places


def _is_free(box: Box, others: Sequence[Box]) -> bool:
    return box.left >= 0 and box.low >= 0 and not any(box.overlaps(other) for other in others)


def boxes_of(label: Label) -> dict[str, Box]:
    """The rectangle of a label at each place, the best place first."""
    width = _OF_A_CHARACTER * len(label.text)
    right, up = label.right * _WIDE, label.up * _HIGH
    aside = (_OF_A_MARK + width) / 2
    return {
        "top center": _around(width, _OF_A_LINE, right, up + _AWAY),
        "bottom center": _around(width, _OF_A_LINE, right, up - _AWAY),
        "middle right": _around(width, _OF_A_LINE, right + aside, up),
        "middle left": _around(width, _OF_A_LINE, right - aside, up),
        "top right": _around(width, _OF_A_LINE, right + aside, up + _AWAY),
        "top left": _around(width, _OF_A_LINE, right - aside, up + _AWAY),
        "bottom right": _around(width, _OF_A_LINE, right + aside, up - _AWAY),
        "bottom left": _around(width, _OF_A_LINE, right - aside, up - _AWAY),
    }


def _around(width: float, height: float, right: float, up: float) -> Box:
    return Box(right - width / 2, up - height / 2, right + width / 2, up + height / 2)
