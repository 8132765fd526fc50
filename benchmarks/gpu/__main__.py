"""What the product does and costs on a real GPU: some thirty recurrences of a training of ten seconds, within a budget.

python -m benchmarks.gpu --out FOLDER [--budget-s 480]     the benchmark: FOLDER/gpu.json, gpu.md, gpu.svg
python -m benchmarks.gpu --out FOLDER --sensors            checks of the sensor: FOLDER/sensors.json
python -m benchmarks.gpu --figure-from FOLDER/gpu.json     text and figure anew, on any machine

It changes no setting of the card. Without a GPU, --device cpu trains on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.gpu.child import Json
from benchmarks.gpu.figure import draw
from benchmarks.gpu.report import report
from benchmarks.gpu.sampler import Samples
from benchmarks.gpu.text import text


def main() -> None:
    """Measure, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="folder of the results")
    parser.add_argument("--budget-s", type=float, default=480.0, help="no run begins that would end later [s]")
    parser.add_argument("--recurrences", type=int, default=30, help="recurrences of the job")
    parser.add_argument("--defaults", type=int, default=6, help="further runs of the default size")
    parser.add_argument("--repeats", type=int, default=3, help="further runs of each size, while time is left")
    parser.add_argument("--epoch-s", type=float, default=0.6, help="time of an epoch of the default size [s]")
    parser.add_argument("--epochs", type=int, default=16, help="epochs of the default size to the target")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="where to train")
    parser.add_argument("--width", type=int, default=2048, help="width of the network")
    parser.add_argument("--tokens", type=int, default=16, help="tokens in an example")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="learning rate of the default size")
    parser.add_argument("--cold", action="store_true", help="load nothing before a run's process starts")
    parser.add_argument("--sensors", action="store_true", help="check the sensor instead")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the sensor check looks [s]")
    parser.add_argument("--figure-from", type=Path, help="draw from this JSON instead")
    arguments = parser.parse_args()
    if arguments.figure_from:
        _draw_again(arguments.figure_from)
        return
    folder: Path = arguments.out
    folder.mkdir(parents=True, exist_ok=True)
    # PyTorch shall look for GPUs without touching them, which a forked process could not use otherwise. Only measuring
    # needs it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    from benchmarks.gpu.training import Task

    task = Task(arguments.device, arguments.width, arguments.tokens, arguments.learning_rate)
    if arguments.sensors:
        from benchmarks.gpu.sensors import check_sensors

        (folder / "sensors.json").write_text(json.dumps(check_sensors(task, arguments.seconds), indent=1))
        return
    if (folder / "gpu.db").exists():
        parser.error(f"{folder} holds a benchmark already: name another folder.")
    from benchmarks.gpu.campaign import Campaign, NoGpuInChildrenError, Plan

    plan = Plan(
        recurrences=arguments.recurrences,
        defaults=arguments.defaults,
        repeats=arguments.repeats,
        epoch_s=arguments.epoch_s,
        epochs=arguments.epochs,
        budget_s=arguments.budget_s,
        cold=arguments.cold,
    )
    try:
        results = Campaign(folder, task, plan).run()
    except NoGpuInChildrenError:
        print("A child could not use the GPU; once more, with nothing loaded before.", flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--cold"])
    if not results["runs"]:
        sys.exit("Nothing was trained: see the error above.")
    _show(results, folder)


def _draw_again(path: Path) -> None:
    results = json.loads(path.read_text())
    samples = path.with_name("samples.txt")
    if samples.exists():
        results["report"] = report(results, Samples.read(samples))
        path.write_text(json.dumps(results, indent=1))
    _show(results, path.parent)


def _show(results: Json, folder: Path) -> None:
    said = text(results)
    print(f"\n{said}")
    (folder / "gpu.md").write_text(f"{said}\n")
    try:
        draw(results, folder / "gpu.svg")
    except ImportError:
        print("No figure: matplotlib is not installed. Draw it later: python -m benchmarks.gpu --figure-from gpu.json")


if __name__ == "__main__":
    main()
