"""The options of ``zeus-bso simulate`` that say what is simulated: workloads, and what makes them hard."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeus_bso.cli.errors import BAD_USE, CommandError
from zeus_bso.exceptions import ZeusBSOConfigError

if TYPE_CHECKING:
    from zeus_bso.simulator.scenario import Scenario
    from zeus_bso.simulator.traces import Pair
    from zeus_bso.simulator.world import SimulatedWorkload

LIST = "list"
_WIDTH = 80
_SHOWN_VARIANTS = 8
_MADE_UP = ("default", "epochs", "critical-size", "overhead-size", "steepness", "epoch-s", "noise", "max-epochs")


def add_workload_options(parser: argparse.ArgumentParser) -> None:
    """Declare what is trained."""
    group = parser.add_argument_group("workloads")
    group.add_argument("--traces", type=Path, metavar="DIR", help="trace folder (default: the one of the demo job)")
    group.add_argument("--gpu", nargs="+", metavar="GPU", help="GPUs of the traces (default: all)")
    group.add_argument("--workload", nargs="+", metavar="NAME", help="workloads of the traces (default: all)")
    group.add_argument(
        "--made-up", nargs="*", metavar="KEY=VALUE",
        help="a made-up workload instead; any of sizes (8,16,24 or 8:1024 for doublings), "
        f"{', '.join(_MADE_UP)}: an epoch takes epoch-s x (1 + (overhead-size / b)^steepness), a run epochs x "
        "(1 + (b / critical-size)^steepness) epochs, b being the batch size",
    )  # fmt: skip
    group.add_argument(
        "--scenario", action="append", metavar="NAME",
        help="a scenario by name, with its made-up workloads; with --traces or --made-up it is laid over those. May be "
        f"given several times; `--scenario {LIST}` shows all",
    )  # fmt: skip


def add_scenario_options(parser: argparse.ArgumentParser) -> None:
    """Declare what makes the workloads hard."""
    group = parser.add_argument_group("what makes them hard")
    group.add_argument("--overlap", type=int, metavar="K", help="results come K recurrences late")
    group.add_argument("--drift", type=float, metavar="FACTOR", help="epochs are multiplied by it from half time on")
    group.add_argument("--tilt", type=float, help="with --drift: larger sizes suffer more; below 0, less")
    group.add_argument("--drift-over", type=int, metavar="K", help="with --drift: it comes little by little, over K")
    group.add_argument("--crash-rate", type=float, metavar="SHARE", help="share of tries that die")
    group.add_argument("--preempt-rate", type=float, metavar="SHARE", help="share of tries that are preempted")
    group.add_argument(
        "--warm-up", nargs="+", metavar="EPOCHS",
        help="what the first epoch costs extra, in normal ones; SIZE=EPOCHS for single sizes",
    )  # fmt: skip
    group.add_argument(
        "--cliff", nargs="+", type=float, metavar=("FACTOR", "MULTIPLE"),
        help="an epoch costs FACTOR times as much unless the size is a multiple of MULTIPLE (default: 32)",
    )  # fmt: skip
    group.add_argument(
        "--dip", nargs="+", type=float, metavar=("SIZE", "FACTOR"),
        help="a second minimum: around SIZE the epochs are multiplied by FACTOR; a third number: how wide, in octaves",
    )  # fmt: skip
    group.add_argument("--noise", type=float, metavar="STD", help="spread of the logarithm of epochs, besides recorded")
    group.add_argument("--pace-noise", type=float, metavar="STD", help="spread of the logarithm of the cost per epoch")
    group.add_argument(
        "--tail", nargs="+", type=float, metavar=("SHARE", "FACTOR"),
        help="SHARE of the runs need FACTOR times the epochs; a third number: the index of a power law beyond",
    )  # fmt: skip
    group.add_argument("--growth", type=float, metavar="SHARE", help="an epoch costs so much more at each recurrence")
    group.add_argument("--never", nargs="+", type=int, metavar="SIZE", help="batch sizes that never reach the target")


def add_power_options(parser: argparse.ArgumentParser) -> None:
    """Declare how power limits are chosen."""
    group = parser.add_argument_group("power limits")
    group.add_argument(
        "--power", choices=("off", "optimize"),
        help="off: full power; optimize: each batch size is measured at several limits once, and runs train at the "
        "best (default: off)",
    )  # fmt: skip
    group.add_argument(
        "--power-goal", choices=("cost", "energy"),
        help="how optimize judges a limit (default: cost)",
    )  # fmt: skip
    group.add_argument(
        "--max-slowdown", type=float, metavar="X",
        help="an epoch may take X times as long as at full power at most, for example 1.05",
    )  # fmt: skip


def list_scenarios(*, as_json: bool) -> str:
    """All named scenarios with what they are, for a person or a program."""
    from zeus_bso.simulator.scenarios import RECURRENCES, named_scenarios

    scenarios = named_scenarios()
    if as_json:
        listed = [
            {"name": each.name, "description": each.description, "variants": list(each.variants)} for each in scenarios
        ]
        return json.dumps({"scenarios": listed}, indent=2)
    lines = [f"Scenarios of {RECURRENCES} recurrences; NAME runs all variants, NAME/VARIANT one of them.", ""]
    for scenario in scenarios:
        names = list(scenario.variants)
        if len(names) > _SHOWN_VARIANTS:
            names = [*names[:2], "...", f"{names[-1]} ({len(names)} variants)"]
        lines.append(scenario.name)
        for text in (scenario.description, "Variants: " + ", ".join(names)):
            lines += textwrap.wrap(
                text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
            )
    return "\n".join(lines)


def worlds_of(args: argparse.Namespace) -> list[SimulatedWorkload]:
    """What the options ask for.

    Raises:
        CommandError: They contradict each other, or a number is out of its range.
    """
    from zeus_bso.simulator.scenario import Scenario
    from zeus_bso.simulator.scenarios import worlds_of as named_worlds
    from zeus_bso.simulator.world import SimulatedWorkload

    try:
        pairs = _pairs(args)
        if args.scenario:
            worlds = named_worlds(args.scenario, pairs)
        else:
            worlds = [SimulatedWorkload(pair, Scenario()) for pair in pairs or ()]
        worlds = [SimulatedWorkload(world.pair, _changed(args, world)) for world in worlds]
        for world in worlds:
            world.check()
    except ZeusBSOConfigError as error:
        raise CommandError(str(error), BAD_USE) from None
    return worlds


def _pairs(args: argparse.Namespace) -> Sequence[Pair] | None:
    """The workloads that are asked for; None: those of the named scenarios."""
    if args.made_up is not None:
        if args.traces is not None:
            raise CommandError("--made-up and --traces: choose one.", BAD_USE)
        pairs: Sequence[Pair] | None = [_made_up(args.made_up)]
    elif args.scenario and args.traces is None:
        pairs = None
    else:
        from zeus_bso.simulator.recorded import DIGITS
        from zeus_bso.simulator.traces import read_traces

        traces = read_traces(args.traces or DIGITS)
        return traces.pairs(tuple(args.workload or ["all"]), tuple(args.gpu or ["all"]))
    if args.workload or args.gpu:
        raise CommandError("--workload and --gpu choose from traces; add --traces DIR.", BAD_USE)
    return pairs


def _made_up(settings: Sequence[str]) -> Pair:
    from zeus_bso.simulator.made_up import SmoothWorkload

    workload = SmoothWorkload()
    for setting in settings:
        key, _, value = setting.partition("=")
        if key == "sizes":
            workload = replace(workload, batch_sizes=_sizes(value))
        elif key in _MADE_UP:
            name = "default_batch_size" if key == "default" else key.replace("-", "_")
            whole = isinstance(getattr(workload, name), int)
            changes: dict[str, Any] = {name: _whole(key, value) if whole else _number(key, value)}
            workload = replace(workload, **changes)
        else:
            raise CommandError(f"--made-up knows no {key!r}; it knows: sizes, {', '.join(_MADE_UP)}.", BAD_USE)
    if workload.default_batch_size not in workload.batch_sizes and not any(s.startswith("default=") for s in settings):
        workload = replace(workload, default_batch_size=workload.batch_sizes[-1])
    return workload.pair("made-up")


def _sizes(value: str) -> tuple[int, ...]:
    low, colon, high = value.partition(":")
    if not colon:
        sizes = sorted({_whole("sizes", part) for part in value.split(",")})
    else:
        size, largest = _whole("sizes", low), _whole("sizes", high)
        sizes = []
        while 1 <= size <= largest:
            sizes.append(size)
            size *= 2
    if not sizes or not 1 <= sizes[0] <= sizes[-1] < 2**31 or len(sizes) > 1000:
        raise CommandError(f"--made-up sizes={value}: 1 to 1,000 sizes from 1 to 2147483647 are possible.", BAD_USE)
    return tuple(sizes)


def _changed(args: argparse.Namespace, world: SimulatedWorkload) -> Scenario:
    """The world's scenario with what the options change in it."""
    from zeus_bso.simulator.scenario import Cliff, Dip, Drift, Tail

    _check(args)
    changes: dict[str, Any] = {
        "eta_knob": args.eta,
        "overlap": args.overlap,
        "crash_rate": args.crash_rate,
        "preempt_rate": args.preempt_rate,
        "noise": args.noise,
        "pace_noise": args.pace_noise,
        "growth": args.growth,
        "never": None if args.never is None else tuple(args.never),
        "power": args.power,
        "power_goal": args.power_goal,
        "max_slowdown": args.max_slowdown,
        "curve_stop": False if args.no_curve_stop else None,
        "cliff": None if args.cliff is None else Cliff(*args.cliff),
        "dip": None if args.dip is None else Dip(*args.dip),
        "tail": None if args.tail is None else Tail(*args.tail),
    }
    if args.drift is not None:
        at = (args.recurrences or world.recurrences) // 2
        changes["drift"] = Drift(at, args.drift, args.tilt or 0.0, args.drift_over or 0)
    if args.warm_up is not None:
        changes |= _warm_up(args.warm_up)
    given = {name: value for name, value in changes.items() if value is not None}
    if args.beta is not None:
        given["beta_knob"] = args.beta or None
    scenario = world.scenario.of_length(args.recurrences) if args.recurrences else world.scenario
    return replace(scenario, **given)


def _check(args: argparse.Namespace) -> None:
    for option, value, most in (("cliff", args.cliff, 2), ("dip", args.dip, 3), ("tail", args.tail, 3)):
        if value is not None and not max(1, most - 1) <= len(value) <= most:
            raise CommandError(f"--{option} takes {most - 1} or {most} numbers.", BAD_USE)
    chosen, drifting = args.power == "optimize", args.drift is not None
    for option, given, other, there in (
        ("--power-goal", args.power_goal, "--power optimize", chosen),
        ("--max-slowdown", args.max_slowdown, "--power optimize", chosen),
        ("--tilt", args.tilt, "--drift; --drift 1 for no other drift", drifting),
        ("--drift-over", args.drift_over, "--drift; --drift 1 for no other drift", drifting),
    ):
        if given and not there:
            raise CommandError(f"{option} goes with {other}.", BAD_USE)
    if args.beta is not None and not 0 <= args.beta < math.inf:
        raise CommandError("--beta must be a number of at least 0.", BAD_USE)


def _warm_up(values: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"warm_up": 0.0, "warm_ups": {}}
    for value in values:
        size, equals, epochs = value.partition("=")
        if equals:
            found["warm_ups"][_whole("--warm-up", size)] = _number("--warm-up", epochs)
        else:
            found["warm_up"] = _number("--warm-up", value)
    return found


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is no number.", BAD_USE) from None


def _whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is no whole number.", BAD_USE) from None
