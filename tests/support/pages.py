"""Runs the commands and the code of a page of the documentation, from its first block to its last.

A block with a title is a file. The commands of a ``shell`` block run in bash, and what they export holds for the blocks
that follow; ``zeus-bso serve`` runs until the page is over. Python without a title runs as in a notebook.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks.servers import free_port

from tests.support.forked import shell_variables

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(__file__).with_name("commands")
PATIENCE_S = 600

TRAINING = """
import itertools, json, os, signal
from pathlib import Path
import zeus_bso

# The time that a busy machine takes must not make a run too dear.
zeus_bso.EnergyMonitor = lambda: zeus_bso.ReplayMonitor(itertools.repeat((1.0, 100.0)))

class Model:
    def __init__(self, batch_size=None):
        self.epochs = 0

    def load(self, state):
        self.epochs = state

    def save(self):
        return self.epochs

build_model = Model
the_model = Model()

def train(model, learning_rate=None):
    model = model if isinstance(model, Model) else the_model
    model.epochs += 1

def validate(model=None):
    return (model or the_model).epochs / 10

def load_checkpoint():
    path = Path("checkpoint.json")
    return json.loads(path.read_text()) if path.exists() else None

def save_checkpoint(state):
    first = not Path("checkpoint.json").exists()
    Path("checkpoint.json").write_text(json.dumps(state))
    if first:
        os.kill(os.getpid(), signal.SIGTERM)
"""
"""What a page leaves to its reader: a model, how to train it and to save it. It ends once, when it has first saved."""

_NOTEBOOK = """
import json, sys
names = {"__name__": "__main__"}
for line in sys.stdin:
    exec(json.loads(line), names)
    print("\\0", flush=True)
"""
"""A notebook: runs one block after the other, with the same names."""

_BLOCK = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        language: Its language.
        marks: What else stands in its first line.
        text: What is in it.
    """

    language: str
    marks: str
    text: str

    @property
    def title(self) -> str | None:
        """The name of the file that it is."""
        found = re.search(r'title="([^"]+)"', self.marks)
        return found[1] if found else None


def blocks_of(page: str | Path) -> list[Block]:
    """The blocks of a page of the repository, in their order; diagrams and what is only to be read are left out."""
    found = _BLOCK.findall((ROOT / page).read_text())
    blocks = [Block(language, marks, text) for _, language, marks, text in found]
    return [block for block in blocks if block.language not in ("mermaid", "text")]


class PageRun:
    """What happens to a reader who does all that a page says. Use it as a context manager.

    Args:
        folder: Where the reader works.
        replaced: Texts in place of others, such as an address that exists in place of an example's.
        before: Code that precedes the Python of the page, also in its scripts.
        exit_codes: Commands that may end with another status than 0, by how they begin.
        forked: Whether ``zeus-bso`` and ``python`` are forked, where tests do so; SIGKILL does not reach them.

    Attributes:
        url: Where a server that the page starts answers.
        said: What the commands have printed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replaced: Mapping[str, str] | None = None,
        before: str = TRAINING,
        exit_codes: Mapping[str, int] | None = None,
        forked: bool = False,
    ) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        address = {"http://127.0.0.1:8000": self.url, "--port 8000": f"--port {self._port}"}
        self.replaced = {**(replaced or {}), **address}
        self._before = before
        self._exit_codes = exit_codes or {}
        self._notebook: subprocess.Popen[str] | None = None
        self.said = ""
        found = shell_variables(fresh=not forked)
        self._environment = (os.environ | found) | {
            "HOME": str(folder),
            "PATH": f"{COMMANDS}:{found['PATH']}",
            "ZEUS_BSO_PORT": str(self._port),
        }
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> PageRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._notebook is not None:
            self._notebook.communicate(timeout=PATIENCE_S)
        for server in self._servers:
            server.terminate()
            server.wait(PATIENCE_S)

    def run(self, block: Block) -> None:
        """Do what a block says."""
        text = block.text
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        if block.title is not None:
            script = f"{self._before}\n{text}" if block.language == "python" else text
            (self._folder / block.title).write_text(script)
        elif block.language == "shell":
            self._run_shell(text)
        elif block.language == "python":
            self._run_python(text)
        else:
            raise AssertionError(f"nothing runs a block of {block.language}")

    def _run_shell(self, text: str) -> None:
        lines = [line for line in text.splitlines() if not line.startswith("zeus-bso serve")]
        if "".join(lines).strip():
            self._run_commands("\n".join(lines))
        for line in text.splitlines():
            if line.startswith("zeus-bso serve"):
                self._serve(line)

    def _run_commands(self, text: str) -> None:
        exported = self._folder / ".exported"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{text}\nenv -0 > {shlex.quote(str(exported))}"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        self.said += done.stdout
        allowed = {code for command, code in self._exit_codes.items() if command in text}
        assert done.returncode in allowed | {0}, f"{text}\n{done.stdout}"
        if done.returncode == 0:
            pairs = exported.read_text().rstrip("\0").split("\0")
            self._environment = dict(pair.split("=", 1) for pair in pairs)

    def _serve(self, command: str) -> None:
        words = shlex.split(os.path.expandvars(command.partition("#")[0]))
        with (self._folder / "server.log").open("ab") as log:
            server = subprocess.Popen(
                words, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._servers.append(server)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            assert server.poll() is None, (self._folder / "server.log").read_text()
            try:
                urllib.request.urlopen(f"{self.url}/readyz", timeout=5)
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self._folder / "server.log").read_text())

    def _run_python(self, text: str) -> None:
        if self._notebook is None:
            self._notebook = subprocess.Popen(
                [sys.executable, "-c", _NOTEBOOK],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            text = f"{self._before}\n{text}"
        assert self._notebook.stdin
        assert self._notebook.stdout
        print(json.dumps(text), file=self._notebook.stdin, flush=True)
        said = ""
        for line in self._notebook.stdout:
            if line == "\0\n":
                self.said += said
                return
            said += line
        raise AssertionError(f"{text}\n{said}")


def run_page(page: str | Path, run: PageRun) -> None:
    """Run all blocks of a page; there are some."""
    blocks = blocks_of(page)
    assert blocks, f"{page} has no block"
    with run:
        for block in blocks:
            run.run(block)
