"""Runs that a child of multiprocessing trains. It ends otherwise than a script, and the server learns the truth."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.process.test_ends import BEGIN, trials
from tests.support.process import ServerProcess

CHILD = """
import multiprocessing

def train():
    bso = begin()
    {end}

if __name__ == "__main__":
    child = multiprocessing.get_context({method!r}).Process(target=train)
    child.start()
    child.join()
"""

POOLS = {
    "multiprocessing.Pool": """
    pool = multiprocessing.get_context("fork").Pool(1)
    pool.apply_async(train).wait()
    pool.close()
    pool.join()
    """,
    "concurrent.futures": """
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        pool.submit(train).exception()
    """,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("child-ends") / "zeus-bso.db") as process:
        yield process


def told(server: ServerProcess, folder: Path, script: str) -> list[str]:
    """What the server knows of each trial once the script has ended."""
    job_id = f"child-{uuid.uuid4().hex}"
    file = folder / "train.py"
    file.write_text(BEGIN + textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, str(file), server.url, job_id], capture_output=True, text=True, timeout=240, check=False
    )
    assert "Could not" not in done.stderr, done.stderr
    return [str(trial["outcome"] or trial["reason"]) for trial in trials(server, job_id)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("pass", "target-missed"),
        ("sys.exit()", "target-missed"),
        ("sys.exit(1)", "error"),
        ("raise ValueError('bad data')", "error"),
        ("raise MemoryError", "oom"),
    ],
)
def test_the_end_of_a_child_is_told_as_that_of_a_script(
    server: ServerProcess, tmp_path: Path, method: str, end: str, expected: str
) -> None:
    assert told(server, tmp_path, CHILD.format(end=end, method=method)) == [expected]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("end", ["pass", "raise ValueError('bad data')"])
def test_the_end_of_a_worker_says_nothing_about_the_task_it_has_done(
    server: ServerProcess, tmp_path: Path, pool: str, end: str
) -> None:
    begin = f"import concurrent.futures, multiprocessing\n\ndef train():\n    bso = begin()\n    {end}\n\n"
    assert told(server, tmp_path, begin + 'if __name__ == "__main__":' + POOLS[pool]) == ["cancelled"]


def test_a_child_ends_the_runs_that_nothing_can_reach_though_its_parent_has_trained_too(
    server: ServerProcess, tmp_path: Path
) -> None:
    script = """
    import multiprocessing
    from zeus_bso.client.exit_hooks import HOOKS

    def work():
        begin()
        until = time.monotonic() + 60
        while list(HOOKS) and time.monotonic() < until:
            time.sleep(0.05)
        os._exit(0)

    bso = begin()
    bso.on_evaluate(0.95)
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    """
    assert told(server, tmp_path, script) == ["converged", "cancelled"]
