"""One figure of a benchmark on a GPU, from its JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.gpu.child import Json
from benchmarks.gpu.report import JOB


def draw(results: Json, path: Path) -> None:
    """Draw energy and cost by size, the recurrences, the learning curves, and epochs and power by size.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 8), layout="constrained")
    runs = [run for run in results["runs"] if run.get("epochs")]
    _sizes(axes[0][0], results)
    _recurrences(axes[0][1], [run for run in runs if run["job"] == JOB], results)
    _curves(axes[1][0], runs, results)
    _epochs(axes[1][1], results)
    machine = results.get("machine", {})
    figure.suptitle(f"{machine.get('gpu')}, driver {machine.get('driver')}, PyTorch {machine.get('torch')}")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _sizes(axis: Any, results: Json) -> None:
    reached = {int(size): each for size, each in results["report"]["sizes"].items() if each["reached"]}
    for name, label, marker in (("energy_j", "energy [J]", "o"), ("cost_j", "cost [J]", "s")):
        errors = [each[f"{name}_sd"] or 0.0 for each in reached.values()]
        axis.errorbar(list(reached), [each[name] for each in reached.values()], errors, marker=marker, label=label)
    axis.set(ylabel="J to the target", title="To the target (bars: one deviation)")
    _scale(axis, results["sizes"])
    axis.set_ylim(bottom=0)
    axis.legend()


def _recurrences(axis: Any, runs: list[Json], results: Json) -> None:
    numbers = range(1, len(runs) + 1)
    colours = ["tab:green" if run["target_reached"] else "tab:red" for run in runs]
    axis.bar(numbers, [run["energy_j"] for run in runs], color=colours)
    for number, run in zip(numbers, runs, strict=True):
        axis.annotate(str(run["size"]), (number, run["energy_j"]), rotation=90, ha="center", va="bottom", fontsize=7)
    default = results["report"]["saved"]["energy_j"]["all"].get("default")
    if default is not None:
        axis.axhline(default, color="black", linestyle="--", label="mean of the default size")
        axis.legend(loc="upper right")
    axis.set(xlabel="recurrence", ylabel="J", title="Energy of each recurrence (its size; red: stopped)")
    axis.margins(y=0.15)


def _curves(axis: Any, runs: list[Json], results: Json) -> None:
    from matplotlib import colormaps

    sizes = results["sizes"]
    named = set()
    for run in runs:
        size = run["size"]
        points = [(e["epoch"], e["metric"]) for e in run["epochs"] if e["metric"]]
        colour = colormaps["viridis"](sizes.index(size) / max(1, len(sizes) - 1))
        label = None if size in named else str(size)
        axis.plot(*zip(*points, strict=True), color=colour, linewidth=0.8, label=label)
        named.add(size)
    axis.axhline(results["task"]["target"], color="black", linestyle="--")
    axis.set(xscale="log", yscale="log", xlabel="epoch", ylabel="unexplained variance", title="Learning curves")
    if named:
        axis.legend(fontsize=7, ncols=2)


def _epochs(axis: Any, results: Json) -> None:
    sizes = {int(size): each for size, each in results["report"]["sizes"].items() if each["reached"]}
    axis.plot(list(sizes), [each["epochs"] for each in sizes.values()], marker="o", label="epochs to the target")
    axis.set(ylabel="epochs", title="Epochs and power")
    _scale(axis, results["sizes"])
    axis.set_ylim(bottom=0)
    other = axis.twinx()
    other.plot(list(sizes), [each["power_w"] for each in sizes.values()], marker="s", color="tab:orange", label="power")
    other.set(ylabel="W")
    other.set_ylim(bottom=0)
    axis.legend(loc="upper left")
    other.legend(loc="lower right")


def _scale(axis: Any, sizes: list[int]) -> None:
    axis.set(xscale="log", xlabel="batch size", xlim=(sizes[0] / 1.3, sizes[-1] * 1.3))
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
