"""Assignments alone: who may have an item again, and which write under which lease counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from labelhub.assignments import services
from labelhub.assignments.errors import AlreadyRead, LeaseLost, NotOpen
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import n_filled, overdue, own_assignment, own_queue, rework_rounds
from labelhub.projects.permissions import NotFound
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler

NOW = timezone.now()


def opened(cast: Cast, item, user, *, kind: str = "independent", lease_s: float | None = 60, **rest) -> Assignment:
    return services.open_assignment(
        item=item, labeler=labeler(cast, user), read_kind=kind, planned_blind=kind == "independent", reason="test",
        lease_s=lease_s, now=NOW, **rest,
    )  # fmt: skip


def test_nobody_has_an_item_twice_but_for_rework_and_repeats(cast: Cast):
    item = add_item(cast.project)
    first = opened(cast, item, cast.ann)
    with pytest.raises(AlreadyRead):
        opened(cast, item, cast.ann)
    services.close(assignment=first, state="submitted")
    with pytest.raises(AlreadyRead):
        opened(cast, item, cast.ann, kind="unblinded")
    rework = opened(cast, item, cast.ann, kind="rework", follows=first)
    assert rework_rounds(item) == {labeler(cast, cast.ann).pk: 1}
    services.close(assignment=rework, state="submitted")
    assert opened(cast, item, cast.ann, kind="repeat").state == "open"


def test_the_database_itself_refuses_a_second_independent_read(cast: Cast):
    item = add_item(cast.project)
    services.close(assignment=opened(cast, item, cast.ann), state="submitted")
    with pytest.raises(IntegrityError), transaction.atomic():
        Assignment.objects.create(item=item, labeler=labeler(cast, cast.ann), read_kind="independent")


def test_an_old_lease_cannot_renew_and_a_closed_one_cannot_close_again(cast: Cast):
    mine = opened(cast, add_item(cast.project), cast.ann)
    newer = services.take_over(assignment=Assignment.objects.get(pk=mine.pk), lease_s=60)
    with pytest.raises(LeaseLost):
        services.renew(assignment=mine, lease_s=60, fence=mine.fence)
    services.renew(assignment=newer, lease_s=60, fence=newer.fence)
    services.close(assignment=newer, state="skipped", reason="x" * 400)
    assert len(newer.skip_reason) == 300
    for again in (
        lambda: services.close(assignment=newer, state="submitted"),
        lambda: services.take_over(assignment=newer, lease_s=60),
    ):
        with pytest.raises(NotOpen):
            again()
    with pytest.raises(LeaseLost):
        services.renew(assignment=newer, lease_s=60, fence=newer.fence)


def test_only_what_is_overdue_expires_and_it_opens_again_for_its_labeler(cast: Cast):
    item = add_item(cast.project)
    mine, endless = opened(cast, item, cast.ann), opened(cast, item, cast.ben, lease_s=None)
    later = NOW + timedelta(seconds=61)
    assert list(overdue(now=NOW)) == []
    assert list(overdue(now=later)) == [mine]
    assert not services.expire(assignment=endless, now=later)
    assert services.expire(assignment=mine, now=later)
    assert not services.expire(assignment=mine, now=later)
    assert n_filled(item) == 1
    again = opened(cast, item, cast.ann)
    assert (again.pk, again.fence > mine.fence, again.planned_blind) == (mine.pk, True, True)


def test_a_read_that_was_not_planned_stays_so_when_it_is_taken_up_again(cast: Cast):
    item = add_item(cast.project)
    extra = services.open_assignment(
        item=item,
        labeler=labeler(cast, cast.ann),
        read_kind="independent",
        planned_blind=False,
        reason="",
        lease_s=1,
        now=NOW,
    )
    services.expire(assignment=extra, now=NOW + timedelta(seconds=5))
    assert opened(cast, item, cast.ann).planned_blind is False


def test_each_labeler_sees_only_their_own(cast: Cast):
    items = [add_item(cast.project, seed=number) for number in range(3)]
    ann = labeler(cast, cast.ann)
    mine = opened(cast, items[0], cast.ann)
    services.close(assignment=opened(cast, items[1], cast.ben), state="submitted")
    assert [entry.id for entry in own_queue(ann).open] == [mine.pk]
    assert own_assignment(cast.ann, mine.pk) == mine
    for user in (cast.ben, cast.rita, cast.ada, cast.otto):
        with pytest.raises(NotFound):
            own_assignment(user, mine.pk)
