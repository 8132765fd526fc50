"""``zeus-bso doctor``: what this machine can measure, with what, and what stands in the way.

It needs nothing beyond what a training machine installs.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata

from zeus_bso import units
from zeus_bso._version import __version__
from zeus_bso.cli.doctor_power import PowerFacts, power_facts, restore_power
from zeus_bso.cli.errors import FAILED
from zeus_bso.client.connection.connect import SERVER_URL_VARIABLE, transport_for
from zeus_bso.exceptions import ZeusBSOError
from zeus_bso.monitor.survey import Survey, survey
from zeus_bso.protocol.transport import Transport, TransportError
from zeus_bso.protocol.urls import JOB_URL
from zeus_bso.protocol.words import EnergySource

ESTIMATE_ONLY = 3
"""Exit code where nothing real can be measured."""

_GAP = re.compile("  +")
"""What lies between two columns."""

_PACKAGES = ("nvidia-ml-py", "amdsmi", "zeus", "codecarbon", "torch")


@dataclass(frozen=True)
class ServerFinding:
    """Whether the server can be used from here.

    Attributes:
        address: Where it is, without secrets; empty: none is named.
        usable: Whether it answers and lets this client in.
        sentence: What came of asking it.
    """

    address: str
    usable: bool
    sentence: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its options."""
    parser.epilog = (
        f"Exit code: 0 if something real can be measured, {ESTIMATE_ONLY} if only the estimate, {FAILED} if a training "
        "with EnergyMonitor() would not begin."
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--restore-power", action="store_true", help="restore the power limits that dead runs have left, and stop"
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=2.0, metavar="N", help="how long to measure (default 2; 0: not at all)"
    )


def run(args: argparse.Namespace) -> int:
    """Look, show, and tell by the exit code whether something real can be measured."""
    if args.restore_power:
        with _silenced():
            return restore_power()
    with _silenced():
        found, power = survey(args.seconds), power_facts()
    server, versions = _ask_server(), _versions()
    if args.json:
        parts = {"power_limits": [asdict(gpu) for gpu in power], "server": asdict(server)}
        print(json.dumps({"versions": versions, **asdict(found), **parts}, indent=2))
    else:
        width = shutil.get_terminal_size().columns
        print("\n".join(_wrapped(line, width) for line in _lines(found, power, server, versions)))
    if found.source is None or found.devices is None:
        return FAILED
    return ESTIMATE_ONLY if found.source is EnergySource.ESTIMATE else 0


@contextmanager
def _silenced() -> Iterator[None]:
    """What the monitor would log is part of what is shown."""
    logger = logging.getLogger("zeus_bso")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0 and 3600")
    return seconds


def _versions() -> dict[str, str]:
    installed = {package: version for package in _PACKAGES if (version := _version(package)) is not None}
    return {
        "zeus-bso": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **installed,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _ask_server() -> ServerFinding:
    url = os.environ.get(SERVER_URL_VARIABLE, "").strip()
    if not url:
        return ServerFinding("", False, f"{SERVER_URL_VARIABLE} is not set.")
    if url.startswith("sqlite:"):
        return ServerFinding(url, True, "No server is needed: the job is kept in this file.")
    try:
        transport = transport_for(url)
    except ZeusBSOError as error:
        return ServerFinding("", False, str(error))
    return _ask_through(transport)


def _ask_through(transport: Transport) -> ServerFinding:
    try:
        ready = transport.request("GET", "/readyz")
        job = transport.request("GET", JOB_URL, params={"job_id": "zeus-bso doctor"})
    except TransportError as error:
        return ServerFinding(transport.address, False, str(error))
    finally:
        transport.close()
    if ready.status != 200:
        return ServerFinding(
            transport.address, False, f"It answers, but is not ready ({ready.status}: {ready.message})."
        )
    if job.status in (401, 403):
        return ServerFinding(transport.address, False, f"It does not let this client in: {job.message}")
    return ServerFinding(transport.address, True, "It answers and is ready.")


def _lines(
    found: Survey, power: Sequence[PowerFacts], server: ServerFinding, versions: dict[str, str]
) -> Iterator[str]:
    yield ", ".join(f"{name} {version}" for name, version in versions.items())
    yield from _section("Sensors", ([f.sensor, f.state, f.sentence] for f in found.findings))
    yield from _section(
        "GPUs",
        (
            [str(gpu.index), gpu.model, gpu.uuid, _limit(gpu.max_power_w), f"reads: {gpu.source.value}"]
            for gpu in found.gpus
        ),
    )
    yield from (f"  {note}" for gpu in found.gpus for note in gpu.notes)
    yield from _section("Power limits", ([str(gpu.index), gpu.range, gpu.sentence] for gpu in power))
    if power:
        yield '  With JobSpec(power_limit="optimize"), runs find the best limit of each size, and restore this one.'
    yield from _section(
        "CPU counters",
        (
            [z.zone, z.name, "measured" if z.counted else "left out", "open" if z.readable else "closed"]
            for z in found.zones
        ),
    )
    yield from _section("A training here reports", _report(found))
    yield from _section("Server", [[server.address or "none", server.sentence]])


def _report(found: Survey) -> Iterator[Sequence[str]]:
    if found.source is not None:
        label = "estimate: nothing here is measured" if found.source is EnergySource.ESTIMATE else found.source.value
        yield ["source", label]
    if found.devices is not None:
        count = found.devices.number_of_gpus
        yield ["devices", f"{count} x {found.devices.gpu_model}" if count else f"the CPU, {found.devices.gpu_model}"]
        yield ["max_power", units.plain(units.power(found.devices.max_power_w))]
    if found.live is not None:
        for name, power_w in found.live.power_w.items():
            yield ["now", f"{units.plain(units.power(power_w))}  {name}"]
        told = (
            ""
            if found.live.told_w is None
            else f"; the power reading says {units.plain(units.power(found.live.told_w))}"
        )
        reported = f"{units.power(found.live.reported_w)} over {units.duration(found.live.seconds)}"
        yield ["in all", f"{units.plain(reported)}{told}"]
    if found.problem is not None:
        yield ["problem", found.problem]


def _section(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A title and its rows in columns; nothing where there are none."""
    table = list(rows)
    if not table:
        return
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    yield ""
    yield title
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _wrapped(line: str, width: int) -> str:
    """A line that fits the terminal: a sentence in a column goes on below its beginning."""
    column = max((gap.end() for gap in _GAP.finditer(line)), default=0)
    indent = " " * (column if column <= width // 2 else 4)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _limit(max_power_w: float | None) -> str:
    return "limit unknown" if max_power_w is None else f"up to {max_power_w:g} W"
