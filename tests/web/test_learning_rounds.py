"""Rounds of learning: against the version before and against one that learned by lot, on the same held-out gold, by patient.

Planted once and seen to fail: gold that one of the two learned from; the difference the other way around; a version that
learned five times as many by lot taken for the baseline.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelhub.analytics.learning_rounds import BY_LOT, QUEUE, learning_rounds
from labelhub.analytics.model_table import model_rows
from labelhub.assignments.batches import make_batch
from labelhub.catalog.models import Item
from labelhub.jobs.models import Job
from labelhub.predictions.classical import NAME
from labelhub.predictions.models import ModelVersion, Prediction, TrainedItem
from labelhub.predictions.services import register_model
from labelhub.scoring.model_on_gold import ON_GOLD
from labelhub.scoring.models import GoldReference, Score
from tests.cast import Cast, make_cast
from tests.web.test_models_page import SQUARE, page
from tests.workflow.walking import add_item, set_policy, store

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=2)
    return made


def trained(cast: Cast, items: list[Item]) -> ModelVersion:
    """A version that was trained here from these items."""
    model = register_model(project=cast.project, name="t", predictor=NAME, parameters={"classes": {}}, by="test")
    ModelVersion.objects.filter(pk=model.pk).update(release_number=model.number)
    TrainedItem.objects.bulk_create(TrainedItem(model=model, item=item) for item in items)
    return model


def batch(cast: Cast, items: list[Item], strategy: str, method: str = "") -> None:
    """Items that a job chose to come first."""
    job = Job.objects.create(
        kind="workflow.choose_edge_cases", project_id=cast.project.pk, arguments={"strategy": strategy},
        result={"method": method}, state="done",
    )  # fmt: skip
    make_batch(project=cast.project, name=f"b{job.pk}", items=items, by=f"job:{job.pk}")


def gold(cast: Cast, n: int, n_patients: int) -> list[GoldReference]:
    items = [add_item(cast.project, subject=f"patient-{number % n_patients}") for number in range(n)]
    for item in items:
        store(cast, item, cast.rita, SQUARE, is_gold=True)
    return list(GoldReference.objects.order_by("pk"))


def on_gold(model: ModelVersion, references: list[GoldReference], values: Any) -> None:
    for reference, value in zip(references, values, strict=True):
        prediction = Prediction.objects.create(model=model, item_id=reference.item_id)
        Score.objects.create(
            item_id=reference.item_id, about="model", prediction=prediction, gold=reference, metric=ON_GOLD,
            value=float(value), n=1, method="test", method_version="1",
        )  # fmt: skip


def test_a_round_is_compared_with_the_one_before_and_with_a_lot_on_the_same_gold(cast: Cast):
    rng = np.random.default_rng(2)
    first, chosen, lot = ([add_item(cast.project) for _ in range(6)] for _ in range(3))
    batch(cast, chosen, "entropy", "highest scores")
    batch(cast, lot, "recommended", "by lot, 50% with foreground")
    references = gold(cast, 24, 8)
    base, by_lot, by_choice = trained(cast, first), trained(cast, first + lot), trained(cast, first + chosen)
    level = rng.uniform(0.4, 0.6, 24)
    on_gold(base, references, level)
    on_gold(by_lot, references, level + 0.10 + rng.normal(0, 0.01, 24))
    on_gold(by_choice, references, level + 0.15 + rng.normal(0, 0.01, 24))
    newest, middle, oldest = learning_rounds(cast.project)
    assert [one.model for one in (newest, middle, oldest)] == [by_choice, by_lot, base]
    assert (newest.before, newest.n_new, newest.chosen, newest.lot) == (base, 6, (("entropy", 6),), by_lot)
    assert newest.gain.value == pytest.approx(0.15, abs=0.01)
    assert newest.over_lot.value == pytest.approx(0.05, abs=0.01)
    assert newest.over_lot.low < newest.over_lot.value < newest.over_lot.high
    assert (newest.gain.n, newest.gain.n_groups, newest.gain.group_unit) == (24, 8, "patients or items")
    # Paired: the levels of the items differ by far more than the versions do.
    assert newest.gain.high - newest.gain.low < 0.03
    assert (middle.chosen, middle.lot, middle.over_lot.reason) == (((BY_LOT, 6),), None, "it learned by lot itself")
    assert oldest.before is None
    assert oldest.gain.reason == "it is the first that goes on from nothing"
    assert oldest.chosen == ((QUEUE, 6),)
    body = page(cast, cast.ada).content.decode()
    assert "Rounds of learning" in body
    assert "not possible: it learned by lot itself" in body


def test_gold_that_one_of_the_two_learned_from_says_nothing(cast: Cast):
    first, more = [add_item(cast.project)], [add_item(cast.project)]
    references = gold(cast, 3, 3)
    told = references[0].item
    base, after = trained(cast, first), trained(cast, [*first, *more, told])
    on_gold(base, references, (0.5, 0.5, 0.5))
    on_gold(after, references, (1.0, 0.6, 0.6))
    newest, _ = learning_rounds(cast.project)
    assert (newest.before, newest.gain.n) == (base, 2)
    assert newest.gain.value == pytest.approx(0.1)


def test_a_comparison_that_is_not_possible_says_so(cast: Cast):
    first, more, lot = [add_item(cast.project)], [add_item(cast.project)], [add_item(cast.project) for _ in range(5)]
    batch(cast, more, "entropy")
    batch(cast, lot, "random")
    assert learning_rounds(cast.project) == []
    trained(cast, first)
    assert learning_rounds(cast.project) == [], "one version is no round"
    # By lot, but five times as many, and then as many but on top of another version.
    trained(cast, first + lot)
    other, one_more = [add_item(cast.project)], [add_item(cast.project)]
    batch(cast, one_more, "foreground-random")
    trained(cast, other)
    trained(cast, other + one_more)
    after = trained(cast, first + more)
    newest = learning_rounds(cast.project)[0]
    assert newest.model == after
    assert newest.gain.reason == "there is no gold that both looked at and neither learned from"
    assert newest.over_lot.reason == "no version learned about as many labels by lot, on top of the same one"
    body = page(cast, cast.ada).content.decode()
    assert "not possible: no version learned about as many labels by lot" in body


def test_versions_cost_no_further_queries(cast: Cast):
    items = [add_item(cast.project)]
    references = gold(cast, 2, 2)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            model_rows(cast.project)
            learning_rounds(cast.project)
        return len(queries)

    for number in range(2):
        on_gold(trained(cast, items[: number + 1]), references, (0.5, 0.6))
    few = asked()
    for _ in range(3):
        items.append(add_item(cast.project))
        on_gold(trained(cast, items), references, (0.5, 0.6))
    assert asked() == few
    assert [row.on_gold.n for row in model_rows(cast.project)] == [2] * 5
