"""Stored scores: what is kept of whom, what is computed again and what is not, and which readings count."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labelhub.consensus.selectors import current_settlement
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.scoring import gold as golds
from labelhub.scoring import services
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.selectors import (
    current_scores,
    gold_results,
    item_agreement,
    pair_similarities,
    scores_of_submission,
)
from labelhub.workflow import lifecycle
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=5)


def test_a_pair_leaves_one_row_a_number_with_method_and_reason(cast: Cast):
    item = add_item(cast.project)
    first, second = store(cast, item, cast.ann, SQUARE), store(cast, item, cast.ben, ALIKE)
    rows = current_scores(item).filter(about="pair")
    nucleus = {row.metric: row for row in rows.filter(label="nucleus")}
    assert nucleus["dice"].value == pytest.approx(0.95)
    assert nucleus["hd95"].value == 1.0
    assert nucleus["hd95"].unit == "px"
    assert nucleus["detection-f1"].n == 2
    lesion = rows.get(label="lesion", metric="dice")
    assert (lesion.value, lesion.reason, lesion.edge_case) == (None, "nothing is there in either", "both-empty")
    assert all("match IoU 0.3" in row.method and row.method_version for row in rows)
    assert pair_similarities(item) == {(first.pk, second.pk): pytest.approx(0.95)}
    assert scores_of_submission(second).count() == rows.count()


def test_one_reader_leaves_an_undefined_agreement_with_its_reason(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    agreement = item_agreement(item)
    assert agreement is not None
    assert (agreement.value, agreement.n, agreement.reason) == (None, 0, "1 of at least 2 readings are in")


def test_only_what_is_new_is_compared(cast: Cast, monkeypatch):
    item = add_item(cast.project)
    compared = []
    real = services.compare

    def counting(*args, **rest):
        compared.append(args)
        return real(*args, **rest)

    monkeypatch.setattr(services, "compare", counting)
    people = [cast.ann, cast.ben, new_annotator(cast, "Cleo"), new_annotator(cast, "Dan")]
    for user in people:
        store(cast, item, user, SQUARE, is_routed=False)
        lifecycle.score_and_route(item=item)
    assert len(compared) == 6, "each of the six pairs once"
    services.score_item(item)
    assert len(compared) == 6
    agreements = Score.objects.filter(item=item, about="item", metric="agreement")
    assert agreements.filter(replaced_at=None).count() == 1
    assert agreements.exclude(replaced_at=None).count() >= 1, "the row that was replaced keeps its date"


def test_another_tolerance_is_another_number_and_the_old_one_keeps_its_date(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, ALIKE)
    before = current_scores(item).filter(about="pair").count()
    set_policy(cast, tolerance_px=5.0)
    services.score_item(item)
    assert current_scores(item).filter(about="pair").count() == before
    assert Score.objects.filter(item=item, about="pair").exclude(replaced_at=None).count() == before
    assert all("5 px" in row.method for row in current_scores(item).filter(about="pair"))


def test_agreement_uses_planned_independent_first_reads_and_keeps_the_others_beside(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, SQUARE, is_routed=False)
    store(cast, item, new_annotator(cast, "Cleo"), OTHER, planned_blind=False, is_routed=False)
    store(cast, item, new_annotator(cast, "Dan"), OTHER, read_kind="unblinded", is_routed=False)
    services.score_item(item)
    counted, current = item_agreement(item), item_agreement(item, metric="current-agreement")
    assert counted is not None
    assert current is not None
    assert (counted.value, counted.n) == (1.0, 1)
    assert current.n == 6
    assert current.value == pytest.approx(2 / 6)


def test_gold_scores_every_reading_and_votes_on_nothing(cast: Cast):
    item = add_item(cast.project)
    truth = store(cast, item, cast.rita, SQUARE, is_gold=True)
    right, wrong = store(cast, item, cast.ann, ALIKE), store(cast, item, cast.ben, OTHER)
    verdicts = {row.first_id: row.value for row in current_scores(item).filter(about="gold", metric="right")}
    assert verdicts == {right.pk: 1.0, wrong.pk: 0.0}
    assert [row.value for row in gold_results(labeler(cast, cast.ann))] == [1.0]
    assert truth.read_kind == "adjudication"
    assert pair_similarities(item).keys() == {(right.pk, wrong.pk)}
    assert [entry.pk for entry in current_settlement(item).inputs.all()] == [truth.pk], (
        "the reference stands, whoever disputes"
    )


def test_gold_made_of_a_settled_label_scores_earlier_readings_and_retired_gold_takes_its_scores_along(cast: Cast):
    item = add_item(cast.project)
    first = store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, ALIKE)
    truth = store(cast, item, cast.rita, SQUARE, read_kind="adjudication", planned_blind=False, is_routed=False)
    gold = golds.make_gold(item=item, submission=truth, by="test", kind=GoldReference.Kind.EXAM)
    services.score_item(item)
    assert current_scores(item).filter(about="gold", metric="right", first=first).get().value == 1.0
    golds.retire_gold(gold=gold, reason="the expert was wrong", by="test")
    golds.retire_gold(gold=gold, reason="twice", by="test")
    assert not current_scores(item).filter(about="gold").exists()
    gold.refresh_from_db()
    assert gold.retired_reason == "the expert was wrong"
    assert golds.current_gold(item) is None


def test_gold_of_another_item_is_refused_and_newer_gold_retires_the_older(cast: Cast):
    item, other = add_item(cast.project), add_item(cast.project, seed=1)
    truth = store(cast, item, cast.rita, SQUARE, is_gold=True)
    with pytest.raises(golds.GoldProblem):
        golds.make_gold(item=other, submission=truth, by="test")
    golds.make_gold(item=item, submission=truth, by="test")
    assert GoldReference.objects.filter(item=item, retired_at=None).count() == 1


def test_a_score_of_an_item_takes_a_fixed_number_of_queries_for_its_reads(cast: Cast):
    item = add_item(cast.project)
    for user in (cast.ann, cast.ben, new_annotator(cast, "Cleo")):
        store(cast, item, user, SQUARE, is_routed=False)
    services.score_item(item)
    with CaptureQueriesContext(
        connection,
    ) as few:
        services.score_item(item)
    assert len(few) <= 20


def test_what_is_compared_follows_the_projects_rules(cast: Cast):
    _, ontology = current_ontology(cast.project)
    _, policy = current_policy(cast.project)
    terms = services.terms_of(ontology, policy)
    assert (terms.labels, terms.pooled) == (("nucleus", "debris", "lesion"), frozenset({"lesion"}))
    assert [question.key for question in terms.questions] == ["quality"]
