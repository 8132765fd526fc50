"""Results in Python, from the embedded file that a training script left."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.server import Server

import zeus_bso
from zeus_bso.client.connection import read_api
from zeus_bso.exceptions import ZeusBSOConfigError, ZeusBSORequestError, ZeusBSOServerUnreachableError
from zeus_bso.protocol.views import JobSummary, JobView, TrialView
from zeus_bso.results.columns import column_names
from zeus_bso.results.results import Results
from zeus_bso.testing import InMemoryServer


@pytest.fixture
def url(tmp_path: Path) -> str:
    server = Server(tmp_path / "jobs.db")
    server.start()
    server.register(job_id="nightly-a", gpu_model="<script>$H200$</script>")
    for energy in (5e6, 3e6, 3.3333333333e6):
        server.converge(server.ask("nightly-a"), energy=energy, time=energy / 1000)
    server.end(server.ask("nightly-a"), "oom")
    server.report(server.ask("nightly-a"), metric=0.25)
    server.register(job_id="nightly-b")
    server.register(job_id="weekly")
    server.close()
    return f"sqlite:///{tmp_path / 'jobs.db'}"


@pytest.fixture
def results(url: str) -> Iterator[Results]:
    with zeus_bso.connect(url) as connected:
        yield connected


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let packages be as if they were not installed."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


class TestValues:
    def test_jobs_are_the_views_of_the_api(self, results: Results) -> None:
        jobs = results.jobs()

        assert [job.job_id for job in jobs] == ["nightly-a", "nightly-b", "weekly"]
        assert all(type(job) is JobSummary for job in jobs)
        assert [job.job_id for job in results.jobs(search="WEEK")] == ["weekly"]
        assert repr(jobs[:1]) == "<1 job>"
        assert repr(jobs) == "<3 jobs>"

    def test_a_job_is_a_frozen_view(self, results: Results) -> None:
        job = results.job("nightly-a")

        assert isinstance(job, JobView)
        assert job.spec.default_batch_size == job.default_batch_size == 16
        with pytest.raises(ValidationError, match="frozen"):
            job.policy = "other"  # type: ignore[misc]

    def test_trials_are_in_their_order_and_can_be_filtered(self, results: Results) -> None:
        trials = results.trials("nightly-a")

        assert [trial.trial_number for trial in trials] == [1, 2, 3, 4, 5]
        assert [trial.trial_number for trial in results.trials("nightly-a", limit=2)] == [4, 5]
        assert [trial.trial_number for trial in results.trials("nightly-a", status="Dispatched")] == [5]
        assert {trial.batch_size for trial in results.trials("nightly-a", batch_size=16)} == {16}
        assert trials[-2:].job == trials.job
        assert repr(trials[-2:]) == "<2 trials of nightly-a>"
        assert type(trials[0]) is TrialView

    def test_savings_have_their_history(self, results: Results) -> None:
        savings = results.savings("nightly-a")

        assert savings.energy is not None
        assert savings.energy_kwh is not None
        assert savings.history[-1].energy_kwh.saved == pytest.approx(savings.energy_kwh.saved)

    def test_a_beginning_is_enough_where_one_job_alone_has_it(self, results: Results) -> None:
        assert results.job("w").job_id == "weekly"
        assert results.savings("nightly-b").job_id == "nightly-b"
        with pytest.raises(ZeusBSORequestError, match="'night' begins the ids of nightly-a, nightly-b: write more of"):
            results.trials("night")
        with pytest.raises(ZeusBSORequestError, match=r"begins with 'ightly'; jobs\(\) lists all jobs"):
            results.job("ightly")

    def test_a_whole_id_goes_before_longer_ones(self, own_server: Server) -> None:
        own_server.register(job_id="x")
        own_server.register(job_id="xy")
        own_server.close()

        with zeus_bso.connect(own_server.url) as results:
            assert results.job("x").job_id == "x"

    def test_lists_go_on_over_all_pages(self, results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(read_api, "_PAGE", 2)

        assert [job.job_id for job in results.jobs()] == ["nightly-a", "nightly-b", "weekly"]
        assert [trial.trial_number for trial in results.trials("nightly-a")] == [1, 2, 3, 4, 5]
        assert [trial.trial_number for trial in results.trials("nightly-a", limit=3)] == [3, 4, 5]

    def test_a_server_in_memory_has_results_too(self) -> None:
        with Results(InMemoryServer()) as results:
            assert len(results.jobs()) == 0
            assert len(results.jobs().to_dataframe()) == 0


class TestFrames:
    def test_trials_are_rows_with_types(self, results: Results) -> None:
        frame = results.trials("nightly-a").to_dataframe()

        assert list(frame.columns) == column_names(TrialView)
        assert list(frame["energy"][:3]) == [5e6, 3e6, 3.3333333333e6]
        assert frame["started_at"].dt.tz == timezone.utc
        assert list(frame["ended_at"].isna()) == [False, False, False, False, True]
        assert frame["round"].dtype.kind == "i"
        assert frame["type"][0] == "Exploration"

    def test_jobs_are_rows_with_their_savings(self, results: Results) -> None:
        frame = results.jobs().to_dataframe().set_index("job_id")

        assert frame.loc["nightly-a", "savings_energy_spent"] > 1e7
        assert frame["savings_energy_saved"].isna()["weekly"]
        assert "savings_job_id" not in frame
        assert len(set(frame.columns)) == len(frame.columns)
        assert frame["chosen_batch_size"].isna()["weekly"]
        assert frame["chosen_batch_size"].dtype.kind == "i"

    def test_sizes_and_the_history_are_rows(self, results: Results) -> None:
        assert list(results.job("nightly-a").to_dataframe()["batch_size"]) == [8, 16, 32, 64]
        history = results.savings("nightly-a").to_dataframe()
        assert list(history["trial_number"]) == [1, 2, 3, 4]
        assert {"energy_kwh_saved", "energy_kwh_low", "time_saved"} <= set(history)

    def test_without_pandas_it_says_what_to_install(self, results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
        hide(monkeypatch, "pandas")

        with pytest.raises(ZeusBSOConfigError, match="pip install pandas"):
            results.jobs().to_dataframe()


class TestNotebooks:
    def test_html_is_small_and_escaped(self, results: Results) -> None:
        shown: list[Any] = [
            results.jobs(),
            *(read("nightly-a") for read in (results.job, results.trials, results.savings)),
        ]
        pages = [each._repr_html_() for each in shown]

        assert "&lt;script&gt;" in pages[0]
        for page in pages:
            tags = set(re.findall(r"<([^/> ]+)[^>]*>", page))
            assert tags <= {"p", "table", "thead", "tbody", "tr", "th", "td"}
            assert "nightly-a" in page
            assert len(page) < 10_000

    def test_a_long_list_shows_some_rows_and_says_so(self, own_server: Server) -> None:
        own_server.register()
        for _ in range(25):
            own_server.end(own_server.ask(), "cancelled")
        own_server.close()

        with zeus_bso.connect(own_server.url) as results:
            page = results.trials("job")._repr_html_()
        assert "20 of 25 trials; to_dataframe() has all." in page
        assert "<td>25</td>" in page
        assert "<td>5</td>" not in page


class TestPlots:
    @pytest.mark.parametrize("job_id", ["nightly-a", "weekly"])
    def test_each_result_is_drawn(self, results: Results, job_id: str) -> None:
        for result in (results.job(job_id), results.trials(job_id), results.savings(job_id)):
            ax = result.plot()
            ax.figure.canvas.draw()
            assert job_id in ax.get_title()
            said = [text.get_text() for text in ax.texts]
            assert ("There is no result yet." in said) == (job_id == "weekly")

    def test_it_draws_where_it_is_told(self, results: Results) -> None:
        from matplotlib import pyplot

        _, axes = pyplot.subplots(1, 3)

        assert results.job("nightly-a").plot(axes[0]) is axes[0]
        assert results.trials("nightly-a").plot(ax=axes[1]) is axes[1]
        assert [line.get_label() for line in axes[1].lines if "default" in str(line.get_label())] == [
            "mean of 16 (default)"
        ]
        assert results.savings("nightly-a").plot(axes[2]) is axes[2]

    def test_a_name_is_no_formula(self, own_server: Server) -> None:
        own_server.register(job_id="a$b$c_{")
        own_server.converge(own_server.ask("a$b$c_{"))
        own_server.close()

        with zeus_bso.connect(own_server.url) as results:
            results.job("a$b$c_{").plot().figure.canvas.draw()

    def test_without_matplotlib_it_says_what_to_install(
        self, results: Results, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide(monkeypatch, "matplotlib", "matplotlib.pyplot")

        with pytest.raises(ZeusBSOConfigError, match="pip install matplotlib"):
            results.job("nightly-a").plot()


class TestErrors:
    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            (None, "sqlite:///zeus-bso.db"),
            ("ftp://x", "begins neither with"),
            ("sqlite:////no/such/file.db", "there is no such file"),
        ],
    )
    def test_a_wrong_url_says_what_to_give(self, given: str | None, sentence: str) -> None:
        with pytest.raises(ZeusBSOConfigError, match=re.escape(sentence)):
            zeus_bso.connect(given)

    def test_the_environment_names_the_server(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ZEUS_BSO_SERVER_URL", url)
        with zeus_bso.connect() as results:
            assert repr(results) == f"<results of {url}>"

    def test_nobody_answers(self) -> None:
        results = zeus_bso.connect("http://127.0.0.1:9")
        with results, pytest.raises(ZeusBSOServerUnreachableError, match="Start a server with: zeus-bso serve"):
            results.jobs()

    def test_a_closed_connection_says_so(self, url: str) -> None:
        results = zeus_bso.connect(url)
        results.close()
        with pytest.raises(ZeusBSOServerUnreachableError, match="has been closed"):
            results.jobs()

    def test_reading_changes_nothing(self, url: str) -> None:
        def state() -> list[Any]:
            server = Server(url)
            server.start()
            found = [server.job("nightly-a"), server.trials("nightly-a")]
            server.close()
            return found

        before = state()
        with zeus_bso.connect(url) as results:
            results.job("nightly-a")
            results.savings("nightly-a")
            results.trials("nightly-a")
        assert state() == before
