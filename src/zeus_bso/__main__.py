"""``python -m zeus_bso`` runs the command ``zeus-bso``."""

from __future__ import annotations

import sys

from zeus_bso.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
