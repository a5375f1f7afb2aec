"""Acceptance of routing by simulation (methods A10), in short: equal budgets, gold inside, capacity on, eight paired seeds.

The full run is ``manage.py simulate --scenario all --seeds 8``; its numbers stand in the README of routing. Planted in
a test: gold that is asked but not paid for, which ``Run`` refuses, because it counts what was answered.
"""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labelhub.config.simulation import label_runs, mask_runs
from labelhub.config.simulation.comparison import Compared, compare, play, shortened
from labelhub.config.simulation.label_crowd import LabelCrowd
from labelhub.config.simulation.mask_crowd import MaskCrowd
from labelhub.config.simulation.report import page
from labelhub.config.simulation.run import ROUTING, Run, balanced_asks, capacity_of
from labelhub.config.simulation.scenario import (
    LabelScenario,
    MaskScenario,
    ScenarioProblem,
    read_scenario,
    read_scenarios,
)


def labels(file: str, **changes) -> LabelScenario:
    scenario = read_scenarios(file)[0]
    assert isinstance(scenario, LabelScenario)
    return replace(scenario, **{"items": 240, **changes})


def masks(name: str, **changes) -> MaskScenario:
    scenario = read_scenarios(name)[0]
    assert isinstance(scenario, MaskScenario)
    return replace(scenario, **{"items": 50, **changes})


@pytest.fixture(scope="module")
def three_poor() -> Compared:
    return compare([labels("labels-3-poor-cap-1.25", budgets=(3,))], range(8))[0]


def test_routing_errs_less_than_fixed_one_coin_in_all_eight_seeds(three_poor):
    assert (three_poor.errors(ROUTING) <= three_poor.errors(label_runs.ONE_COIN)).all()
    assert three_poor.gain().low > 0


def test_gold_is_paid_from_the_budget_and_nobody_exceeds_capacity(three_poor):
    for runs in three_poor.runs:
        run = runs[ROUTING]
        assert run.n_gold > 0
        assert run.n_labels + run.n_gold <= run.budget == 3 * 240
        assert run.most_by_one <= run.capacity == int(1.25 * 3 * 240 / 12)
        assert all(other.budget == run.budget == other.n_labels for name, other in runs.items() if name != ROUTING)


def test_gold_left_out_of_the_budget_is_refused():
    facts = {"method": ROUTING, "error": 0.1, "n_labels": 100, "budget": 100, "capacity": 20, "most_by_one": 10}
    Run(**facts, n_gold=0)
    with pytest.raises(ValueError, match="spent 101 of 100"):
        Run(**facts, n_gold=1)
    with pytest.raises(ValueError, match="one labeler gave 21 of 20"):
        Run(**{**facts, "most_by_one": 21}, n_gold=0)


def test_a_router_that_forgets_its_gold_is_refused(monkeypatch):
    """The planted defect: gold is asked but not counted as spent."""
    honest = label_runs._Routing._ask_gold

    def forgets(self, rater):
        before = self.spent
        honest(self, rater)
        self.spent = before

    monkeypatch.setattr(label_runs._Routing, "_ask_gold", forgets)
    crowd = LabelCrowd(labels("labels-0-poor-cap-1.5"), 0, 100)
    with pytest.raises(ValueError, match=r"LabelHub's routing spent .* of 480"):
        label_runs.routed(crowd, 2, np.random.default_rng(0))


def test_the_books_agree_with_what_the_crowd_answered():
    for seed in (0, 1):
        crowd = LabelCrowd(labels("labels-spam"), seed, 50)
        run = label_runs.routed(crowd, 2, np.random.default_rng(seed))
        assert run.spent == crowd.n_given.sum() == (crowd.given >= 0).sum()
        assert run.n_gold == (crowd.given[crowd.n_items :] >= 0).sum()


@pytest.mark.once
def test_two_processes_give_what_one_gives():
    """The planted defect: processes that begin without the apps."""
    scenario = [labels("labels-spam", items=60, budgets=(2,))]
    one, two = (compare(scenario, range(2), workers=workers)[0] for workers in (1, 2))
    assert one.errors(ROUTING).tolist() == two.errors(ROUTING).tolist()


def test_the_same_seed_gives_the_same_runs_and_another_seed_others():
    for scenario in (labels("labels-copying", items=100), masks("masks-missing", items=20)):
        budget = scenario.budgets[-1]
        first, again, other = (play(scenario, budget, seed) for seed in (3, 3, 4))
        # NaN is unequal to itself, so the printed forms are compared.
        assert repr(first) == repr(again)
        assert first[ROUTING].error != other[ROUTING].error


def test_fixed_overlap_gives_everybody_equally_much_and_never_an_item_twice():
    units, raters = balanced_asks(50, 12, 3, np.random.default_rng(0))
    assert len(set(zip(units.tolist(), raters.tolist(), strict=True))) == 150
    assert np.ptp(np.bincount(raters, minlength=12)) <= 1
    assert (np.bincount(units) == 3).all()
    assert capacity_of(12, 600, 1.25) == 62


def test_planted_faults_do_what_the_file_says():
    crowd = LabelCrowd(labels("labels-spam", items=2000), 5, 1000)
    units = np.arange(2000)
    for rater in range(crowd.n_raters):
        crowd.ask(units, np.full(2000, rater))
    given, truth = crowd.given[:2000], crowd.truth[:2000]
    assert np.mean(given[:, 0] == truth) == pytest.approx(0.75, abs=0.03)
    assert np.bincount(given[:, 9], minlength=4).min() > 400
    assert (given[:, 10] == 0).all()
    assert (given[:, 11] == 2).all()
    with pytest.raises(ValueError, match="asked twice"):
        crowd.ask(np.array([0]), np.array([0]))


def test_copiers_copy_only_what_stands_and_the_tired_get_worse():
    crowd = LabelCrowd(labels("labels-copying", items=2000), 5, 1000)
    units = np.arange(2000)
    crowd.ask(units, np.full(2000, 9))
    alone = np.mean(crowd.given[:2000, 9] == crowd.truth[:2000])
    crowd.ask(units, np.full(2000, 8))
    crowd.ask(units, np.full(2000, 10))
    assert alone == pytest.approx(0.60, abs=0.04)
    assert np.mean(crowd.given[:2000, 10] == crowd.given[:2000, 8]) > 0.85
    tired = LabelCrowd(labels("labels-fatigue", items=2000), 5, 2000)
    tired.ask(units, np.full(2000, 8))
    right = tired.given[:2000, 8] == tired.truth[:2000]
    assert right[:500].mean() - right[-500:].mean() > 0.2


def test_calibrated_routing_mends_what_no_vote_can():
    """Seven of twelve draw too large: methods 3.2, a majority's bias survives every vote and falls to gold."""
    found = compare([masks("masks-majority-biased")], range(2))[0]
    assert (found.gains() > 0.4).all()
    assert all(runs[ROUTING].n_gold == 60 for runs in found.runs)


def test_gold_never_takes_more_than_half_of_a_small_budget():
    run = mask_runs.routed(MaskCrowd(masks("masks-bias", items=20), 1), 3)
    assert 0 < run.n_gold <= run.budget / 2 < run.spent


def test_masks_keep_the_budget_with_second_looks_inside():
    crowd = MaskCrowd(masks("masks-missing"), 1)
    run = mask_runs.routed(crowd, 3)
    assert run.spent <= run.budget == 150
    assert run.most_by_one <= run.capacity
    assert mask_runs.distance_to_truth(crowd.truth[0], crowd.truth[0]) == 0
    assert mask_runs.distance_to_truth(np.zeros_like(crowd.truth[0]), crowd.truth[0]) == pytest.approx(80 * 2**0.5)


def test_every_scenario_file_is_read_and_states_measure_and_target():
    scenarios = read_scenarios()
    assert len(scenarios) == 17
    assert {s.budgets for s in scenarios if isinstance(s, LabelScenario)} == {(2, 3)}
    assert all(s.target in (0.30, 0.15) and s.measure and len(s.labelers) == 12 for s in scenarios)


def test_a_scenario_that_cannot_be_used_says_why(tmp_path):
    with pytest.raises(ScenarioProblem, match="Known: all, labels-0-poor"):
        read_scenarios("nothing")
    path = tmp_path / "odd.json"
    path.write_text('{"kind": "labels"}', encoding="utf-8")
    with pytest.raises(ScenarioProblem, match=r"odd\.json cannot be used"):
        read_scenario(path)


def test_the_report_names_failures_and_escapes():
    compared = compare([labels("labels-shared-errors", budgets=(3,), items=120, name="a<b")], range(3))
    text = page(compared, "manage.py simulate <x>")
    assert "0 of 3" in text or "1 of 3" in text
    assert "a<b" not in text
    assert "&lt;x&gt;" in text
    assert "no routing can see them" in text
    assert "<table" in text
    assert "&lt;table" not in text


def test_the_command_writes_page_and_tables(tmp_path, capsys):
    call_command("simulate", scenario="masks-noise", seeds=2, short=True, workers=1, out=tmp_path)
    shown = capsys.readouterr().out
    assert "masks-noise, 3 labels an item" in shown
    assert (tmp_path / "simulation.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    rows = list(csv.DictReader((tmp_path / "runs.csv").open(encoding="utf-8")))
    assert len(rows) == 2 * 3
    assert {row["method"] for row in rows} == {mask_runs.MAJORITY, mask_runs.STAPLE, ROUTING}
    with pytest.raises(CommandError, match="at least 1"):
        call_command("simulate", seeds=0)
    with pytest.raises(CommandError, match="There is no scenario"):
        call_command("simulate", scenario="nothing")


def test_short_scenarios_are_smaller():
    assert shortened(read_scenarios("labels-spam")[0]).items == 400
    assert shortened(read_scenarios("masks-bias")[0]).items == 60
