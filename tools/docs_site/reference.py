"""The pages of the reference, made from the code."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from collections.abc import Iterator, Mapping
from typing import Literal, get_args, get_origin

from zeus_bso.cli.main import COMMANDS, build_parser
from zeus_bso.server.config import Settings

PUBLIC_NAMES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "client": {
        "zeus_bso": ("BatchSizeOptimizer", "JobSpec", "JobParams", "__version__"),
        "zeus_bso.protocol.job_spec": ("JobSettings",),
        "zeus_bso.client.scaling": ("Split", "linear_learning_rate", "square_root_learning_rate"),
    },
    "monitors": {
        "zeus_bso": ("EnergyMonitor", "ReplayMonitor"),
        "zeus_bso.monitor": (
            *("Monitor", "Measured", "Measurement", "adapt", "devices_of"),
            *("Device", "DeviceId", "DeviceInfo", "DeviceReading"),
        ),
    },
    "results": {
        "zeus_bso": ("connect",),
        "zeus_bso.results.results": ("Results",),
        "zeus_bso.results.result_values": ("JobList", "JobResult", "TrialList", "SavingsResult"),
    },
    "callbacks": {
        "zeus_bso.integrations.lightning": ("ZeusBSOCallback", "saved_state"),
        "zeus_bso.integrations.transformers": ("ZeusBSOCallback", "saved_state"),
        "zeus_bso.integrations.keras": ("ZeusBSOCallback", "saved_state"),
    },
    "errors": {
        "zeus_bso": (
            *("ZeusBSOError", "ZeusBSOTrainFailError", "ZeusBSOConfigError", "ZeusBSOServerUnreachableError"),
            *("ZeusBSOSpecConflictError", "ZeusBSORequestError", "ZeusBSOMonitorError"),
            *("ZeusBSOOrderError", "ZeusBSODistributedError"),
        ),
    },
    "testing": {"zeus_bso.testing": ("InMemoryServer",)},
}
"""The pages about Python, with the public names of each module. Every name has an entry with an example."""

_TITLES = {
    "client": ("The client", "What a training script uses: `from zeus_bso import BatchSizeOptimizer, JobSpec`."),
    "monitors": ("Monitors", "What measures time and energy. [Energy](../energy.md) explains the sensors."),
    "results": ("Results", "Reads jobs, trials and savings. [Results](../results.md) shows them in a notebook."),
    "callbacks": ("Callbacks", "For Lightning, Transformers and Keras. [Frameworks](../frameworks.md) explains them."),
    "errors": ("Errors", "All errors are a `ZeusBSOError`. The message says what to do."),
    "testing": ("Testing", "For tests of training scripts: a whole server in this process."),
}
_INHERITS = {"BatchSizeOptimizer"}
"""Classes whose inherited methods are for users too."""

_WIDTH = 100
_TYPES: Mapping[object, str] = {str: "text", int: "whole number", float: "number"}


def python_pages() -> Iterator[tuple[str, str]]:
    """The pages about Python: the name of each, and its text in Markdown."""
    for name, modules in PUBLIC_NAMES.items():
        title, about = _TITLES[name]
        yield f"{name}.md", "\n".join([f"# {title}\n", about, "", *_entries(modules)])


def _entries(modules: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    several = len(modules) > 1
    for module, names in modules.items():
        if several:
            yield f"## `{module}`\n"
        for name in names:
            yield f"::: {module}.{name}"
            yield "    options:"
            yield f"      heading_level: {3 if several else 2}"
            yield f"      inherited_members: {str(name in _INHERITS).lower()}\n"


def cli_page() -> str:
    """The page about the command line: the help of every command, as it prints it."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(_WIDTH)
    try:
        parser, _ = build_parser(list(COMMANDS))
        helps = [_help(command) for command in _parsers(parser)]
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    about = "Every command prints this with `--help`. [Operations](../operations.md#commands) lists them in one table."
    return "\n".join(["# Command line\n", f"{about}\n", *helps])


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for subparser in dict.fromkeys(action.choices.values()):
                yield from _parsers(subparser)


def _help(parser: argparse.ArgumentParser) -> str:
    return f"## {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n"


def settings_page() -> str:
    """The page about the server's settings, from the class that reads them."""
    meanings = attributes_of(inspect.getdoc(Settings) or "")
    rows = [
        f"| `ZEUS_BSO_{name.upper()}` | {_type_name(field.annotation)} | {_stated(field.default)} | {meanings[name]} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        [
            "# Server settings\n",
            "The server reads each setting from its command line, then from the environment, then from a `.env` file.",
            "[Operations](../operations.md#settings-of-the-server) says more, and lists the variables of the client.\n",
            "| variable | type | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def attributes_of(docstring: str) -> dict[str, str]:
    """The attributes that a docstring describes, each in one line of Markdown."""
    _, _, section = docstring.partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    return {name: one_line(text) for name, text in found}


def one_line(text: str) -> str:
    """A text of a docstring in one line of Markdown, also within a table."""
    return " ".join(re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", text).replace("``", "`").split()).replace("|", "\\|")


def _type_name(annotation: object) -> str:
    """A type in a word that people use; the choices of a literal."""
    choices = [choice for choice in get_args(annotation) if choice is not type(None)]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in choices)
    return " or ".join(map(_type_name, choices)) or _TYPES[annotation]


def _stated(default: object) -> str:
    return f"`{default}`" if isinstance(default, int | float) or (isinstance(default, str) and default) else ""
