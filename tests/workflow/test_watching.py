"""A reviewer watches people label an item together, or draws too: only where the policy says so, and only in shared batches.

Planted once and seen to fail: work that somebody does alone; a policy that is not asked; any member; who has not come; drawing
too where the policy says watching; a look that is not kept.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment, Onlooker
from labelhub.assignments.onlookers import work_to_watch
from labelhub.audit.models import Event
from labelhub.projects.models import Role
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.projects.policy import Policy, PolicyProblem, read_policy
from labelhub.projects.services import add_member
from labelhub.reviews.pins import Place, open_pin, pins_of
from labelhub.reviews.services import ReviewRefused
from labelhub.reviews.sightings import has_seen
from labelhub.workflow import together, watching
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, draw, review, set_policy, submit, take

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=1, reviewers_join="watch")
    return made


@pytest.fixture
def work(cast: Cast) -> Assignment:
    make_batch(project=cast.project, name="Together", items=[add_item(cast.project)], by="test", is_shared=True)
    found = take(cast, cast.ann)
    together.join(assignment=found, by=cast.ben)
    return found


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_who_watches_sees_the_working_copy_and_changes_nothing(cast: Cast, work: Assignment):
    rita, base = signed_in(cast.rita), f"/api/v1/assignments/{work.pk}/"
    draw(work, cast.ann, (10, 10, 20))
    reads = ["document/", "document/history/", "media/", "media/0/slice/axial/0/", "pins/"]
    assert [rita.get(f"{base}{place}").status_code for place in reads] == [404] * 5, "not before she came"
    page = f"/review/{cast.project.slug}/watch/{work.pk}/"
    assert b"They see your name" in rita.get(page).content
    assert rita.post(page).status_code == 302
    assert rita.get(page).status_code == 200
    assert [rita.get(f"{base}{place}").status_code for place in reads] == [200] * 5
    seen = rita.get(f"{base}document/").json()
    assert (seen["is_watching"], len(seen["state"]["shapes"])) == (True, 1)
    writes = ["document/", "document/heartbeat/", "document/masks/?size=1,1,8", "submit/", "skip/", "park/"]
    body = {"client_id": str(uuid.uuid4()), "epoch": 1, "fence": 1, "operations": [], "request_id": str(uuid.uuid4())}
    answers = [rita.post(f"{base}{place}", body, content_type="application/json").status_code for place in writes]
    assert answers == [404] * 6, answers
    open_pin(assignment=work, by=cast.rita, place=Place(0, 3, 3, 0), text="Here.", request_id=uuid.uuid4())
    assert pins_of(cast.ann, work)[0].said[0].who == "Rita (reviewer)"
    assert has_seen(cast.rita, work.item)
    watching.go(assignment=work, by=cast.rita)
    assert rita.get(f"{base}document/").status_code == 404
    kinds = Event.objects.filter(kind__startswith="onlooker").order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["onlooker.came", "onlooker.left"]


def test_nobody_watches_who_may_not(cast: Cast, work: Assignment):
    for user in (cast.ben, cast.otto):
        for attempt in (work_to_watch, lambda by, pk: watching.come(assignment=work, by=by)):
            with pytest.raises((NotFound, NotAllowed)):
                attempt(user, work.pk)
    for rules in ({"reviewers_join": "no"}, {"review_blind": True}):
        set_policy(cast, **{"readers": 1, **rules})
        with pytest.raises(NotFound):
            watching.come(assignment=work, by=cast.rita)
        assert watching.live_work(cast.rita, cast.project) == ()
    with pytest.raises(PolicyProblem, match="seen by name"):
        read_policy(Policy().to_document() | {"reviewers_join": "watch", "review_blind": True})
    assert not Onlooker.objects.exists()


def test_work_is_watched_under_the_address_of_its_own_project_alone(cast: Cast, work: Assignment):
    add_member(project=cast.other_project, user=cast.rita, role=Role.REVIEWER, actor="test")
    rita = signed_in(cast.rita)
    elsewhere, here = (f"/review/{one.slug}/watch/{work.pk}/" for one in (cast.other_project, cast.project))
    assert [rita.get(elsewhere).status_code, rita.post(elsewhere).status_code] == [404, 404]
    assert not Onlooker.objects.exists()
    rita.post(here)
    assert rita.post(f"{elsewhere}go/").status_code == 404
    assert rita.get(f"/api/v1/assignments/{work.pk}/document/").status_code == 200, "she still watches"


def test_work_that_somebody_does_alone_is_never_watched(cast: Cast):
    """Hidden gold, exams and repeats lie among it: whatever it is, the answer is the same."""
    add_item(cast.project)
    alone = take(cast, cast.ann)
    for kind in ("independent", "training", "repeat", "rework", "co-edited"):
        Assignment.objects.filter(pk=alone.pk).update(read_kind=kind)
        with pytest.raises(NotFound, match="Nobody labels this together now"):
            watching.come(assignment=alone, by=cast.rita)
        assert watching.live_work(cast.rita, cast.project) == ()
    place = f"/review/{cast.project.slug}/watch/{alone.pk}/"
    assert signed_in(cast.rita).get(place).status_code == signed_in(cast.rita).post(place).status_code == 404


def test_what_is_handed_in_is_watched_no_more(cast: Cast, work: Assignment):
    watching.come(assignment=work, by=cast.rita)
    draw(work, cast.ann, (10, 10, 20))
    submission = submit(work, cast.ann)
    assert signed_in(cast.rita).get(f"/api/v1/assignments/{work.pk}/document/").status_code == 404
    # Who only watched reviews it like anybody.
    assert review(submission, cast.rita, "accept") is not None


def test_who_draws_too_is_a_reader_and_reviews_it_no_more(cast: Cast, work: Assignment):
    watching.come(assignment=work, by=cast.rita)
    with pytest.raises(StepRefused, match="only watch"):
        watching.draw_too(assignment=work, by=cast.rita)
    set_policy(cast, readers=1, reviewers_join="draw")
    seat = watching.draw_too(assignment=work, by=cast.rita)
    assert watching.draw_too(assignment=work, by=cast.rita) == seat
    assert not Onlooker.objects.filter(left_at=None).exists()
    draw(work, cast.rita, (10, 10, 20))
    submission = submit(work, cast.ann)
    assert (submission.read_kind, submission.planned_blind) == ("co-edited", False)
    with pytest.raises(ReviewRefused, match="You read this item yourself"):
        review(submission, cast.rita, "accept")
    assert signed_in(cast.rita).get(f"/review/{cast.project.slug}/{work.item.code}/").status_code == 200


def test_reviewers_find_what_they_may_watch(cast: Cast, work: Assignment):
    places = {
        cast.rita: ["/review/", f"/review/{cast.project.slug}/{work.item.code}/"],
        cast.ada: [f"/manage/{cast.project.slug}/activity/"],
    }
    link = f"/review/{cast.project.slug}/watch/{work.pk}/".encode()
    for user, pages in places.items():
        assert all(link in signed_in(user).get(page).content for page in pages), user
    set_policy(cast, readers=1)
    for user, pages in places.items():
        assert not any(link in signed_in(user).get(page).content for page in pages), user
