"""R1, R4, R5 in process: co-editing loses nothing and doubles nothing; planted defects are found.

Planted once and seen to fail, beside those below: a fold that paints what was undone; baking before a stroke that is undone
later.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from labelhub.annotations import log
from labelhub.annotations.models import Document, Operation
from labelhub.config.soak.coedits import try_coedits

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.once
def test_nothing_acknowledged_is_lost_or_doubled_through_every_trouble():
    trial = try_coedits(n=300, seed=11, most=64)
    assert trial.failures == []
    assert trial.n == 300


def test_the_same_on_each_database():
    trial = try_coedits(n=6, seed=12, most=120)
    assert trial.failures == []


def test_an_acknowledgement_before_the_commit_is_found():
    def send(document, sendings):
        answers = log.append_together(document=document, sendings=sendings)
        # The commit is lost after the clients were answered.
        head = Document.objects.get(pk=document.pk).head_seq
        if head % 9 == 0:
            Operation.objects.filter(document=document, seq=head).delete()
            Document.objects.filter(pk=document.pk).update(head_seq=head - 1)
        return answers

    assert try_coedits(n=2, seed=13, most=80, send=send).failures


def test_a_log_that_takes_replays_twice_is_found(monkeypatch):
    read = log.read_envelope

    def forgetful(entry):
        return read(dict(entry) | {"op_id": str(uuid.uuid4())})

    monkeypatch.setattr(log, "read_envelope", forgetful)
    assert try_coedits(n=1, seed=14, most=61).failures


def test_an_order_that_is_not_asked_for_is_found(monkeypatch):
    monkeypatch.setattr(log, "_require_next", lambda *given: None)

    def send(document, sendings):
        turned = [replace(sending, operations=list(reversed(sending.operations))) for sending in sendings]
        return log.append_together(document=document, sendings=turned)

    trial = try_coedits(n=3, seed=15, most=80, send=send)
    assert any("order" in failure for failure in trial.failures)
