"""Asks before an act that cannot be undone."""

from __future__ import annotations

import sys

from zeus_bso.cli.errors import BAD_USE, CommandError


def confirm(question: str, *, yes: bool) -> bool:
    """Ask the user to confirm an act that cannot be undone.

    Raises:
        CommandError: Standard input is no terminal, so nobody can confirm, and ``yes`` is false.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody can confirm this here: add --yes.", BAD_USE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    print("Nothing was done.", file=sys.stderr)
    return False
