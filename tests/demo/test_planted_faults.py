"""Every fault that the demo plants is found again by the numbers, and nobody without a fault is pointed at."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from labelhub.config.demo import plan
from labelhub.config.demo.cutting import Cut, chosen_cuts
from labelhub.config.demo.pictures import parents
from labelhub.config.demo.readings import simulated_readings, true_reading
from labelhub.formats.shapes import AnnotationSet, Grid, ItemRecord, Reading
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import LabelerRow, Panel


@pytest.fixture(scope="module")
def cuts() -> list[Cut]:
    return chosen_cuts(parents(), plan.ITEMS, np.random.default_rng(plan.SEED))


@pytest.fixture(scope="module")
def panel(cuts) -> Panel:
    return panel_of(cuts, plan.SEED)


def panel_of(cuts: list[Cut], seed: int) -> Panel:
    """Measure one run of the plan, as the server would."""
    rng = np.random.default_rng(seed)
    codes = [f"item-{number}" for number in range(len(cuts))]
    crew = np.array(plan.LABELERS, dtype=object)
    work = [
        (
            cut,
            code,
            plan.LABELERS if number < plan.GOLD_ITEMS else tuple(rng.choice(crew, plan.READERS_AN_ITEM, replace=False)),
        )
        for number, (cut, code) in enumerate(zip(cuts, codes, strict=True))
    ]
    done = simulated_readings(work, started_at=datetime(2024, 5, 1), rng=rng)  # noqa: DTZ001 - only differences count
    truth = [
        true_reading(cut, item=code, rater="expert")
        for cut, code in list(zip(cuts, codes, strict=True))[: plan.GOLD_ITEMS]
    ]
    readings = [timed(reading, at) for rows in done.values() for _, reading, at in rows]
    policy = Policy()
    return measure(
        set_of(cuts, codes, readings), gold=set_of(cuts, codes, truth), match_iou=policy.match_iou, n_resamples=1000,
        min_items=policy.min_items, min_gold=policy.min_gold, gold_target=policy.gold_target,
    )  # fmt: skip


def timed(reading: Reading, at: datetime) -> Reading:
    return Reading(
        item=reading.item, rater=reading.rater, shapes=reading.shapes, answers=reading.answers, read_kind=reading.read_kind,
        planned_blind=True, submitted_at=at,
    )  # fmt: skip


def set_of(cuts: list[Cut], codes: list[str], readings: list[Reading]) -> AnnotationSet:
    ontology = read_ontology(plan.ONTOLOGY)
    items = tuple(
        ItemRecord(code, group=cut.parent, group_kind="image", grids=(Grid((1, *cut.mask.shape)),))
        for cut, code in zip(cuts, codes, strict=True)
    )
    labels = tuple(entry.key for entry in ontology.classes)
    return AnnotationSet("demo", items, tuple(readings), labels, ontology.question_specs())


def row_of(panel: Panel, rater: str) -> LabelerRow:
    return next(row for row in panel.labelers if row.rater == rater)


def alarms_of(panel: Panel, rater: str) -> list[str]:
    return [alarm.what for alarm in panel.alarms if alarm.rater == rater]


def test_enough_items_of_enough_parents_and_gold_for_everyone(cuts):
    assert len(cuts) >= 240
    assert len({cut.parent for cut in cuts}) >= 12
    assert len(plan.LABELERS) >= 6
    assert plan.GOLD_ITEMS >= 40


def test_the_one_who_draws_too_wide_is_found_by_size(panel):
    assert any("larger than gold" in what for what in alarms_of(panel, "omar"))


def test_the_one_who_confuses_classes_is_found_by_class_and_the_classes_are_named(panel):
    assert any(what.startswith("names the right class") for what in alarms_of(panel, "carla"))
    named = " ".join(row_of(panel, "carla").confusions)
    assert "dark taken for bright" in named
    assert "bright taken for dark" in named


def test_the_one_who_tires_is_found_within_sessions(panel):
    assert any(what.startswith("tires") for what in alarms_of(panel, "theo"))
    assert not any(what.startswith("tires") for rater in ("carla", "elena", "omar") for what in alarms_of(panel, rater))


def test_the_copier_is_found_with_the_one_copied_and_no_other_pair(panel):
    suspicious = [{row.first, row.second} for row in panel.copies if row.is_suspicious]
    assert suspicious == [{"kofi", "mira"}]


def test_who_has_no_fault_raises_no_alarm(panel):
    assert {alarm.rater for alarm in panel.alarms} == {"omar", "carla", "theo"}


def test_no_number_of_a_planted_fault_is_grey(panel):
    assert not any(alarm.measured.is_grey for alarm in panel.alarms)
    assert all(alarm.measured.estimate.n >= plan.GOLD_ITEMS for alarm in panel.alarms)
