"""How fast work is handed out, and that nothing is handed out twice: python -m tests.benchmarks.bench_claims.

Writes into the database of DATABASE_URL (PostgreSQL, migrated), into a project of its own. Two runs: *contention*, 100
labelers who claim as fast as they can until all items are gone (0 doubles, 0 stranded); *rate*, claims that arrive at
100 a second whether or not earlier ones are answered (open loop): response times from the moment a claim was due. What was
claimed is finished and settled at once, as its only reading would have it; that is no part of the claim.

Beside the clock, which other people's load disturbs, the processor time of a claim: of the thread that asks, and of the
server's process behind its connection (where the server runs on this machine).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import threading
import time
from collections import Counter
from pathlib import Path

import django
import numpy as np

PROCESSES = 2
# As many as a server process has connections: it answers many people through few.
THREADS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=["contention", "rate"])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--labelers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    _setup()
    from django.db import connections

    from labelhub.projects.policy import Policy
    from tests.benchmarks.crowd import make_project

    project, labelers = make_project(
        n_items=options.items, n_labelers=options.labelers, policy=Policy(readers=options.readers, gold_share=0.0)
    )
    connections.close_all()
    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE")
    connections.close_all()
    keys = [labeler.pk for labeler in labelers]
    plan = {"rate": options.rate, "seconds": options.seconds} if options.run == "rate" else {}
    times, lasted = _spread(keys, options.processes, plan)
    _report(project.pk, times, lasted, options)


# Seconds from when it was due, seconds of the asking thread, seconds of the database's process.
Took = tuple[float, float, float]


def _spread(keys: list[int], processes: int, plan: dict[str, float]) -> tuple[list[Took], float]:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    gate = context.Barrier(processes + 1)
    parts = [keys[n::processes] for n in range(processes)]
    running = [
        context.Process(target=_serve, args=(part, gate, answers, plan | {"share": 1 / processes} if plan else {}))
        for part in parts
    ]
    for process in running:
        process.start()
    gate.wait(timeout=120)
    began = time.perf_counter()
    found = [answers.get(timeout=900) for _ in running]
    lasted = time.perf_counter() - began
    for process in running:
        process.join(timeout=30)
    return [each for part in found for each in part], lasted


def _setup() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()


def _serve(keys: list[int], gate, answers, plan: dict[str, float]) -> None:
    _setup()
    from django.db import connections

    from labelhub.projects.models import Labeler

    labelers = list(Labeler.objects.select_related("project", "user").filter(pk__in=keys))
    connections.close_all()
    times: list[Took] = []
    work = _as_they_come(labelers, plan, times) if plan else _all_there_is(labelers, times)
    gate.wait(timeout=120)
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put(times)


def _all_there_is(labelers, times):
    """Each labeler claims until there is nothing; a thread serves whoever is next."""
    queue, lock = list(labelers), threading.Lock()

    def run():
        from django.db import connection

        server = _server_process()
        while True:
            with lock:
                labeler = queue.pop(0) if queue else None
            if labeler is None:
                break
            has_more = _timed_claim(labeler, time.perf_counter(), server, times)
            if has_more:
                with lock:
                    queue.append(labeler)
        connection.close()

    return run


def _as_they_come(labelers, plan, times):
    rng = np.random.default_rng(os.getpid())
    rate = plan["rate"] * plan["share"]
    due = np.cumsum(rng.exponential(1 / rate, size=int(rate * plan["seconds"])))
    place, lock, began = [0], threading.Lock(), []

    def run():
        from django.db import connection

        server = _server_process()
        with lock:
            began.append(time.perf_counter())
        while True:
            with lock:
                number = place[0]
                place[0] += 1
            if number >= len(due):
                break
            at = began[0] + 0.5 + due[number]
            time.sleep(max(0.0, at - time.perf_counter()))
            _timed_claim(labelers[number % len(labelers)], at, server, times)
        connection.close()

    return run


def _timed_claim(labeler, due: float, server: Path | None, times: list[Took]) -> bool:
    """Claim, note what it took, and have the work done at once, so that the next claim is one."""
    from labelhub.assignments.models import Assignment
    from labelhub.catalog.models import Item
    from labelhub.workflow import lifecycle

    here, there = time.thread_time(), _busy(server)
    given = lifecycle.hand_out(labeler=labeler)
    times.append((time.perf_counter() - due, time.thread_time() - here, _busy(server) - there))
    if given is None:
        return False
    Assignment.objects.filter(pk=given.pk, state="open").update(state="submitted", lease_until=None)
    Item.objects.filter(pk=given.item_id).update(state="settled")
    return True


def _server_process() -> Path | None:
    """Where this machine tells how long the process behind this thread's connection has computed; None where it cannot."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        place = Path("/proc") / str(cursor.fetchone()[0]) / "schedstat"
    return place if place.exists() else None


def _busy(server: Path | None) -> float:
    return math.nan if server is None else int(server.read_text().split()[0]) / 1e9


def _report(project_id: int, times: list[Took], lasted: float, options) -> None:
    from labelhub.assignments.models import Assignment
    from labelhub.audit.services import chain_of, verify
    from labelhub.catalog.models import Item

    reads = Counter(Assignment.objects.filter(item__project=project_id).values_list("item", flat=True))
    n_items = Item.objects.filter(project=project_id).count()
    double = sum(count > options.readers for count in reads.values())
    stranded = n_items - len(reads) if options.run == "contention" else 0
    in_ms, here, there = (np.array(times) * 1000).T
    print(
        f"{options.run}: {len(times)} claims by {options.labelers} labelers of {n_items} items in {lasted:.1f} s "
        f"({len(times) / lasted:.0f} a second); {double} double, {stranded} stranded; "
        f"p50 {np.percentile(in_ms, 50):.1f} ms, p95 {np.percentile(in_ms, 95):.1f} ms, p99 {np.percentile(in_ms, 99):.1f} ms"
    )
    print(
        f"processor time of a claim: {np.mean(here):.2f} ms of the process that asks, {np.mean(there):.2f} ms of the database"
    )
    print(verify(chain_of(project_id)).explanation)


if __name__ == "__main__":
    main()
