"""The labelers' page with 50 labelers and 20,000 submissions: time and queries. python -m tests.benchmarks.bench_labelers.

It makes a database of its own in memory (or a test database on the server that DATABASE_URL names), fills it with rows as the
steps of the loop would leave them, and asks for the page with the test client. Target: 200 ms and 12 queries.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import UTC, datetime, timedelta

import django


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labelers", type=int, default=50)
    parser.add_argument("--items", type=int, default=7000)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--gold", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true", help="say where the time of one page goes")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from django.test.utils import setup_databases, teardown_databases

    kept = setup_databases(verbosity=0, interactive=False)
    try:
        measure(options)
    finally:
        teardown_databases(kept, verbosity=0)


def measure(options: argparse.Namespace) -> None:
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    from labelhub.annotations.models import Submission
    from labelhub.workflow import gating
    from tests.cast import make_cast

    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cast = make_cast()
    fill(cast, options)
    begun = time.perf_counter()
    gating.reconsider_project(cast.project)
    print(f"gates of {options.labelers} labelers computed and kept in {time.perf_counter() - begun:.2f} s")
    keep_panel(cast)
    client = Client()
    client.force_login(cast.ada)
    if options.profile:
        profiled(client, f"/manage/{cast.project.slug}/labelers/")
    for place in ("labelers/", "labelers/?format=csv", "gate/"):
        address = f"/manage/{cast.project.slug}/{place}"
        first = timed(client, address)
        n_queries = queries_of(client, address)
        busy = time.process_time()
        times = [timed(client, address) for _ in range(options.rounds)]
        busy = (time.process_time() - busy) / options.rounds * 1000
        print(
            f"{connection.vendor} {place}: {Submission.objects.count()} submissions, {n_queries} queries, median "
            f"{statistics.median(times):.0f} ms, best {min(times):.0f}, worst {max(times):.0f}, first {first:.0f}; "
            f"{busy:.0f} ms of CPU"
        )


def queries_of(client, address: str) -> int:
    from django.db import connection

    asked: list[str] = []

    def heard(run, sql, *rest):
        asked.append(sql)
        return run(sql, *rest)

    with connection.execute_wrapper(heard):
        timed(client, address)
    return len(asked)


def profiled(client, address: str) -> None:
    import cProfile
    import pstats

    timed(client, address)
    profile = cProfile.Profile()
    profile.enable()
    timed(client, address)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(28)


def timed(client, address: str) -> float:
    begun = time.perf_counter()
    answer = client.get(address)
    if answer.streaming:
        b"".join(answer.streaming_content)
    assert answer.status_code == 200, answer.status_code
    return (time.perf_counter() - begun) * 1000


def fill(cast, options: argparse.Namespace) -> None:
    """Rows as many readings leave them: items, assignments, submissions, gold with scores, reviews."""
    import numpy as np

    from labelhub.accounts.models import User
    from labelhub.annotations.models import Submission
    from labelhub.assignments.models import Assignment
    from labelhub.catalog.models import Item
    from labelhub.projects.models import Labeler
    from labelhub.projects.selectors import current_ontology, current_policy
    from labelhub.reviews.models import Decision
    from labelhub.scoring.models import GoldReference, Score

    rng = np.random.default_rng(1)
    project = cast.project
    users = User.objects.bulk_create(
        [User(username=f"w{n}", display_name=f"Labeler {n}") for n in range(options.labelers)]
    )
    labelers = Labeler.objects.bulk_create(
        [Labeler(project=project, user=user, name=user.display_name) for user in users]
    )
    items = Item.objects.bulk_create(
        [
            Item(
                project=project, code=f"B{n:07d}", group_key=f"g{n}", group_kind="patient",
                state="settled" if n % 3 else "reading",
            )
            for n in range(options.items)
        ],
        batch_size=2000,
    )  # fmt: skip
    ontology, policy = current_ontology(project)[0], current_policy(project)[0]
    start = datetime(2026, 1, 5, tzinfo=UTC)
    readers = [
        rng.choice(options.labelers, min(options.labelers if n < options.gold else options.readers, 15), replace=False)
        for n in range(options.items)
    ]
    assignments = Assignment.objects.bulk_create(
        [
            Assignment(item=item, labeler=labelers[who], state="submitted", read_kind="independent", planned_blind=True)
            for item, chosen in zip(items, readers, strict=True)
            for who in chosen
        ],
        batch_size=2000,
    )
    submissions = Submission.objects.bulk_create(
        [
            Submission(
                assignment=assignment, ontology=ontology, policy=policy, read_kind="independent", planned_blind=True,
                active_s=float(rng.uniform(20, 90)), submitted_at=start + timedelta(minutes=n),
                day=(start + timedelta(minutes=n)).date(),
            )
            for n, assignment in enumerate(assignments)
        ],
        batch_size=2000,
    )  # fmt: skip
    golds = {
        item.pk: GoldReference.objects.create(item=item, submission=submissions[0], kind="hidden")
        for item in items[: options.gold]
    }
    skill = dict(zip((labeler.pk for labeler in labelers), rng.uniform(0.7, 0.97, options.labelers), strict=True))
    Score.objects.bulk_create(
        [
            Score(
                item_id=submission.assignment.item_id, about="gold", first=submission,
                gold=golds[submission.assignment.item_id], metric="right", n=1, method="bench", method_version="1",
                value=float(rng.random() < skill[submission.assignment.labeler_id]),
            )
            for submission in submissions
            if submission.assignment.item_id in golds
        ],
        batch_size=2000,
    )  # fmt: skip
    Decision.objects.bulk_create(
        [
            Decision(
                item_id=submission.assignment.item_id, submission=submission, reviewer=cast.rita, verdict="accept",
                score=int(rng.integers(4, 11)), request_id=submission.request_id,
            )
            for submission in submissions[::20]
        ],
        batch_size=2000,
    )  # fmt: skip


def keep_panel(cast) -> None:
    """Measuring 20,000 readings is a worker's job: here the panel of the demo's plan stands in, with a row for each labeler."""
    import dataclasses

    import numpy as np
    from django.utils import timezone

    from labelhub.analytics.models import Rollup
    from labelhub.analytics.panel_store import to_bytes
    from labelhub.analytics.services import fingerprint_of
    from labelhub.annotations.plain import rater_key
    from labelhub.config.demo import plan
    from labelhub.config.demo.cutting import chosen_cuts
    from labelhub.config.demo.pictures import parents
    from labelhub.projects.models import Labeler
    from labelhub.scoring.panel_rows import VERSION
    from tests.demo.test_planted_faults import panel_of

    cuts = chosen_cuts(parents(), plan.ITEMS, np.random.default_rng(plan.SEED))
    panel = panel_of(cuts, plan.SEED)
    rows = tuple(
        dataclasses.replace(panel.labelers[n % len(panel.labelers)], rater=rater_key(labeler))
        for n, labeler in enumerate(Labeler.objects.filter(project=cast.project).order_by("pk"))
    )
    Rollup.objects.create(
        project=cast.project, fingerprint=fingerprint_of(cast.project), n_submissions=20_000,
        content=to_bytes(dataclasses.replace(panel, labelers=rows)), method_version=VERSION, made_at=timezone.now(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
