"""What an annotator receives from this part says nothing about scores, gold, other readers or why they were asked.

Planted and seen to fail: ``reason`` of the assignment added to ``OwnAssignment``; the list of fields and the test of an
author's comments see it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest
from django.db import transaction
from django.test import Client
from rest_framework.utils.encoders import JSONEncoder

from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import OwnAssignment, OwnQueue, own_queue
from labelhub.catalog.models import Item
from labelhub.projects.permissions import visible_to
from labelhub.reviews.selectors import OwnComment, own_comments
from labelhub.routing.models import Route
from labelhub.scoring.models import GoldReference, Score
from labelhub.workflow import queue
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, read, review, set_policy, store, take

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


def test_what_a_labeler_may_know_has_these_fields_and_no_more():
    # A further field is a further disclosure: think, then add it here too.
    assert [entry.name for entry in fields(OwnAssignment)] == [
        "id", "item_code", "state", "is_rework", "is_recalled", "is_training", "due_at", "fence", "lease_until", "created_at",
        "closed_at",
    ]  # fmt: skip
    assert [entry.name for entry in fields(OwnQueue)] == ["open", "paused", "closed", "n_submitted"]
    assert [entry.name for entry in fields(OwnComment)] == ["verdict", "score", "comment", "at"]


def scripted(cast: Cast, hidden: tuple[float, float, float], *, with_gold: bool) -> str:
    """Ann's sitting in a world in which hidden labels, scores and gold differ; returns all she received, ids replaced."""
    set_policy(cast, readers=2)
    items = [add_item(cast.project, seed=number) for number in range(4)]
    for number, item in enumerate(items):
        # Places are secret draws, and would be others in each world.
        Item.objects.filter(pk=item.pk).update(place=number / 8)
        item.refresh_from_db()
        store(cast, item, cast.ben, hidden)
    if with_gold:
        for item in items[:2]:
            store(cast, item, cast.ada, hidden, is_gold=True)
    received = []
    for _ in items:
        client = Client()
        client.force_login(cast.ann)
        answer = client.post(f"/api/v1/projects/{cast.project.slug}/next/")
        received.append(answer.json())
        read(cast, cast.ann, SQUARE)
        received.append(asdict(own_queue(labeler(cast, cast.ann))))
    text = json.dumps(received, cls=JSONEncoder)
    for entry in received:
        for view in entry.get("open", [entry] if "id" in entry else []):
            text = text.replace(str(view["id"]), "ID")
    for row in Assignment.objects.filter(labeler=labeler(cast, cast.ann)):
        for value in (str(row.pk), row.created_at, row.closed_at, row.lease_until):
            text = text.replace(json.dumps(value, cls=JSONEncoder).strip('"'), "T")
    for number, item in enumerate(items):
        text = text.replace(item.code, f"item {number}")
    return text


@pytest.mark.django_db
@pytest.mark.parametrize("with_gold", [False, True])
def test_two_worlds_that_differ_in_hidden_labels_look_alike(with_gold, monkeypatch, cast: Cast):
    monkeypatch.setattr(queue, "draw", lambda *_: 0.0)
    worlds, hidden_numbers = [], []
    for hidden in (SQUARE, OTHER):
        point = transaction.savepoint()
        worlds.append(squeezed(scripted(cast, hidden, with_gold=with_gold)))
        hidden_numbers.append(sorted(Score.objects.values_list("metric", "value"), key=str))
        transaction.savepoint_rollback(point)
    assert hidden_numbers[0] != hidden_numbers[1], "the worlds do differ"
    assert worlds[0] == worlds[1]


def squeezed(text: str) -> str:
    """Times of the clock are the script's, not the world's."""
    import re

    return re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)?", "T", text)


def test_hidden_rows_are_visible_to_no_annotator_and_to_no_outsider(cast: Cast):
    set_policy(cast, max_readers=2)
    item = add_item(cast.project)
    read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    for model in (Score, Route, GoldReference):
        assert model.objects.exists()
        for user in (cast.ann, cast.ben, cast.otto):
            assert not visible_to(user, model.objects.all()).exists()
        assert visible_to(cast.rita, model.objects.all()).exists()


def test_an_author_reads_the_comment_on_their_own_work_and_on_nobody_elses(cast: Cast):
    set_policy(cast, max_readers=2)
    cleo = new_annotator(cast, "Cleo")
    item = add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    read(cast, cast.ben, OTHER)
    review(first, cast.rita, "reject", "The edge is missed.", score=2)
    assert [(entry.comment, entry.score) for entry in own_comments(labeler(cast, cast.ann), item)] == [
        ("The edge is missed.", 2)
    ]
    for user in (cast.ben, cleo):
        assert own_comments(labeler(cast, user), item) == ()
    view = own_queue(labeler(cast, cast.ann)).open[0]
    assert view.is_rework
    assert "rejected" in take(cast, cast.ann).reason, "the reason is there, for reviewers"
    assert "rejected" not in json.dumps(asdict(view), cls=JSONEncoder)
