"""How complex functions may be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
SIMPLE, MOST_OTHERS = 6, 12


def test_few_functions_are_more_than_simple() -> None:
    limit = f"lint.mccabe.max-complexity={SIMPLE}"
    command = [sys.executable, "-m", "ruff", "check", "--select", "C901", "--config", limit, "--output-format", "json"]
    done = subprocess.run([*command, str(SOURCE)], capture_output=True, text=True, check=False)

    found = [each["message"] for each in json.loads(done.stdout)]
    assert 0 < len(found) <= MOST_OTHERS, found
