"""The team filter on the pages of admins and reviewers: what it leaves, what it says, and that it is kept from page to page.

Ann is in the team of a site; Ben is in none; nobody is in the vendor's.
"""

from __future__ import annotations

import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from labelhub.assignments.batches import batch_rows, make_batch
from labelhub.catalog.models import Item
from labelhub.projects import teams
from labelhub.projects.models import Team
from labelhub.reviews.calibration_models import ReviewTest
from labelhub.reviews.questions import keep_question
from labelhub.reviews.threads import open_thread
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, labeler, new_annotator, read, set_policy, store

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)
EVERYBODY = "Show everybody"


@pytest.fixture
def cast(db) -> Cast:
    """A project of which nothing was read yet."""
    return make_cast()


@pytest.fixture
def site(cast: Cast) -> Team:
    team = teams.make_team(project=cast.project, name="Site North", kind="site", by="test")
    teams.set_teams(labeler=labeler(cast, cast.ann), teams=[team], by="test")
    return team


@pytest.fixture
def vendor(cast: Cast) -> Team:
    return teams.make_team(project=cast.project, name="Vendor A", kind="vendor", by="test")


def at(cast: Cast, name: str, *rest) -> str:
    return reverse(name, args=[cast.project.slug, *rest])


def words(page) -> str:
    return " ".join(page.content.decode().split())


SIDE = ("overview", "items", "labelers", "activity", "gold", "gate", "pairs", "models", "data", "policy", "audit")


def test_links_of_the_side_list_keep_the_team(cast: Cast, site: Team, as_):
    shown = words(as_("ada").get(at(cast, "manage-people"), {"team": site.pk}))
    for name in SIDE:
        assert f'href="{at(cast, f"manage-{name}")}?team={site.pk}"' in shown
    assert f'href="{at(cast, "manage-teams")}?team={site.pk}"' in shown
    assert "?team=" not in words(as_("ada").get(at(cast, "manage-people")))
    odd = as_("ada").get(at(cast, "manage-data"), {"team": '1"><b>'})
    assert "<b>" not in words(odd)


def test_batches_count_the_items_of_a_team(cast: Cast, site: Team, vendor: Team, as_):
    set_policy(cast, readers=2)
    items = [add_item(cast.project, seed=seed) for seed in range(3)]
    first = make_batch(project=cast.project, name="First", items=items[:2], by="test")
    make_batch(project=cast.project, name="Second", items=items[2:], by="test")
    store(cast, items[0], cast.ann, SQUARE)
    store(cast, items[1], cast.ben, SQUARE)
    store(cast, items[2], cast.ben, SQUARE)
    assert [(row.batch.name, row.n_items) for row in batch_rows(cast.project)] == [("First", 2), ("Second", 1)]
    page = as_("ada").get(at(cast, "manage-batches"), {"team": site.pk})
    assert [(row.batch.name, row.n_items, row.n_done) for row in page.context["rows"]] == [("First", 1, 0)]
    assert f"?batch={first.pk}&amp;team={site.pk}" in words(page)
    nobody = words(as_("ada").get(at(cast, "manage-batches"), {"team": vendor.pk}))
    assert "Nobody of this team has or read an item of a batch" in nobody
    assert EVERYBODY in nobody
    assert as_("ada").get(at(cast, "manage-batches"), {"team": "99999"}).status_code == 400


def test_the_gates_lines_on_several_labelers_are_those_of_a_team(cast: Cast, site: Team, vendor: Team, as_):
    set_policy(cast)
    for subject in ("p1", "p2"):
        store(cast, add_item(cast.project, subject=subject), cast.ada, SQUARE, is_gold=True)
    ada = as_("ada")
    everybody = ada.get(at(cast, "manage-gate")).context["lines"]
    page = ada.get(at(cast, "manage-gate"), {"team": site.pk})
    whole, own = (
        {line.name: line.cells[0] for line in lines if "is paused" in line.name or "whole gate" in line.name}
        for lines in (everybody, page.context["lines"])
    )
    assert "At least one of all 2 labelers is paused" in whole
    one = own["At least one of this team's 1 labeler is paused"]
    alone = "The whole gate pauses within the 2 planned gold items"
    assert (one.value, one.low, one.high) == pytest.approx((own[alone].value, own[alone].low, own[alone].high))
    assert own[alone] == whole[alone], "a rate of one labeler is nobody's of a team"
    assert "Of this team are the lines on at least one" in words(page)
    nobody = ada.get(at(cast, "manage-gate"), {"team": vendor.pk})
    assert "Nobody of this team labels here" in words(nobody)
    assert EVERYBODY in words(nobody)
    assert not any("At least one" in line.name for line in nobody.context["lines"])
    assert ada.get(at(cast, "manage-gate"), {"team": "99999"}).status_code == 400


def audited(cast: Cast) -> None:
    """Two labels that were accepted by a rule, one by Ann's reading, one by Ben's; Rita audits both, and Ben's is wrong."""
    set_policy(cast, audit_share=1.0, readers=1, max_readers=1)
    for reader, mark in ((cast.ann, SQUARE), (cast.ben, OTHER)):
        store(cast, add_item(cast.project), reader, SQUARE)
        read(cast, cast.rita, mark)


def test_the_error_left_is_told_of_the_labels_that_rest_on_a_teams_readings(cast: Cast, site: Team, vendor: Team, as_):
    audited(cast)
    ada = as_("ada")
    (whole,) = ada.get(at(cast, "manage-policy")).context["residuals"]
    assert (whole.n_accepted, whole.n_read, whole.n_wrong) == (2, 2, 1)
    page = ada.get(at(cast, "manage-policy"), {"team": site.pk})
    (own,) = page.context["residuals"]
    assert (own.n_accepted, own.n_read, own.n_wrong) == (1, 1, 0)
    assert "The policy itself holds for everybody." in words(page)
    nobody = words(ada.get(at(cast, "manage-policy"), {"team": vendor.pk}))
    assert "Nobody of this team has a reading in an accepted label" in nobody
    assert EVERYBODY in nobody
    assert ada.get(at(cast, "manage-policy"), {"team": "99999"}).status_code == 400


def test_the_overview_is_told_of_a_team(cast: Cast, site: Team, vendor: Team, as_):
    set_policy(cast, readers=2, max_readers=2)
    both, bens, _ = (add_item(cast.project, seed=seed) for seed in range(3))
    store(cast, both, cast.ann, SQUARE)
    store(cast, both, cast.ben, OTHER)
    store(cast, bens, cast.ben, SQUARE)
    ada = as_("ada")
    everybody = ada.get(at(cast, "manage-overview")).context["overview"]
    assert (everybody.n_items, everybody.n_submissions, everybody.n_labelers) == (3, 3, 2)
    page = ada.get(at(cast, "manage-overview"), {"team": site.pk})
    own = page.context["overview"]
    assert (own.n_items, own.n_submissions, own.n_labelers, own.n_open_assignments) == (1, 1, 1, 0)
    assert (own.funnel["review"], own.agreement) == (1, everybody.agreement)
    assert [row.item for row in page.context["disputed"]] == [both.code]
    shown = words(page)
    assert "1 item waits for a reviewer." in shown
    assert shown.count(f"?state=review&amp;team={site.pk}") == 2, "of the sentence and of the funnel"
    assert "are of all readers together" in shown
    nobody = ada.get(at(cast, "manage-overview"), {"team": vendor.pk})
    assert "Nobody of this team labels here yet." in words(nobody)
    assert EVERYBODY in words(nobody)
    assert ada.get(at(cast, "manage-overview"), {"team": "99999"}).status_code == 400


def waiting(cast: Cast, **policy) -> tuple[Item, Item]:
    """Two items that wait for Rita: Ann and Ben read the first, Ben and Cleo the second; Ann and Ben each ask something."""
    set_policy(cast, readers=2, max_readers=2, slip_agreement=0.0, **policy)
    cleo = new_annotator(cast, "Cleo")
    first, second = add_item(cast.project, seed=1), add_item(cast.project, seed=2)
    for item, one, other in ((first, cast.ann, cast.ben), (second, cast.ben, cleo)):
        keep_question(assignment=store(cast, item, one, SQUARE).assignment, text="Is this debris?")
        store(cast, item, other, OTHER)
    return first, second


def test_the_inbox_of_a_reviewer_is_filtered_by_team(cast: Cast, site: Team, vendor: Team, as_):
    first, second = waiting(cast)
    rita = as_("rita")
    everything = rita.get(reverse("review-inbox")).context
    assert {row.item.code for row, *_ in everything["rows"]} == {first.code, second.code}
    page = rita.get(reverse("review-inbox"), {"team": site.pk})
    assert [row.item.code for row, *_ in page.context["rows"]] == [first.code]
    assert page.context["n_waiting"] == 1
    assert [row.assignment.labeler.user for row, _ in page.context["questions"]] == [cast.ann]
    assert f'href="{reverse("review-threads")}?team={site.pk}"' in words(page)
    nobody = words(rita.get(reverse("review-inbox"), {"team": vendor.pk}))
    assert "Nobody of this team read what waits for you" in nobody
    assert EVERYBODY in nobody


def test_threads_and_disputes_are_filtered_by_team(cast: Cast, site: Team, vendor: Team, as_):
    items = waiting(cast)
    for item in items:
        open_thread(item=item, by=cast.rita, text="Look.", request_id=uuid.uuid4())
    rita = as_("rita")
    assert len(rita.get(reverse("review-threads")).context["rows"]) == 2
    page = rita.get(reverse("review-threads"), {"team": site.pk})
    assert [row.thread.item for row in page.context["rows"]] == [items[0]]
    assert f'href="{reverse("review-inbox")}?team={site.pk}"' in words(page)
    nobody = words(rita.get(reverse("review-threads"), {"team": vendor.pk}))
    assert "Nobody of this team read an item of such a thread" in nobody


@pytest.mark.parametrize("place", ["review-inbox", "review-threads"])
def test_who_reviews_blind_cannot_ask_by_team_who_read_an_item(cast: Cast, site: Team, as_, place: str):
    for item in waiting(cast, review_blind=True):
        open_thread(item=item, by=cast.rita, text="Look.", request_id=uuid.uuid4())
    page = as_("rita").get(reverse(place), {"team": site.pk})
    assert len(page.context["rows"]) == 2
    assert site.name not in words(page)
    admins = as_("ada").get(reverse(place), {"team": site.pk})
    assert len(admins.context["rows"]) == 1, "admins see names"
    assert site.name in words(admins)


def test_a_reading_that_a_tested_reviewer_may_not_know_of_puts_no_item_into_their_teams_list(
    cast: Cast, site: Team, as_
):
    set_policy(cast, readers=1, max_readers=1, rereview_share=1.0)
    item = add_item(cast.project)
    store(cast, item, cast.ben, SQUARE)
    now = timezone.now()
    ReviewTest.objects.create(
        item=item, reviewer=cast.rita, kind="again", decided_by=cast.ada, settled_as=1, reason="They differ.",
        hides_from=now, due_from=now,
    )  # fmt: skip
    store(cast, item, cast.ann, SQUARE)
    Item.objects.filter(pk=item.pk).update(state=Item.State.SETTLED)
    rita = as_("rita")
    assert [row.item for row, *_ in rita.get(reverse("review-inbox")).context["rows"]] == [item]
    assert rita.get(reverse("review-inbox"), {"team": site.pk}).context["rows"] == []
    teams.set_teams(labeler=labeler(cast, cast.ben), teams=[site], by="test")
    assert len(rita.get(reverse("review-inbox"), {"team": site.pk}).context["rows"]) == 1


@pytest.mark.parametrize("name", ["labelers", "gold", "people"])
def test_a_page_without_anybody_of_the_team_says_so(cast: Cast, site: Team, vendor: Team, as_, name: str):
    set_policy(cast, exam_items=1)
    place = at(cast, f"manage-{name}")
    assert "Nobody of this team" not in words(as_("ada").get(place, {"team": site.pk}))
    nobody = words(as_("ada").get(place, {"team": vendor.pk}))
    assert "Nobody of this team" in nobody
    assert EVERYBODY in nobody
