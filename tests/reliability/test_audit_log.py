"""R9, short: 300 random changes of the audit log, all found, and 10,000 events verified in time. In full: `manage.py soak`.

Planted once and seen to fail: the facts left out of the hash (edits of facts pass), and the exported head not asked (a cut
with its head set passes).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction

from labelhub.audit import heads, services
from labelhub.audit.models import ChainHead, Event
from labelhub.config.soak.tampering import WAYS, time_verification, try_tampering, write_chain

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_heads(tmp_path: Path, settings) -> None:
    settings.AUDIT_HEADS = tmp_path / "audit.heads"


def test_whoever_changes_the_log_without_the_key_is_found():
    trial = try_tampering(n=300, seed=9)
    print(trial.sentence)
    assert trial.failures == []
    assert set(trial.facts) == set(WAYS)


def test_ten_thousand_events_are_verified_in_time():
    trial = time_verification(n=10_000, seed=9)
    print(trial.sentence)
    assert trial.failures == []


def test_a_cut_with_its_head_set_is_found_by_the_head_that_was_exported():
    write_chain("project:7", 12)
    heads.export_heads(["project:7"])
    last = Event.objects.get(chain="project:7", seq=8)
    Event.objects.filter(chain="project:7", seq__gt=8).delete()
    ChainHead.objects.filter(chain="project:7").update(seq=8, hash=last.hash)
    verdict = services.verify("project:7")
    assert verdict.broken_at == 9
    assert "12 events when its head was exported" in verdict.explanation


def test_a_head_that_somebody_else_wrote_into_the_file_counts_for_nothing(settings):
    write_chain("project:7", 5)
    settings.AUDIT_HEADS.write_bytes(b'["project:7", 99, "00", "2001", "00"]\nnonsense\n')
    assert heads.exported_head("project:7") is None
    assert services.verify("project:7").broken_at is None


def test_a_chain_goes_on_after_its_head_was_exported():
    write_chain("project:7", 5)
    heads.export_heads(["project:7"])
    with transaction.atomic():
        services.append(project_id=7, kind="item.settled", actor="system", subject="item:1")
    assert services.verify("project:7").events == 6
