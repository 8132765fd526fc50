"""What the simulator models, the product does: each option and each field of a scenario names the part that does it."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import fields

import grimp
import pytest

from zeus_bso.cli import simulate
from zeus_bso.protocol.job_spec import JobSpec
from zeus_bso.simulator.job import spec_of
from zeus_bso.simulator.made_up import SmoothWorkload
from zeus_bso.simulator.peers import POLICIES
from zeus_bso.simulator.scenario import Scenario
from zeus_bso.simulator.world import SimulatedWorkload

WORLD = "world"
"""What jobs meet with. Nobody does it."""

EXPERIMENT = "experiment"
"""What is run how often, and how it is shown."""

FIELDS = {
    "name": EXPERIMENT,
    "recurrences": EXPERIMENT,
    "eta_knob": "setting:eta_knob",
    "beta_knob": "setting:beta_knob",
    "curve_stop": "setting:policy_options",
    "power": "setting:power_limit",
    "power_goal": "setting:power_goal",
    "max_slowdown": "setting:max_slowdown",
    "crash_rate": "zeus_bso.client.end_reasons:reason_of",
    "preempt_rate": "zeus_bso.client.resume:SavedRun",
    "overlap": "zeus_bso.client.run_id:fresh_run_id",
    "drift": WORLD,
    "warm_up": WORLD,
    "warm_ups": WORLD,
    "cliff": WORLD,
    "dip": WORLD,
    "noise": WORLD,
    "pace_noise": WORLD,
    "tail": WORLD,
    "growth": WORLD,
    "never": WORLD,
    "past_runs": "zeus_bso.protocol.past_runs:PastRuns",
}
"""By field of a scenario: the setting of a job, or the code of the client, that does the same for a real job."""

OPTIONS = {
    "policy": "setting:policy",
    "eta": "eta_knob",
    "beta": "beta_knob",
    "no_curve_stop": "curve_stop",
    "power": "power",
    "power_goal": "power_goal",
    "max_slowdown": "max_slowdown",
    "crash_rate": "crash_rate",
    "preempt_rate": "preempt_rate",
    "overlap": "overlap",
    "drift": "drift",
    "tilt": "drift",
    "drift_over": "drift",
    "warm_up": "warm_up",
    "cliff": "cliff",
    "dip": "dip",
    "noise": "noise",
    "pace_noise": "pace_noise",
    "tail": "tail",
    "growth": "growth",
    "never": "never",
    "traces": EXPERIMENT,
    "gpu": EXPERIMENT,
    "workload": EXPERIMENT,
    "made_up": EXPERIMENT,
    "scenario": EXPERIMENT,
    "recurrences": EXPERIMENT,
    "seeds": EXPERIMENT,
    "first_seed": EXPERIMENT,
    "jobs": EXPERIMENT,
    "json": EXPERIMENT,
    "verbose": EXPERIMENT,
    "figures": EXPERIMENT,
}
"""By option of ``zeus-bso simulate``: the field of a scenario that it sets, or the same as there."""

PRODUCT_POLICIES = {"zeus", "surrogate"}
PEERS = {"default", "oracle", "grid", "random", "optuna-tpe", "optuna-gp"}
"""What the policies are compared with. The product has none of them."""


def test_every_option_of_simulate_is_in_the_table() -> None:
    parser = argparse.ArgumentParser()
    simulate.configure(parser)

    assert set(vars(parser.parse_args([]))) == set(OPTIONS)


def test_every_field_of_a_scenario_is_in_the_table() -> None:
    assert {field.name for field in fields(Scenario)} == set(FIELDS)


@pytest.mark.parametrize("does_it", sorted({*FIELDS.values(), *(OPTIONS.values() - FIELDS.keys())}))
def test_what_the_table_names_is_there(does_it: str) -> None:
    if does_it in (WORLD, EXPERIMENT):
        return
    where, _, name = does_it.partition(":")
    if where == "setting":
        assert name in JobSpec.model_fields
    else:
        assert hasattr(importlib.import_module(where), name)


def test_the_settings_of_a_scenario_are_those_of_its_job() -> None:
    scenario = Scenario(
        eta_knob=0.3, beta_knob=3.0, curve_stop=False, power="optimize", power_goal="energy", max_slowdown=1.2
    )
    spec = spec_of(SimulatedWorkload(SmoothWorkload().pair(), scenario), "surrogate")

    for name, does_it in FIELDS.items():
        setting = does_it.removeprefix("setting:")
        if setting != does_it and name != "curve_stop":
            assert getattr(spec, setting) == getattr(scenario, name)
    assert spec.policy_options.curve_stop is False


def test_only_policies_that_a_job_may_have_count_as_the_products_own() -> None:
    assert set(POLICIES) == PRODUCT_POLICIES | PEERS
    for policy in PRODUCT_POLICIES:
        assert JobSpec(job_id_prefix="job", batch_sizes=[8], default_batch_size=8, policy=policy).policy == policy


def test_power_limits_are_measured_by_the_code_that_the_client_uses() -> None:
    graph = grimp.build_graph("zeus_bso", cache_dir=None)
    simulated = graph.find_modules_directly_imported_by("zeus_bso.simulator.simulated_power")
    by_client = {
        imported
        for module in graph.find_descendants("zeus_bso.client")
        for imported in graph.find_modules_directly_imported_by(module)
    }

    shared = {module for module in simulated if module.startswith("zeus_bso.power.")}
    assert shared
    assert shared <= by_client
