"""How runs end in frameworks, launchers and notebooks: real ones, with real signals."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.frameworks.launches import SCRIPTS, TRAINING, Json, Launch, be_silent, free_port, trials
from tests.frameworks.runs import only_trial, optimizer
from tests.support.forked import run_python
from tests.support.process import ServerProcess
from zeus_bso import BatchSizeOptimizer, JobSpec, ZeusBSOConfigError
from zeus_bso.testing import InMemoryServer, ReplayMonitor

torch = pytest.importorskip("torch", reason="run by: make test-frameworks")

PATIENCE_S = 240.0


@pytest.fixture
def memory() -> Iterator[InMemoryServer]:
    server = InMemoryServer()
    yield server
    server.close()


def only(server: ServerProcess, job_id: str) -> Json:
    [trial] = trials(server.url, job_id)
    return trial


class TestSignals:
    def test_lightning_saves_at_sigterm_as_without_us_and_the_run_is_preempted(
        self, server: ServerProcess, tmp_path: Path
    ) -> None:
        with Launch([SCRIPTS / "lightning_ends.py", server.url, tmp_path], tmp_path) as launch:
            launch.hear_until("trained")
            launch.send(signal.SIGTERM)
            launch.wait()

        assert (tmp_path / "on_exception.ckpt").exists()
        trial = only(server, "lightning")
        assert (trial["reason"], trial["outcome"]) == ("preempted", None)
        assert trial["current_epoch"] >= 2

    def test_lightning_requeues_itself_on_slurm_and_the_next_launch_goes_on(
        self, server: ServerProcess, tmp_path: Path
    ) -> None:
        commands = tmp_path / "bin"
        commands.mkdir()
        scontrol = commands / "scontrol"
        scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
        scontrol.chmod(0o755)
        slurm = {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "SLURM_JOB_ID": "4711",
            "SLURM_JOB_NAME": "train",
            "SLURM_NTASKS": "1",
            "SLURM_NTASKS_PER_NODE": "1",
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
            "SLURM_NODEID": "0",
            "SLURM_NODELIST": "localhost",
        }
        command = [SCRIPTS / "lightning_ends.py", server.url, tmp_path, "slurm"]
        with Launch(command, tmp_path, variables=slurm) as launch:
            launch.hear_until("trained")
            launch.send(signal.SIGUSR1)
            while not (tmp_path / "requeued").exists() and launch.runs:
                time.sleep(0.1)
            # Lightning trains on until Slurm takes the nodes away.
            assert launch.runs
            launch.send(signal.SIGKILL)
            launch.wait()
        assert (tmp_path / "requeued").read_text() == "requeue 4711\n"
        assert only(server, "lightning")["ended_at"] is None
        be_silent()

        with Launch(command, tmp_path, variables=slurm) as launch:
            number, resumed, epoch = launch.finish()[0].split()
        trial = only(server, "lightning")
        assert (number, resumed, trial["reason"]) == ("1", "True", "preempted")
        assert int(epoch) == trial["current_epoch"] >= 2

    def test_transformers_saves_in_time_at_sigterm_and_the_run_is_preempted(
        self, server: ServerProcess, tmp_path: Path
    ) -> None:
        with Launch([SCRIPTS / "transformers_ends.py", server.url, tmp_path / "out"], tmp_path) as launch:
            launch.hear_until("trained")
            launch.send(signal.SIGTERM)
            launch.hear_until("left tidily")
            assert launch.wait() == [0]

        assert list((tmp_path / "out").glob("checkpoint-*"))
        assert only(server, "transformers")["reason"] == "preempted"


def test_the_threads_of_a_group_have_ended_before_python_does(tmp_path: Path) -> None:
    place = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    done = run_python(str(SCRIPTS / "alone.py"), folder=tmp_path, environment=TRAINING | place, fresh=True)
    threads = {when: int(count) for when, count in map(str.split, done.stdout.splitlines())}

    assert done.returncode == 0, done.stderr
    # The store, through which ranks find each other, has one: it runs nothing of Python.
    assert threads["ended"] <= threads["before"] + 1 < threads["joined"]


def test_ranks_that_torchrun_starts_again_go_on_from_their_checkpoint(server: ServerProcess, tmp_path: Path) -> None:
    """First rank 0 breaks, then rank 1."""
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "2"]
    rendezvous = ["--rdzv-id", "night", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    script = [str(SCRIPTS / "elastic.py"), server.url, str(tmp_path / "state.json")]
    done = run_python(*command, *rendezvous, *script, environment=TRAINING)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "attempt 0 trial 1 epoch 0",
        "attempt 1 trial 1 epoch 2",
        "attempt 2 trial 1 epoch 5",
    ]
    trial = only(server, "elastic")
    assert (trial["outcome"], trial["current_epoch"], trial["time"], trial["wasted_time"]) == ("converged", 8, 8.0, 0.0)


def test_several_processes_that_each_ask_are_told_what_to_say(server: ServerProcess, tmp_path: Path) -> None:
    script = tmp_path / "each_asks.py"
    script.write_text(
        "import sys\n"
        "from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor\n"
        "job = JobSpec(job_id='each', job_id_prefix='x', batch_sizes=[16, 32], default_batch_size=16)\n"
        "BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 9), sys.argv[1], job).get_batch_size()\n"
    )
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = run_python(*command, str(script), server.url, environment=TRAINING)
    assert done.returncode != 0
    assert "distributed=True" in done.stderr
    assert len(trials(server.url, "each")) <= 1


class TestNotebook:
    BEGIN = """
from zeus_bso import BatchSizeOptimizer, JobSpec, ReplayMonitor
def begin():
    bso = BatchSizeOptimizer(ReplayMonitor([(1.0, 1.0)] * 50), {url!r}, JobSpec(job_id="cells", job_id_prefix="x",
        batch_sizes=[16], default_batch_size=16, target_metric=0.9))
    bso.get_batch_size(); bso.on_train_begin(); bso.on_evaluate(0.1)
    return bso
"""

    def test_a_cell_that_breaks_interrupts_its_run_and_the_next_one_takes_it_up(self, server: ServerProcess) -> None:
        manager = pytest.importorskip("jupyter_client.manager")
        pytest.importorskip("ipykernel")

        kernel, client = manager.start_new_kernel(startup_timeout=PATIENCE_S)
        told = []
        try:
            cells = ["bso = begin(); raise ValueError('bug')", "1 / 0", "bso.on_evaluate(0.2)", "again = begin()"]
            for cell in [self.BEGIN.format(url=server.url), *cells]:
                client.execute_interactive(cell, timeout=PATIENCE_S, output_hook=lambda message: None)
                if cell in cells:
                    client.execute_interactive("import time; time.sleep(1)", timeout=PATIENCE_S)
                    told.append([trial["reason"] for trial in trials(server.url, "cells")])
        finally:
            client.stop_channels()
            kernel.shutdown_kernel()
        assert [sorted(map(str, each)) for each in told] == [["error"], ["error"], ["None"], ["None", "cancelled"]]
        assert sorted(str(trial["reason"]) for trial in trials(server.url, "cells"))[1] == "cancelled"


class TestDryAndCutShort:
    @pytest.mark.parametrize("options", [{"fast_dev_run": True}, {"overfit_batches": 1}])
    def test_a_dry_run_reports_nothing_and_the_real_one_may_follow(
        self, memory: InMemoryServer, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        import lightning

        from tests.frameworks.test_lightning import line, loader, trainer_for

        bso = optimizer(memory)
        short = trainer_for(bso, tmp_path / "dry", **options)
        short.fit_loop.max_epochs = 1
        short.fit(line(lightning.pytorch), loader(), loader())
        assert only_trial(memory)["current_epoch"] == 0

        trainer_for(bso, tmp_path).fit(line(lightning.pytorch), loader(), loader())
        assert only_trial(memory)["outcome"] == "converged"

    @pytest.mark.parametrize("options", [{"max_steps": 4}, {"max_time": {"seconds": 1}}])
    def test_a_fit_that_a_limit_cuts_short_is_no_miss(
        self, memory: InMemoryServer, tmp_path: Path, options: dict[str, Any]
    ) -> None:
        import lightning

        from tests.frameworks.test_lightning import line, loader, trainer_for

        model = line(lightning.pytorch)
        model.on_train_batch_start = lambda *_: time.sleep(0.15)
        trainer_for(optimizer(memory, target_metric=99.0), tmp_path, **options).fit(model, loader(), loader())
        assert only_trial(memory)["reason"] == "preempted"


class TestOutOfMemoryCaught:
    def test_around_lightnings_fit(self, memory: InMemoryServer, tmp_path: Path) -> None:
        import lightning

        from tests.frameworks.test_lightning import line, loader, trainer_for

        model = line(lightning.pytorch)

        def grow(*_: object) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        model.training_step = grow
        with pytest.raises(torch.OutOfMemoryError):
            trainer_for(optimizer(memory), tmp_path).fit(model, loader(), loader())
        assert only_trial(memory)["reason"] == "oom"

    def test_around_transformers_train(self, memory: InMemoryServer, tmp_path: Path) -> None:
        from transformers import TrainerCallback

        from tests.frameworks.test_transformers import trainer_for

        class Grows(TrainerCallback):  # type: ignore[misc, unused-ignore]
            def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step == 2:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

        trainer = trainer_for(optimizer(memory), tmp_path)
        trainer.add_callback(Grows())
        with pytest.raises(torch.OutOfMemoryError):
            trainer.train()
        assert only_trial(memory)["reason"] == "oom"


class TestBatchSize:
    def test_lightning_refuses_another_one_than_was_given(self, memory: InMemoryServer, tmp_path: Path) -> None:
        import lightning

        from tests.frameworks.test_lightning import line, loader, trainer_for

        trainer = trainer_for(optimizer(memory), tmp_path, accumulate_grad_batches=2)
        with pytest.raises(ZeusBSOConfigError, match=r"batch size of 32 .*, but 16 was given"):
            trainer.fit(line(lightning.pytorch), loader(), loader())
        assert only_trial(memory)["reason"] == "cancelled"

    @pytest.mark.parametrize("given", [None, 8])
    def test_keras_refuses_another_one_than_was_given(self, memory: InMemoryServer, given: int | None) -> None:
        keras = pytest.importorskip("keras")
        import numpy as np

        from zeus_bso.integrations.keras import ZeusBSOCallback

        model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse", optimizer="sgd")
        x = np.zeros((64, 1), dtype="float32")
        with pytest.raises(ZeusBSOConfigError, match=rf"batch size of {given or 32} .*, but 16 was given"):
            model.fit(x, x, batch_size=given, verbose=0, callbacks=[ZeusBSOCallback(optimizer(memory), "loss")])

    def test_keras_out_of_memory_caught_around_fit_is_told(self, memory: InMemoryServer) -> None:
        keras = pytest.importorskip("keras")
        import numpy as np

        from zeus_bso.integrations.keras import ZeusBSOCallback

        class Grows(keras.callbacks.Callback):  # type: ignore[misc, name-defined, unused-ignore]
            def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
                raise MemoryError

        model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
        model.compile(loss="mse", optimizer="sgd")
        x = np.zeros((64, 1), dtype="float32")
        callbacks = [Grows(), ZeusBSOCallback(optimizer(memory), "loss")]
        with pytest.raises(MemoryError):
            model.fit(x, x, batch_size=16, verbose=0, callbacks=callbacks)
        assert only_trial(memory)["reason"] == "oom"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x80\x02}q\x00", b"text"])
def test_a_broken_checkpoint_is_said_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    from zeus_bso.integrations import lightning, transformers

    (tmp_path / "last.ckpt").write_bytes(content)
    (tmp_path / "zeus_bso.json").write_bytes(content)
    with pytest.raises(ZeusBSOConfigError, match=r"last\.ckpt.*broken"):
        lightning.saved_state(tmp_path / "last.ckpt")
    with pytest.raises(ZeusBSOConfigError, match=r"zeus_bso\.json.*broken"):
        transformers.saved_state(tmp_path)


def test_a_checkpoint_of_the_older_format_is_read(memory: InMemoryServer, tmp_path: Path) -> None:
    from zeus_bso.integrations.lightning import saved_state

    bso = BatchSizeOptimizer(
        ReplayMonitor(itertools.repeat((1.0, 1.0))),
        job=JobSpec(job_id="old", job_id_prefix="x", batch_sizes=[16], default_batch_size=16),
        transport=memory,
    )
    content = {"callbacks": {"ZeusBSOCallback": bso.state_dict()}}
    torch.save(content, tmp_path / "last.ckpt", _use_new_zipfile_serialization=False)
    assert saved_state(tmp_path / "last.ckpt") == bso.state_dict()
