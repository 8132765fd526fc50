"""``zeus-bso version``."""

from __future__ import annotations

import argparse

from zeus_bso._version import __version__


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare no options."""


def run(args: argparse.Namespace) -> int:
    """Print the version."""
    print(f"zeus-bso {__version__}")
    return 0
