"""The doctor against a real server, on whatever machine this is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from zeus_bso.cli.doctor import ESTIMATE_ONLY


def test_the_doctor_finds_a_server_and_measures_this_machine(server_url: str) -> None:
    command = [sys.executable, "-m", "zeus_bso", "doctor", "--json", "--seconds", "0.2"]
    environment = os.environ | {"ZEUS_BSO_SERVER_URL": server_url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)

    shown = json.loads(done.stdout)
    assert shown["server"] == {"address": server_url, "usable": True, "sentence": "It answers and is ready."}
    assert done.returncode == (ESTIMATE_ONLY if shown["source"] == "estimate" else 0)
    assert shown["live"]["reported_w"] > 0
