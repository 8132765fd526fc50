"""One HTTP request that leaves no connection open behind it, as the pool that ``urllib3.request`` shares does."""

from __future__ import annotations

from typing import Any

import urllib3


def request(method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
    """Send a request over a connection of its own; the options are those of ``urllib3.request``."""
    with urllib3.PoolManager() as pool:
        return pool.request(method, url, **options)
