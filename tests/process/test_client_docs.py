"""The code in the client's documentation runs as it stands."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.support.forked import run_python

from zeus_bso import BatchSizeOptimizer

VARIABLES = (
    *("ZEUS_BSO_SERVER_URL", "ZEUS_BSO_RUN_ID", "ZEUS_BSO_TOKEN", "ZEUS_BSO_TOKEN_FILE"),
    *("ZEUS_BSO_SPOOL_DIR", "ZEUS_BSO_KUBERNETES_JOB"),
)
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)

AROUND = """
import itertools
import zeus_bso

# The time that a busy machine takes must not make a run too dear.
zeus_bso.EnergyMonitor = lambda: zeus_bso.ReplayMonitor(itertools.repeat((1.0, 100.0)))

class Model:
    def __init__(self, batch_size):
        self.epochs = 0

    def load(self, state):
        self.epochs = state

    def save(self):
        return self.epochs

build_model = Model
kept = []

def train(model):
    model.epochs += 1
    sum(range(20_000))

def validate(model):
    return model.epochs / 10

def load_checkpoint():
    return kept[-1] if kept else None

def save_checkpoint(state):
    kept.append(state)
    if len(kept) == 3 and not state["bso"]["finished"]:
        raise KeyboardInterrupt
"""

RESUMED = """
try:
    exec(block)
except KeyboardInterrupt:
    bso.cancel()
exec(block)
assert bso.resumed and first_epoch == 3, (bso.resumed, first_epoch)
"""


def program(block: str) -> str:
    """A program that runs one block after the first, which defines the job."""
    before = "" if block is BLOCKS[0] else BLOCKS[0]
    if "load_checkpoint" in block:
        return f"{AROUND}\n{before}\nblock = {block!r}\n{RESUMED}"
    return f"{AROUND}\n{before}\n{block}"


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_of_code_runs_and_its_trials_converge(block: str, tmp_path: Path) -> None:
    whole = f"{program(block)}\nassert bso.training_finished"
    done = run_python(
        "-c", whole, folder=tmp_path, environment={"ZEUS_BSO_SERVER_URL": f"sqlite:///{tmp_path}/docs.db"}
    )
    assert done.returncode == 0, done.stderr


def test_there_is_code_to_run() -> None:
    assert len(BLOCKS) == 3


def test_every_argument_is_documented_with_its_default() -> None:
    undocumented = []
    for name, parameter in inspect.signature(BatchSizeOptimizer).parameters.items():
        row = re.search(rf"^\| `{name}` \| (.*?) \|", DOCS, re.MULTILINE)
        stated = isinstance(parameter.default, str | float) and name != "job"
        if row is None or (stated and str(parameter.default).removesuffix(".0") not in row.group(1)):
            undocumented.append(name)

    assert undocumented == []


def test_every_variable_is_documented() -> None:
    assert [name for name in VARIABLES if f"`{name}`" not in DOCS] == []
