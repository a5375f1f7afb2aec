"""The gate's certificate page: what it promises, that it refuses without gold, and that nobody but admins sees it."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.urls import reverse

from labelhub.accounts.services import create_person
from labelhub.projects.models import Role
from labelhub.projects.policy import Policy
from labelhub.projects.services import add_member
from labelhub.routing import gate_certificate, gates
from labelhub.routing.gate_certificate import Supply
from labelhub.routing.models import Gate
from tests.workflow.walking import add_item as add_picture
from tests.workflow.walking import labeler, set_policy, store

pytestmark = pytest.mark.once


def page(as_, name="ada", query=""):
    return as_(name).get(reverse("manage-gate", args=["cells"]) + query)


def test_without_gold_the_page_says_how_much_is_missing_and_where_to_make_it(world, as_):
    html = page(as_).content.decode()
    assert "Not certified." in html
    assert "140 gold items are missing" in html
    assert "Gold is made on an item" in html


def test_with_gold_the_page_states_rates_with_interval_n_and_method(world, as_, monkeypatch):
    monkeypatch.setattr(gate_certificate, "planned_gold", lambda project: (400, 400))
    html = page(as_).content.decode()
    assert "Certified over 200 planned gold items." in html
    assert "n=5000" in html
    assert "exact, by counting paths" in html
    assert "Fewer than 8 of the last 10 right" in html
    assert "is paused by one test in 0.8%" in html
    # Good comes from the policy where no reference reader read gold, and the page says which.
    assert "reference readers gave 0 gold answers of the 20" in html


def test_the_numbers_are_a_file_too(world, as_, monkeypatch):
    monkeypatch.setattr(gate_certificate, "planned_gold", lambda project: (400, 400))
    rows = b"".join(page(as_, query="?format=csv").streaming_content).decode().splitlines()
    assert rows[0].endswith("what,labeler,right_on,value,low,high,n,unit,method")
    assert any(row.startswith("One test pauses,good,0.9,0.00") for row in rows)
    assert len(rows) == 1 + 11 * 3 - 4


def with_outlines_of_three_reviewers(cast) -> None:
    """Twelve gold outlines that three reviewers drew blind, about alike, and Ann too large."""
    set_policy(cast, readers=5, max_readers=5)
    reviewers = [cast.rita]
    for name in ("Rolf", "Rosa"):
        person = create_person(username=name.lower(), display_name=name, actor="test")
        add_member(project=cast.project, user=person, role=Role.REVIEWER, actor="test")
        reviewers.append(person)
    for number in range(12):
        item = add_picture(cast.project, subject=f"gold-{number}")
        store(cast, item, cast.ada, (10, 10, 20), is_gold=True)
        for place, person in enumerate(reviewers):
            store(cast, item, person, (10 + (number + place) % 2, 10, 20))
        store(cast, item, cast.ann, (8, 8, 26))


def test_where_reviewers_drew_the_gold_the_pages_say_that_partial_credit_counts(cast, as_, monkeypatch):
    """Catches a certificate, or a labeler's page, of right and wrong where partial credit runs."""
    with_outlines_of_three_reviewers(cast)
    monkeypatch.setattr(gate_certificate, "planned_gold", lambda project: (400, 400))
    html = page(as_).content.decode()
    assert "counts <strong>partial credit</strong>" in html
    assert "3 reference readers drew 36 gold outlines" in html
    assert "A labeler whose mean credit on gold is" in html
    assert "exact, by counting paths" not in html
    assert "n=5000" in html
    assert "gets past one test in &lt;0.1%" in html, "nobody of those played is not the same as nobody at all"
    ann = labeler(cast, cast.ann)
    first = Gate.objects.filter(labeler=ann, kind="test-started").first()
    # The first of Ann's answers came before the reviewers had drawn enough; a new test begins on what they drew.
    assert first.numbers["plan"]["kind"] == "right-wrong"
    if gates.state_of(ann) not in ("proposed", "paused"):
        with transaction.atomic():
            gates.propose(labeler=ann, by="test", reason="to begin anew")
    with transaction.atomic():
        gates.resume(labeler=ann, by="test", reason="a new test")
    item = add_picture(cast.project, subject="gold-new")
    store(cast, item, cast.ada, (10, 10, 20), is_gold=True)
    store(cast, item, cast.ann, (8, 8, 26))
    html = as_("ada").get(reverse("manage-labeler", args=["cells", ann.pk])).content.decode()
    assert "partial credit</strong>, because 3 reference readers drew" in html
    assert "credit 0." in html


def test_only_admins_see_it(world, as_):
    assert [page(as_, name).status_code for name in ("ann", "rita", "otto")] == [403, 403, 404]


def test_the_supply_of_one_labeler_is_not_divided_by_none():
    assert Supply(3, 3, 0, 15).reachable == 3
    assert Policy().exam_items == 0
