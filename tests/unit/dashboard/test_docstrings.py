from __future__ import annotations

from zeus_bso.server.dashboard.api_docs import kind_of
from zeus_bso.server.dashboard.docstrings import attributes_of, parse_docstring

DOCSTRING = """The use of a <run>, which
is cumulative. See :class:`~zeus_bso.Run`.

Another paragraph.

Attributes:
    energy: Energy [J]: all of it, with
        ``waste``.
    time: Time [s]."""


def test_a_docstring_comes_without_its_markup_and_each_attribute_by_itself() -> None:
    found = parse_docstring(DOCSTRING)

    assert found.text == (
        "The use of a &lt;run&gt;, which is cumulative. See <code>zeus_bso.Run</code>.\n\nAnother paragraph."
    )
    assert found.attributes == {
        "energy": "Energy [J]: all of it, with <code>waste</code>.",
        "time": "Time [s].",
    }


def test_bounds_have_no_rows_of_zeros_and_places_of_a_list_are_told_apart() -> None:
    assert (
        kind_of({"type": "number", "minimum": -1, "maximum": 1e15}) == "number, at least \N{MINUS SIGN}1, at most 1e15"
    )
    point = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "number"}]}
    assert kind_of({"type": "array", "items": point}) == "list of (integer, number)"


class Base:
    """A base.

    Attributes:
        one: The *first*.
        two: The second.

    Examples:
        It is no attribute.
    """


class Derived(Base):
    """A class.

    Attributes:
        two: Another second.
    """


def test_a_class_has_the_attributes_of_its_bases_too() -> None:
    assert attributes_of(Derived) == {"one": "The <em>first</em>.", "two": "Another second."}
