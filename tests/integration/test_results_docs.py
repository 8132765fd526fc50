"""The code in docs/results.md runs as it stands, one block after the other, as in a notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.server import Server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "results.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_notebook_runs_from_its_first_block_to_its_last(
    own_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from matplotlib import pyplot

    own_server.register(job_id="nightly")
    for energy in (5e6, 3e6, 3.3e6):
        own_server.converge(own_server.ask("nightly"), energy=energy, time=energy / 1000)
    own_server.close()
    monkeypatch.setenv("ZEUS_BSO_SERVER_URL", own_server.url)
    pyplot.switch_backend("agg")
    notebook: dict[str, Any] = {}

    for block in BLOCKS:
        exec(block, notebook)

    assert len(BLOCKS) == 6
    assert "95 % interval" in capsys.readouterr().out
    assert notebook["chosen"] == {"nightly": notebook["job"].chosen_batch_size}
    assert notebook["by_size"].loc[16, "energy"] == 5e6
    assert [bool(ax.get_title()) for ax in (notebook["left"], notebook["middle"], notebook["right"])] == [True] * 3
    pyplot.close("all")
