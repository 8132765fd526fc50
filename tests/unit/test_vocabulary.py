"""Which texts may be ids."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from zeus_bso.protocol.words import Text

TEXT: TypeAdapter[str] = TypeAdapter(Text)

INVISIBLE = {
    "a control character": "\x07",
    "a control character of Latin-1": "\x85",
    "a zero-width space": "\u200b",
    "a mark of direction": "\u202e",
    "a separator of lines": "\u2028",
    "a separator of paragraphs": "\u2029",
    "a byte order mark": "\ufeff",
    "a tag": "\U000e0041",
}


@pytest.mark.parametrize("character", INVISIBLE.values(), ids=list(INVISIBLE))
def test_an_id_holds_no_invisible_character(character: str) -> None:
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X}"):
        TEXT.validate_python(f"job{character}")


@pytest.mark.parametrize("text", ["nightly/Ünï 🚀", "漢字", " a b ", "e\u0301", "\u00a0"])
def test_an_id_holds_any_other_character(text: str) -> None:
    assert TEXT.validate_python(text) == text
