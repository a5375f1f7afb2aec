"""S4 and S6 in process: forged frames and hostile operations, shorter than ``manage.py soak`` runs them; defects are found.

Planted once and seen to fail, beside those below: lists where words are expected.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelhub.accounts.models import User
from labelhub.annotations import geometry, log
from labelhub.config.soak.forgeries import try_forgeries
from labelhub.config.soak.hostile import try_hostile
from labelhub.projects.ontology import Question

pytestmark = pytest.mark.django_db(transaction=True)


def test_hostile_operations_raise_nothing_and_store_nothing_invalid():
    trial = try_hostile(n=1500, seed=3)
    assert trial.failures == []
    assert trial.n == 1500


def test_no_forged_frame_changes_anothers_record():
    trial = try_forgeries(n=120, seed=4)
    assert trial.failures == []
    assert trial.n == 120


def test_an_outline_that_crosses_itself_is_found(monkeypatch):
    monkeypatch.setattr(geometry, "_require_simple", lambda points: None)
    assert any("crosses itself" in failure for failure in try_hostile(n=800, seed=5).failures)


def test_a_number_that_is_none_is_found(monkeypatch):
    monkeypatch.setattr(Question, "refusal_of", lambda question, value: None)
    assert try_hostile(n=500, seed=7).failures


def test_a_client_that_another_counts_on_with_is_found(monkeypatch):
    monkeypatch.setattr(log, "_require_current", lambda *given: None)
    assert any("cannot go on" in failure for failure in try_forgeries(n=120, seed=8).failures)


def test_an_author_that_an_operation_names_is_found(monkeypatch):
    taken = log._append

    def believing(document, standing, sending, rows):
        named = User.objects.filter(public_id=sending.operations[0].get("author")).first()
        return taken(document, standing, replace(sending, author=named or sending.author), rows)

    monkeypatch.setattr(log, "_append", believing)
    assert any("another's name" in failure for failure in try_forgeries(n=40, seed=9).failures)
