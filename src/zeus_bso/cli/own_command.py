"""How a user calls this command again, so that a printed command works as printed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

_NAME = "zeus-bso"


def own_command() -> str:
    """``zeus-bso`` where a shell finds this installation by that name, else its path, else ``python -m zeus_bso``."""
    ours = Path(sys.executable).parent / _NAME
    if not ours.is_file():
        return f"{shlex.quote(sys.executable)} -m zeus_bso"
    # A runner such as uvx puts the folder on the search path of this process alone.
    found = shutil.which(_NAME) if "UV" not in os.environ else None
    if found is not None and Path(found).resolve() == ours.resolve():
        return _NAME
    return shlex.quote(shown_path(ours))


def shown_path(path: Path) -> str:
    """A path as a user would type it in this directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
