"""Entry point of the ``zeus-bso`` command."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from zeus_bso._version import __version__
from zeus_bso.cli.errors import CLOSED_OUTPUT, FAILED, INTERRUPTED, CommandError
from zeus_bso.cli.line_breaks import print_error
from zeus_bso.cli.parser import CommandParser
from zeus_bso.exceptions import ZeusBSOError

if TYPE_CHECKING:
    # Loaded by name below; here, what follows imports finds them.
    from zeus_bso.cli import completion as completion
    from zeus_bso.cli import db as db
    from zeus_bso.cli import demo as demo
    from zeus_bso.cli import doctor as doctor
    from zeus_bso.cli import flush as flush
    from zeus_bso.cli import jobs as jobs
    from zeus_bso.cli import record as record
    from zeus_bso.cli import run as run
    from zeus_bso.cli import runs as runs
    from zeus_bso.cli import serve as serve
    from zeus_bso.cli import simulate as simulate
    from zeus_bso.cli import trials as trials
    from zeus_bso.cli import try_script as try_script
    from zeus_bso.cli import version as version

COMMANDS = {
    "serve": "run the server",
    "db": "migrate the server's database, or check its state",
    "demo": "run a real recurring training job on this machine until it finds its batch size",
    "try": "launch your own training script until its batch size is settled",
    "run": "launch a training script, and launch it again while its batch sizes are too expensive",
    "flush": "send the reports that training runs kept while the server was away",
    "doctor": "show what this machine can measure, and with which sensor",
    "jobs": "list, show, delete, reset, export and import jobs",
    "trials": "list and show the trials of a job, or end one",
    "runs": "tell a job of runs that were recorded elsewhere",
    "simulate": "show what each policy would cost on recorded traces or made-up workloads",
    "record": "record traces from your own training script for the simulator",
    "completion": "print what lets your shell complete this command",
    "version": "print the version",
}

_MODULES = {"try": "try_script"}
"""Modules of commands whose names are words of Python."""

_EXTRAS = {
    "aiosqlite": "server",
    "alembic": "server",
    "asyncmy": "mysql",
    "fastapi": "server",
    "itsdangerous": "server",
    "jinja2": "server",
    "matplotlib": "simulate",
    "numpy": "server",
    "optuna": "optuna",
    "prometheus_client": "server",
    "psycopg": "postgres",
    "pydantic_settings": "server",
    "rich": "cli",
    "shtab": "completion",
    "sklearn": "demo",
    "sqlalchemy": "server",
    "starlette": "server",
    "torch": "optuna",
    "uvicorn": "server",
}


_EXTRAS_OF_COMMANDS = {"demo": "demo", "try": "server", "simulate": "simulate"}
"""What these commands need in any case."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says if a file or its disk takes no more."""


class _Command(Protocol):
    """The interface of a subcommand's module, which imports the server only when it runs."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments. Default: those of the process.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for wrong arguments, 130 after an interrupt, 141 if nobody
        reads the output any more.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _allow_any_terminal()
    try:
        return _run(arguments)
    except BrokenPipeError:
        _write_nowhere()
        return CLOSED_OUTPUT
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        _write_nowhere()
        return _fail(f"the output cannot be written: {error.strerror}.")


def _run(arguments: Sequence[str]) -> int:
    """Run a command and write all its output. The reader may have left, as in ``zeus-bso jobs list --csv | head``."""
    parser, commands = build_parser(arguments)
    args = _parsed(parser, arguments)
    try:
        exit_code = commands[args.command].run(args)
        sys.stdout.flush()
    except CommandError as error:
        return _fail(str(error), error.exit_code)
    except ZeusBSOError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        extra = _EXTRAS_OF_COMMANDS.get(args.command, _EXTRAS[missing])
        named = f'"zeus-bso[{extra}]"'
        by_uv = f", or: uvx --from {named} zeus-bso {args.command}" if "UV" in os.environ else ""
        return _fail(f"`zeus-bso {args.command}` needs {error.name}: pip install {named}{by_uv}")
    except KeyboardInterrupt:
        return INTERRUPTED
    return exit_code


def _parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments. ``--help`` and ``--version`` end here, with all their output written."""
    try:
        return parser.parse_args(arguments)
    except SystemExit:
        sys.stdout.flush()
        raise


def _write_nowhere() -> None:
    """Send what is left of the output nowhere, because the interpreter flushes once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _allow_any_terminal() -> None:
    """Escape the characters that a terminal lacks. One in Latin-1 lacks most."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def build_parser(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, _Command]]:
    """Build the parser. It loads only the command that the arguments name, so that ``--help`` answers at once.

    To complete a shell's command line, all commands are needed.
    """
    loaded = COMMANDS if "completion" in arguments else arguments
    parser = CommandParser(
        prog="zeus-bso",
        description="Finds the batch size of least energy and time for a recurring training job.",
        epilog="`zeus-bso COMMAND --help` lists the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"zeus-bso {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands: dict[str, _Command] = {}
    for name, summary in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in loaded:
            module = _MODULES.get(name, name)
            commands[name] = cast(_Command, import_module(f"zeus_bso.cli.{module}"))
            commands[name].configure(subparser)
    parser.set_defaults(whole_parser=parser)
    return parser, commands


def _fail(message: str, exit_code: int = FAILED) -> int:
    print_error(f"zeus-bso: {message}")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
