"""The server asks whom the simulation would ask: the same functions, on the same state.

Planted once and seen to fail: labelers ordered by their share right on gold in place of what their answer is worth here.
Looked for: a paused labeler, one without room today, one kept apart from a reader, and an admin among those who are asked.
"""

from __future__ import annotations

import numpy as np
import pytest
from django.utils import timezone

from labelhub.catalog.models import Item
from labelhub.numerics.label_value import StoppingRule
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.teams import keep_apart
from labelhub.routing import allocation, gates, worth
from labelhub.scoring.models import Posterior, TruthFit
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

pytestmark = pytest.mark.django_db
SQUARE = (10, 10, 20)
# confusion[truth][given]: Cleo knows a from b, Dan knows everything but them, Eve answers at random.
TABLES = {
    "ann": [[0.8, 0.15, 0.05], [0.15, 0.8, 0.05], [0.1, 0.1, 0.8]],
    "ben": [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.15, 0.15, 0.7]],
    "cleo": [[0.85, 0.1, 0.05], [0.1, 0.85, 0.05], [0.4, 0.4, 0.2]],
    "dan": [[0.5, 0.45, 0.05], [0.45, 0.5, 0.05], [0.01, 0.01, 0.98]],
    "eve": [[1 / 3] * 3] * 3,
}
PREVALENCE = (0.4, 0.4, 0.2)


@pytest.fixture
def people(cast: Cast) -> dict[str, Labeler]:
    set_policy(cast, readers=2, max_readers=5)
    users = {"ann": cast.ann, "ben": cast.ben} | {
        name: new_annotator(cast, name.title()) for name in ("cleo", "dan", "eve")
    }
    return {name: labeler(cast, user) for name, user in users.items()}


@pytest.fixture
def item(cast: Cast, people: dict[str, Labeler]) -> Item:
    """An item that Ann calls a and Ben b, under standing estimates of everybody."""
    item = add_item(cast.project)
    for user in (cast.ann, cast.ben):
        store(cast, item, user, SQUARE, is_routed=False)
    confusion = {str(people[name].pk): rows for name, rows in TABLES.items()}
    TruthFit.objects.filter(project=cast.project).update(replaced_at=timezone.now())
    TruthFit.objects.create(
        project=cast.project, topic="question:kind", chosen="hierarchical", method="m", method_version="1",
        parameters={
            "topic": "question:kind", "categories": ["a", "b", "c"], "prevalence": PREVALENCE, "pooled": TABLES["ben"],
            "confusion": confusion, "chosen": "hierarchical", "why": "", "temperature": 1.0, "n_units": 50, "n_answers": 200,
            "n_known": 0, "warnings": [],
        },
    )  # fmt: skip
    given = {str(people["ann"].pk): "a", str(people["ben"].pk): "b"}
    unit = {
        "topic": "question:kind",
        "name": "kind",
        "given": given,
        "spread": None,
        "n": 0,
        "tolerance": 0,
        "truth": None,
    }
    Posterior.objects.update_or_create(
        item=item,
        defaults={"value": 0.5, "worst": "kind", "units": [unit], "fingerprint": "x", "method": "m", "method_version": "1",
                  "computed_at": timezone.now()},
    )  # fmt: skip
    return item


def as_simulated(names: list[str]) -> list[str]:
    """The order in which the simulation's router would ask, from arrays alone."""
    tables = np.array([TABLES[name] for name in names])
    beliefs = allocation.Beliefs(np.array([PREVALENCE]), tables, np.array(PREVALENCE))
    for reader, said in (("ann", 0), ("ben", 1)):
        beliefs = beliefs.after(np.array([0]), np.array([names.index(reader)]), np.array([said]))
    has_answered = np.array([[name in ("ann", "ben") for name in names]])
    allowed = allocation.may_be_asked(has_answered, np.ones(len(names), dtype=bool))
    found = allocation.worth_of_asking(beliefs, np.array([2]), StoppingRule(least=1), may_ask=allowed)
    order = []
    for _ in range(3):
        [rater] = allocation.choose_asks(found, np.ones(len(names), dtype=np.int64), 1).rater.tolist()
        order.append(names[rater])
        found[0, rater] = -np.inf
    return order


def asked(item: Item, people: dict[str, Labeler], policy: Policy | None = None) -> list[str]:
    name_of = {entry.pk: name for name, entry in people.items()}
    found = worth.values_of_next_labelers(item, policy or Policy())
    return [name_of[int(row["labeler"])] for row in found if row["labeler"] in name_of]


def test_the_server_asks_in_the_order_of_the_simulation(item: Item, people: dict[str, Labeler], cast: Cast):
    """Dan is right more often over all classes, but not between a and b: Cleo is asked first."""
    mean_right = {name: np.trace(np.array(rows)) / 3 for name, rows in TABLES.items()}
    assert mean_right["dan"] > mean_right["cleo"]
    order = as_simulated(list(TABLES))
    assert order == ["cleo", "dan", "eve"]
    assert asked(item, people) == order
    rita = labeler(cast, cast.rita)
    values = {row["labeler"]: row["value"] for row in worth.values_of_next_labelers(item, Policy())}
    assert set(values) == {people[name].pk for name in order} | {rita.pk}, "a reviewer may be asked, an admin not"


def test_who_may_not_be_asked_is_left_out(cast: Cast, item: Item, people: dict[str, Labeler]):
    keep_apart(first=people["ann"], second=people["cleo"], reason="copied", by="test")
    assert asked(item, people)[0] == "dan"
    gates.pause(labeler=people["dan"], by="test", reason="wrong")
    assert "dan" not in asked(item, people)
    other = add_item(cast.project)
    store(cast, other, cast.ann, SQUARE)
    assert "eve" in asked(item, people, Policy(max_items_a_day=1))
    store(cast, other, people["eve"].user, SQUARE)
    assert "eve" not in asked(item, people, Policy(max_items_a_day=1))


def test_without_estimates_or_gold_nobody_is_preferred(item: Item, people: dict[str, Labeler], cast: Cast):
    TruthFit.objects.filter(project=cast.project).update(replaced_at=timezone.now())
    assert worth.values_of_next_labelers(item, Policy()) == []
