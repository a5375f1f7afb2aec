"""Reviews whose outcome is known, placed among a reviewer's others: which are open, and how the item then looks to them.

To the reviewer such an item waits for them like any other: what happened since it did, and its gold, are hidden until they
judged. Nothing they do moves it. Where the policy places none any more, those that are open lapse. Not here: placing them and
hearing the judgement (``workflow.testing_reviewers``), and what they add up to (``calibration``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.projects.telling import REVIEWING, seated
from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult

Kind = ReviewTest.Kind
Choice = ReviewTestResult.Choice


def kinds_placed(policy: Policy) -> tuple[str, ...]:
    """Return which kinds of tests the policy places."""
    kinds: tuple[str, ...] = (Kind.GOLD,) if policy.review_gold_share else ()
    return (*kinds, Kind.AGAIN, Kind.OWN) if policy.rereview_share else kinds


def open_tests(
    user: User, project: Project, *, policy: Policy | None = None, now: datetime | None = None
) -> QuerySet[ReviewTest]:
    """Return the tests that are offered to ``user`` now, the oldest first. No query where the policy places none."""
    rows = ReviewTest.objects.filter(reviewer=user.pk, item__project=project)
    kinds = kinds_placed(policy or current_policy(project)[1])
    if not kinds:
        return rows.none()
    rows = rows.filter(kind__in=kinds, result=None, due_from__lte=now or timezone.now())
    return rows.filter(item__state=Item.State.SETTLED).select_related("item__project").order_by("pk")


def open_test(user: User, item: Item) -> ReviewTest | None:
    """Return the test by which ``user`` has the item before them; None for an item that is what it seems."""
    return open_tests(user, item.project).filter(item=item.pk).first()


def as_it_waits(item: Item, test: ReviewTest | None) -> Item:
    """Return the item as it looks to who is tested on it: in review since the test was due. Never saved."""
    if test is not None:
        item.state, item.state_changed_at = Item.State.REVIEW, test.due_from
    return item


def hides_from(user: User, projects: Iterable[Project]) -> Mapping[int, datetime]:
    """Return from when on what happened to an item is hidden from ``user``, by item; a query a project that places tests."""
    found: dict[int, datetime] = {}
    for project in projects:
        found |= dict(open_tests(user, project).values_list("item_id", "hides_from"))
    return found


def place_test(**fields: Any) -> ReviewTest | None:
    """Keep a test; None where the reviewer had it already. Runs in the caller's transaction."""
    keys = {name: fields[name] for name in ("item", "reviewer", "settled_as")}
    if fields["kind"] == Kind.GOLD:
        keys["kind"] = Kind.GOLD
    test, is_new = ReviewTest.objects.get_or_create(**keys, defaults=fields)
    return test if is_new else None


def keep_result(test: ReviewTest, **fields: Any) -> ReviewTestResult:
    """Keep what the reviewer decided; a second judgement meets the first. Runs in the caller's transaction."""
    result, _ = ReviewTestResult.objects.get_or_create(test=test, defaults=fields)
    return result


def decided_otherwise_by(user: User, project: Project) -> QuerySet[ReviewTest, Any]:
    """Return the ids of items of which ``user`` and another reviewer decided otherwise, where a third is there to decide."""
    rows = ReviewTest.objects.filter(item__project=project, kind=Kind.AGAIN, result__held=False)
    others = seated(project, REVIEWING).exclude(pk__in=[OuterRef("reviewer"), OuterRef("decided_by")])
    mine = rows.filter(Q(reviewer=user.pk) | Q(decided_by=user.pk)).filter(Exists(others))
    return mine.values_list("item_id", flat=True)


def results_of(projects: Sequence[Project]) -> QuerySet[ReviewTestResult]:
    """Return all results in these projects, the oldest first."""
    rows = ReviewTestResult.objects.filter(test__item__project__in=projects)
    return rows.select_related("test__item__project", "test__reviewer").order_by("pk")
