"""A rank that ends: says how many threads the system sees before it has joined, when it has, and after its end."""

from __future__ import annotations

import atexit
import os


def say(when: str) -> None:
    """Say it."""
    print(when, len(os.listdir("/proc/self/task")), flush=True)  # noqa: PTH208


# What is registered first is called last.
atexit.register(say, "ended")

import torch.distributed  # noqa: E402, F401 - the threads that it starts by itself are not ours

from zeus_bso.client.distributed import Ranks  # noqa: E402

say("before")
ranks = Ranks(60.0)
ranks.exchange("here")
say("joined")
