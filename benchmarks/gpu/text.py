"""The figures of a benchmark on a GPU, as people read them."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.gpu.child import Json


def text(results: Json) -> str:
    """The whole report in Markdown."""
    return "\n".join(_lines(results))


def _lines(results: Json) -> Iterator[str]:
    machine, report = results.get("machine", {}), results["report"]
    yield (
        f"{machine.get('gpu')}, driver {machine.get('driver')}, PyTorch {machine.get('torch')}, "
        f"CUDA {machine.get('cuda')}, trained on {machine.get('device')}"
    )
    yield f"{len(results['runs'])} runs in {results['took_s']:.0f} s; {report['failed_runs']} ended in an error."
    yield ""
    yield from _sizes(report["sizes"], results["default_size"])
    yield ""
    yield from _saved(report["saved"])
    yield ""
    yield from _spread(report["spread"])
    yield ""
    for name in ("power", "instant_power"):
        ratio = report["counter_against_power"][name].get("runs", {})
        if "counter_over_power" in ratio:
            yield (
                f"Counter over {name.replace('_', ' ')}, integrated, per run: {ratio['counter_over_power']:.4f} "
                f"(log SD {ratio['log_sd']:.4f}, {ratio['count']} runs)."
            )
    yield from _first(report["first_epoch"])
    yield from _costs(results["costs"])


def _sizes(sizes: Json, default: int) -> Iterator[str]:
    yield "| batch size | runs | reached | epochs | time | energy | power | time per epoch | energy per epoch |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for size, of_size in sizes.items():
        cells = [f"{size} (default)" if int(size) == default else size, of_size["runs"], of_size["reached"]]
        for name, form in (
            ("epochs", "{:.1f}"),
            ("time_s", "{:.1f} s"),
            ("energy_j", "{:.0f} J"),
            ("power_w", "{:.0f} W"),
            ("epoch_s", "{:.3f} s"),
            ("epoch_j", "{:.0f} J"),
        ):
            cells.append("-" if of_size[name] is None else form.format(of_size[name]))
        yield f"| {' | '.join(map(str, cells))} |"


def _saved(saved: Json) -> Iterator[str]:
    yield f"{saved['recurrences']} recurrences against {saved['default_runs']} runs of the default size:"
    for name, unit in (("energy_j", "J"), ("time_s", "s"), ("cost_j", "J of cost")):
        product = saved[name]["product"]
        if product:
            yield (
                f"- in all, exploration paid, by the product's formula: {product['saved']:.0f} {unit} "
                f"({product['fraction']:.1%}; 95 %: {product['low']:.0f} to {product['high']:.0f})"
            )
        for key, what in (("all", "each recurrence"), ("last", "each of the last ones")):
            figure = saved[name][key]
            if "saved" in figure:
                yield (
                    f"- {what}: {figure['saved']:.1f} {unit} ({figure['fraction']:.1%}; 95 %: "
                    f"{figure['fraction_low']:.1%} to {figure['fraction_high']:.1%})"
                )


def _spread(spread: Json) -> Iterator[str]:
    yield "Deviation of logarithms between runs of one size:"
    for name, figure in spread.items():
        if name != "priors" and figure["log_sd"] is not None:
            yield f"- {name.replace('_', ' ')}: {figure['log_sd']:.4f} ({figure['dof']} degrees of freedom)"


def _first(first: Json) -> Iterator[str]:
    for size, extra in first.items():
        yield (
            f"First epoch, size {size}: {extra['extra_time_s']:+.2f} epochs of time, {extra['extra_energy_j']:+.2f} of "
            f"energy ({extra['runs']} runs)."
        )


def _costs(costs: Json) -> Iterator[str]:
    hook, window, evaluate = (costs.get(name, {}) for name in ("hook", "window", "on_evaluate"))
    if "share_of_step" in hook:
        yield (
            f"Step hooks: {1e9 * hook['pair_s']:.0f} ns a step of {1e3 * hook['step_s']:.2f} ms "
            f"({hook['share_of_step']:.4%}); in steps: {1e6 * hook['difference_s']:+.2f} "
            f"+- {1e6 * hook['difference_error_s']:.2f} us."
        )
    profiling = costs.get("profiling", {})
    if "rate_sd" in profiling:
        yield (
            f"Measuring power limits, none set: {profiling['windows']} windows in {profiling['took_s']:.1f} s, a step "
            f"{profiling['measured_step_s'] / profiling['step_s'] - 1:+.2%}; standard deviation of log pace "
            f"{profiling['rate_sd']:.4f}, of log power {profiling['power_sd']:.4f}."
        )
    for name, of_part in (("window", window), ("on_evaluate", evaluate)):
        for key, took in of_part.items():
            if isinstance(took, dict):
                yield f"{name}, {key}: p50 {1e3 * took['p50']:.3f} ms, p95 {1e3 * took['p95']:.3f} ms."
