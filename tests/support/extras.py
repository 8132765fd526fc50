"""The extras of the package, and those that an install hint names."""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


@cache
def extras() -> frozenset[str]:
    """The extras that the package has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return frozenset(project["optional-dependencies"])


def named_extras(text: str) -> list[str]:
    """The extras that a text names, as in ``zeus-bso[server]`` or ``.[nvidia,server]``."""
    named = re.findall(r"(?:zeus-bso|(?<![\w./])\.)\[([a-z][a-z, -]*)\]", text)
    return [extra.strip() for several in named for extra in several.split(",")]


def unknown_extras(text: str) -> list[str]:
    """The extras that a text names and the package does not have."""
    return [extra for extra in named_extras(text) if extra not in extras()]
