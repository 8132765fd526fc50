"""Entry point of the ``zeus-bso`` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from zeus_bso.cli.errors import FAILED, INTERRUPTED, CommandError
from zeus_bso.exceptions import ZeusBSOError

_COMMANDS = {
    "serve": "run the server",
    "db": "migrate the server's database, or ask what state it is in",
    "demo": "watch a real recurring training job find its batch size, on this machine",
    "run": "launch a training script, and launch it again while its batch sizes turn out useless",
    "flush": "send what training runs could not tell the server while it was away",
    "doctor": "show what this machine can measure, and with what",
    "jobs": "list, show, delete, reset, export and import jobs",
    "trials": "list and show the trials of a job, or end one",
    "simulate": "see what each policy would cost, on recorded traces",
    "record": "record traces from a training script of your own, to simulate with",
    "version": "print the version",
}

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
    "rich": "server",
    "sklearn": "demo",
    "sqlalchemy": "server",
    "starlette": "server",
    "torch": "optuna",
    "uvicorn": "server",
}


class _Command(Protocol):
    """What a subcommand's module offers; it imports the server only when it runs."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        The exit code: 0, 1 for a failure, 2 for bad use, 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, commands = _build_parser(arguments)
    args = parser.parse_args(arguments)
    try:
        return commands[args.command].run(args)
    except CommandError as error:
        return _fail(str(error), error.exit_code)
    except ZeusBSOError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _fail(f'`zeus-bso {args.command}` needs {error.name}: pip install "zeus-bso[{extra}]"')
    except KeyboardInterrupt:
        return INTERRUPTED


def _build_parser(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, _Command]]:
    """Only a command that is named in the arguments is loaded, so that ``--help`` answers at once."""
    parser = argparse.ArgumentParser(
        prog="zeus-bso",
        description="Finds the batch size of least energy and time for a recurring training job.",
        epilog="`zeus-bso COMMAND --help` tells more about a command.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands: dict[str, _Command] = {}
    for name, summary in _COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in arguments:
            commands[name] = cast(_Command, import_module(f"zeus_bso.cli.{name}"))
            commands[name].configure(subparser)
    return parser, commands


def _fail(message: str, exit_code: int = FAILED) -> int:
    print(f"zeus-bso: {message}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
