"""Edge cases first: what a model is least sure of becomes a batch that the queue hands out before other work.

Planted once and seen to fail: gold among the chosen; an item that somebody was given; the surest first; a rare class drowned by
a common one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Batch, BatchItem
from labelhub.catalog.models import Item
from labelhub.formats.shapes import Reading
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.predictions.plain import map_documents
from labelhub.predictions.predictor import PixelMap, Seen
from labelhub.predictions.services import register_model
from labelhub.projects.permissions import NotAllowed
from labelhub.scoring.model_doubt import doubt_of
from labelhub.workflow import edge_cases, lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, labeler, set_policy, square_reading, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

LABELS = ("nucleus", "debris", "lesion")


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=1)
    return made


@pytest.fixture
def model(cast: Cast) -> ModelVersion:
    return register_model(
        project=cast.project, name="m", predictor="classical-threshold", parameters={"classes": {}}, by="test"
    )


def said(model: ModelVersion, item: Item, **maps: Any) -> Prediction:
    """A prediction whose maps hold ``label=(probability in a square, side)``; ``epistemic`` is in bits all over the square."""
    found = []
    for name, (value, side) in maps.items():
        plane = np.zeros((1, 64, 64), np.uint8)
        plane[0, :side, :side] = round(255 * value)
        found.append(
            PixelMap("epistemic" if name == "epistemic" else "probability", plane, "" if name == "epistemic" else name)
        )
    documents = map_documents(Seen(maps=tuple(found)), 0)
    return Prediction.objects.create(model=model, item=item, maps=documents)


def choose(cast: Cast, model: ModelVersion, strategy: str, size: int = 1) -> set[str]:
    edge_cases.start_choosing(project=cast.project, model=model, strategy=strategy, size=size, by=cast.ada)
    run_pending(queues=["cpu"])
    assert Job.objects.get(kind=edge_cases.JOB_KIND, state="done")
    return set(BatchItem.objects.values_list("item__code", flat=True))


def test_doubt_is_that_of_the_most_unsure_pixels_and_each_class_has_its_own(cast: Cast, model: ModelVersion):
    sure, unsure = add_item(cast.project), add_item(cast.project)
    first = doubt_of(said(model, sure, nucleus=(1.0, 30)), LABELS, 1)
    second = doubt_of(said(model, unsure, nucleus=(1.0, 30), lesion=(0.6, 10)), LABELS, 1)
    assert first.entropy == pytest.approx(0.0, abs=1e-9)
    assert second.entropy > 0.1
    # Where both are likely the two share the pixel: nucleus 1 / 1.6, lesion .6 / 1.6, and nucleus is predicted.
    shared = -(0.625 * np.log(0.625) + 0.375 * np.log(0.375))
    assert second.by_class[0] == pytest.approx(shared * 100 / 900, abs=0.01)
    assert np.isnan(second.by_class[2])
    assert np.isnan(second.epistemic)
    assert first.has_foreground


def test_what_it_is_least_sure_of_comes_first(cast: Cast, model: ModelVersion):
    items = [add_item(cast.project) for _ in range(4)]
    for item, value in zip(items, (0.97, 0.55, 0.9, 0.99), strict=True):
        said(model, item, nucleus=(value, 20))
    assert choose(cast, model, "entropy") == {items[1].code}
    batch = Batch.objects.get()
    assert batch.name == "Edge cases, m 1"
    assert take(cast, cast.ann).item == items[1], "the queue hands it out before the others"


def test_disagreement_of_its_members_is_another_thing_than_doubt(cast: Cast, model: ModelVersion):
    plain, split = add_item(cast.project), add_item(cast.project)
    said(model, plain, nucleus=(0.5, 20), epistemic=(0.0, 20))
    said(model, split, nucleus=(0.8, 20), epistemic=(0.4, 20))
    assert choose(cast, model, "bald") == {split.code}


def test_a_rare_class_is_not_drowned(cast: Cast, model: ModelVersion):
    items = [add_item(cast.project) for _ in range(5)]
    for item in items[:4]:
        said(model, item, nucleus=(0.6, 50))
    said(model, items[4], lesion=(0.9, 3))
    assert items[4].code in choose(cast, model, "class-stratified", size=2)


@pytest.mark.parametrize("strategy", ["recommended", "random", "foreground-random", "margin", "coreset", "typiclust"])
def test_every_strategy_gives_as_many_as_asked_for(cast: Cast, model: ModelVersion, strategy: str):
    items = [add_item(cast.project) for _ in range(6)]
    for at, item in enumerate(items):
        said(model, item, nucleus=(0.5 + at / 20, 10 + at))
    assert len(choose(cast, model, strategy, size=3)) == 3


def test_gold_and_what_somebody_was_given_or_labels_together_stay_where_they_are(cast: Cast, model: ModelVersion):
    free, gold, read, together = (add_item(cast.project) for _ in range(4))
    for item in (free, gold, read, together):
        said(model, item, nucleus=(0.6, 20))
    lifecycle.record_reading(
        item=gold, labeler=labeler(cast, cast.rita), reading=square_reading(gold, "rita", (5, 5, 9)), is_gold=True
    )
    lifecycle.record_reading(
        item=read,
        labeler=labeler(cast, cast.ben),
        reading=Reading(read.code, "ben", is_empty_read=True),
        is_routed=False,
    )
    make_batch(project=cast.project, name="Together", items=[together], by="test", is_shared=True)
    edge_cases.start_choosing(project=cast.project, model=model, strategy="random", size=4, by=cast.ada)
    run_pending(queues=["cpu"])
    batch = Batch.objects.exclude(name="Together").get()
    assert set(batch.places.values_list("item__code", flat=True)) == {free.code}


def test_a_model_without_maps_orders_by_its_confidence_and_cannot_disagree_with_itself(cast: Cast, model: ModelVersion):
    sure, unsure = add_item(cast.project), add_item(cast.project)
    for item, confidence in ((sure, 0.9), (unsure, 0.3)):
        shape = {"id": "0-n", "label": "nucleus", "medium": 0, "confidence": confidence}
        Prediction.objects.create(model=model, item=item, shapes=[shape])
    doubts = [doubt_of(row, LABELS, 1) for row in Prediction.objects.order_by("pk")]
    assert edge_cases.choose(doubts, "entropy", 1, n_settled=0, seed=1).units == (1,)
    with pytest.raises(edge_cases.NoEdgeCases, match="asked once"):
        edge_cases.choose(doubts, "bald", 1, n_settled=0, seed=1)


def test_what_cannot_be_chosen_is_refused_and_changes_nothing(cast: Cast, model: ModelVersion):
    for strategy, size in (("entropy", 0), ("entropy", 10**6), ("guess", 1)):
        with pytest.raises(edge_cases.NoEdgeCases):
            edge_cases.start_choosing(project=cast.project, model=model, strategy=strategy, size=size, by=cast.ada)
    with pytest.raises(edge_cases.NoEdgeCases, match="seen no item"):
        edge_cases.start_choosing(project=cast.project, model=model, strategy="entropy", size=1, by=cast.ada)
    said(model, add_item(cast.project), nucleus=(0.6, 20))
    with pytest.raises(NotAllowed):
        edge_cases.start_choosing(project=cast.project, model=model, strategy="entropy", size=1, by=cast.rita)
    assert not Job.objects.filter(kind=edge_cases.JOB_KIND).exists()
