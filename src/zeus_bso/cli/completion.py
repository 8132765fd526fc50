"""``zeus-bso completion``: lets a shell complete this command with the Tab key."""

from __future__ import annotations

import argparse

_SHELLS = ("bash", "zsh", "tcsh")

_DESCRIPTION = """\
Prints a script that lets your shell complete commands and options with the Tab key. For bash:
zeus-bso completion bash > ~/.local/share/bash-completion/completions/zeus-bso
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = _DESCRIPTION
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=f"one of {', '.join(_SHELLS)}")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    print(shtab.complete(args.whole_parser, shell=args.shell))
    return 0
