"""Queue, people, teams and activity pages with 100,000 items: python -m tests.benchmarks.bench_pages [--items N].

Writes into the database of DATABASE_URL (migrated), into a project of its own. Each page is asked for ten times after one
that warms up; its median time, this process's processor time and its queries are shown. The goal is 200 ms and 12 queries a
page. With ``--explain`` the plan of each page's slowest statement is printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import django


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--labelers", type=int, default=100)
    parser.add_argument("--explain", action="store_true", help="print the plan of each page's slowest statement")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    from labelhub.projects.policy import Policy
    from tests.benchmarks.crowd import make_project, make_reads

    project, labelers = make_project(n_items=options.items, n_labelers=options.labelers, policy=Policy())
    make_reads(project, labelers, n_items=options.items * 9 // 10, seed=1)
    _analyze()
    admin, worker = project.created_by, labelers[3].user
    print(f"{options.items} items, {options.labelers} labelers; median of 10 requests")
    for name, who, place in (
        ("queue", worker, f"/label/?project={project.slug}"),
        ("people", admin, f"/manage/{project.slug}/people/"),
        ("teams", admin, f"/manage/{project.slug}/teams/"),
        ("activity", admin, f"/manage/{project.slug}/activity/"),
        ("activity of one labeler", admin, f"/manage/{project.slug}/activity/?labeler={labelers[3].pk}"),
        ("activity, oldest first", admin, f"/manage/{project.slug}/activity/?sort=given"),
        ("activity, by closing", admin, f"/manage/{project.slug}/activity/?sort=-closed"),
        ("gold", admin, f"/manage/{project.slug}/gold/"),
    ):
        median_ms, busy_ms, asked = _ask(who, place)
        print(f"{name:26} {median_ms:7.1f} ms  {busy_ms:6.1f} ms of CPU  {len(asked):3d} queries", flush=True)
        if options.explain:
            _explain(*max(asked)[1:])


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _explain(sql: str, params) -> None:
    from django.db import connection

    how = "EXPLAIN (ANALYZE, BUFFERS)" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {sql}", params)
        print(f"    {sql[:200]} …", *("    " + " ".join(map(str, row)) for row in cursor.fetchall()), sep="\n")


def _ask(who, place: str) -> tuple[float, float, list[tuple]]:
    """Return the median time, the processor time of this process, and each statement with its time and parameters."""
    from django.db import connection
    from django.test import Client

    asked: list[tuple] = []

    def counted(execute, sql, params, many, context):
        began = time.perf_counter()
        found = execute(sql, params, many, context)
        asked.append((time.perf_counter() - began, sql, params))
        return found

    client = Client(SERVER_NAME="localhost")
    client.force_login(who)
    client.get(place)
    with connection.execute_wrapper(counted):
        answer = client.get(place)
    assert answer.status_code == 200, (place, answer.status_code)
    times, busy = [], time.process_time()
    for _ in range(10):
        began = time.perf_counter()
        client.get(place)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), 100 * (time.process_time() - busy), asked


if __name__ == "__main__":
    main()
