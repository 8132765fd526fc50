"""The program that forks Python processes of what it has imported: :mod:`tests.support.forked` runs and asks it.

Its arguments are the file descriptors of two sockets, and the modules that it imports. Requests come from the owner of
the first socket, with whom this program ends, and from those who connect to the second. A request is a message with
three files, for input, output and errors, and a pipe; what has been forked writes its process id there, and this
program its exit code.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType
from typing import Any

_STREAMS = ("stdin", "stdout", "stderr")
_MOST_BYTES = 2**17
_SHELL = "BSO_TEST_FORKING"

_IMPORTED: dict[str, ModuleType] = {}


@atexit.register  # Before all that is imported later: what is registered first is called last.
def _leave_imported() -> None:
    """Let an exit take apart only what is the process's own: the pages of all other modules would be copied for it."""
    for name, module in _IMPORTED.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]


def _serve(owner: socket.socket, listener: socket.socket) -> list[str] | None:
    """Fork for each request; returns the arguments in what has been forked, and None when the owner has gone."""
    waiting = select.poll()
    waiting.register(owner, select.POLLIN)
    waiting.register(listener, select.POLLIN)
    running: dict[int, tuple[int, int]] = {}
    while True:
        # One at a time: the numbers of files that are closed meanwhile are given again.
        ready = waiting.poll()[0][0]
        if ready in running:
            pid, says = running.pop(ready)
            waiting.unregister(ready)
            os.write(says, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            os.close(says)
            os.close(ready)
            continue
        with listener.accept()[0] if ready == listener.fileno() else owner.dup() as asking:
            request, files, _, _ = socket.recv_fds(asking, _MOST_BYTES, 4)
        if not request:
            if ready == owner.fileno():
                return None
            continue
        if (pid := os.fork()) == 0:
            for inherited in [owner.detach(), listener.detach(), *running, *(says for _, says in running.values())]:
                os.close(inherited)
            return _begin(request, files)
        for file in files[:3]:
            os.close(file)
        end = os.pidfd_open(pid)
        running[end] = pid, files[3]
        waiting.register(end, select.POLLIN)


def _begin(request: bytes, files: list[int]) -> list[str]:
    """Make this process what was asked for, and say its id; returns its arguments."""
    arguments: list[str]
    arguments, folder, environment = json.loads(request)
    *standard, says = files
    for number, (name, mode, file) in enumerate(zip(_STREAMS, "rww", standard, strict=True)):
        os.dup2(file, number)
        os.close(file)
        # Python looks what kind of file it is when it makes a stream of it.
        made = getattr(sys, name)
        buffer = open(number, f"{mode}b", 0 if made.write_through else -1, closefd=False)  # noqa: SIM115
        by_lines = made.line_buffering or (os.isatty(number) and not made.write_through)
        stream = TextIOWrapper(buffer, made.encoding, made.errors, None, by_lines, made.write_through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if _SHELL in environment:
        # A command that is found so also starts the interpreter of its own again, as a server or to train.
        sys.executable = str(Path(__file__).with_name("forked_commands") / "python")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.write(says, b"%d\n" % os.getpid())
    os.close(says)
    return arguments


def _run(how: str, *arguments: str) -> None:
    """Run a module, a program or a file as the interpreter does with these arguments."""
    sys.argv[:] = [how, *arguments[how.startswith("-") :]]
    if how == "-m":
        sys.path[0] = str(Path.cwd())
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        return
    main: Any = ModuleType("__main__")
    sys.modules["__main__"] = main
    if how == "-c":
        sys.path[0] = ""
        program, name = arguments[0], "<string>"
    else:
        sys.path[0] = str(Path(how).resolve().parent)
        program, name = Path(how).read_text(), how
        main.__file__ = how
    exec(compile(program, name, "exec", dont_inherit=True), main.__dict__)


if __name__ == "__main__":
    for _name in sys.argv[3:]:
        import_module(_name)
    _IMPORTED.update((name, sys.modules[name]) for name in sys.modules.keys() - {"__main__", "builtins", "sys"})
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_IMPORTED))  # It outlives the modules too.
    gc.freeze()
    # Ctrl-C in a terminal reaches this process too; whoever has started it says when it ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What runs is left as any program is left, so that all is done that Python does at an exit.
    if (_arguments := _serve(*(socket.socket(fileno=int(each)) for each in sys.argv[1:3]))) is not None:
        _run(*_arguments)
