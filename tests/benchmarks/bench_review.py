"""The reviewer's pages with 100,000 items: python -m tests.benchmarks.bench_review [--items N] [--waiting N] [--explain].

Writes into the database of DATABASE_URL (migrated), into a project of its own: rows made in bulk, one item in five waiting for
a reviewer with two readings, routes and an agreement. Each page is asked for ten times after one that warms up; its median
time, this process's processor time and its queries are shown, under four policies; of what else an inbox may hold (begun
today, tests of the reviewer, questions, claims) there is a little. The goal is 200 ms and 12 queries.
"""

from __future__ import annotations

import argparse
import os
import secrets
from datetime import timedelta

import django
import numpy as np

from tests.benchmarks.bench_pages import _analyze, _ask, _explain

A_TIME = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=20_000)
    parser.add_argument("--explain", action="store_true", help="print the plan of each page's slowest statement")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    from labelhub.projects.policy import Policy
    from labelhub.projects.services import publish_policy
    from tests.benchmarks.crowd import make_project, make_reads

    project, labelers = make_project(n_items=options.items, n_labelers=100, policy=Policy())
    make_reads(project, labelers, n_items=options.items * 9 // 10, seed=1)
    reviewer = _reviewer(project)
    _let_wait(project, labelers, options.waiting)
    _begin(project, reviewer)
    _analyze()
    print(f"{options.items} items, {options.waiting} wait for a reviewer; median of 10 requests")
    tested = {"review_blind": True, "rereview_share": 0.1, "review_gold_share": 0.1}
    policies = {
        "by default": Policy(),
        "a panel of 3, at most 50 a day": Policy(panel_reviewers=3, reviews_a_day=50),
        "blind, with tests of reviewers": Policy(**tested),
        "all of these": Policy(panel_reviewers=3, reviews_a_day=50, **tested),
    }
    for how, policy in policies.items():
        publish_policy(project=project, policy=policy, by=project.created_by)
        for name, place in (
            ("inbox", "/review/"), ("inbox of the project", f"/review/?project={project.slug}"),
            ("threads", "/review/threads/"), ("my reviewing", "/review/me/"),
        ):  # fmt: skip
            median_ms, busy_ms, asked = _ask(reviewer, place)
            print(
                f"{how:32} {name:22} {median_ms:7.1f} ms  {busy_ms:6.1f} ms of CPU  {len(asked):3d} queries", flush=True
            )
            if options.explain:
                _explain(*max(asked, key=lambda entry: entry[0])[1:])


def _reviewer(project):
    from labelhub.accounts.models import User
    from labelhub.projects.models import Membership, Role

    word = secrets.token_hex(4)
    user = User.objects.create(username=f"reviewer-{word}", display_name="Reviewer")
    Membership.objects.create(project=project, user=user, role=Role.REVIEWER)
    return user


def _let_wait(project, labelers, n_waiting: int) -> None:
    """Give every read item an agreement, and of some a second reading and routes, the last of which leads to a reviewer."""
    from django.utils import timezone

    from labelhub.assignments.models import Assignment
    from labelhub.catalog.models import Item
    from labelhub.projects.selectors import current_policy
    from labelhub.routing.models import Route
    from labelhub.scoring.models import Score
    from labelhub.scoring.rows import CURRENT_AGREEMENT

    rng, now = np.random.default_rng(2), timezone.now()
    items = list(Item.objects.filter(project=project, reads_taken=1).order_by("pk"))
    step = max(1, len(items) // n_waiting)
    waiting = items[::step][:n_waiting]
    Score.objects.bulk_create(
        (
            Score(item=item, about=Score.About.ITEM, metric=CURRENT_AGREEMENT, value=float(rng.uniform()), n=1,
                  method="bench", method_version="1")
            for item in items
        ),
        batch_size=A_TIME,
    )  # fmt: skip
    taken = dict(Assignment.objects.filter(item__project=project).values_list("item", "labeler"))
    Assignment.objects.bulk_create(
        (
            Assignment(
                item=item, labeler=next(one for one in labelers[int(rng.integers(90)) :] if one.pk != taken[item.pk]),
                state=Assignment.State.SUBMITTED, read_kind="independent", planned_blind=True, reason="Second reader.",
                begun_at=now, closed_at=now,
            )
            for item in waiting
        ),
        batch_size=A_TIME,
    )  # fmt: skip
    version = current_policy(project)[0]
    routes = (("more-readers", "too-few-readers", "1 of 2."), ("reviewer", "readers-exhausted", "2 readers disagree."))
    for outcome, rule, reason in routes:
        Route.objects.bulk_create(
            (
                Route(item=item, outcome=outcome, rule=rule, reason=reason, policy=version, method_version="1")
                for item in waiting
            ),
            batch_size=A_TIME,
        )
    for item in waiting:
        item.state, item.reads_taken = Item.State.REVIEW, 2
        item.state_changed_at = now - timedelta(hours=float(rng.uniform(0, 500)))
    Item.objects.bulk_update(waiting, ["state", "reads_taken", "state_changed_at"], batch_size=500)


def _begin(project, reviewer) -> None:
    """Of everything that an inbox may hold a little: begun today, tests of the reviewer, questions and claims."""
    from django.db import transaction
    from django.utils import timezone

    from labelhub.assignments.models import Assignment
    from labelhub.audit import services as audit
    from labelhub.catalog.models import Item
    from labelhub.reviews.calibration_models import ReviewTest
    from labelhub.reviews.questions import keep_claim, keep_question

    now = timezone.now()
    items = Item.objects.filter(project=project)
    with transaction.atomic():
        for item in items.filter(state=Item.State.REVIEW).order_by("pk")[:20]:
            audit.append(
                project_id=project.pk, kind="matter.answered", actor=f"user:{reviewer.pk}", subject=f"item:{item.pk}"
            )
    ReviewTest.objects.bulk_create(
        ReviewTest(
            item=item, reviewer=reviewer, kind="again", decided_by=project.created_by, settled_as=1, hides_from=now,
            reason="2 readers disagree.", due_from=now,
        )
        for item in items.filter(state=Item.State.SETTLED).order_by("pk")[:10]
    )  # fmt: skip
    for number, work in enumerate(Assignment.objects.filter(item__project=project).order_by("pk")[:6]):
        if number % 2:
            keep_question(assignment=work, text="Is this debris?")
        else:
            keep_claim(assignment=work, reason="Black.")


if __name__ == "__main__":
    main()
