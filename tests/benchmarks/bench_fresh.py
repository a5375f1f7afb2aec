"""How old a project's numbers are while readings come in: python -m tests.benchmarks.bench_fresh [--submissions N].

Writes into the database of DATABASE_URL (PostgreSQL, migrated), into a project of its own with several thousand submissions
of real shapes, scored. Then one process hands in readings at 10 a second (open loop, through ``lifecycle``), one ordinary
worker runs beside it, and a third looks ten times a second at which submission the kept panel rests on. The age at a moment
is the time since the oldest committed submission that the panel has not seen was committed; 0 where it has seen all. Numbers
of the item and its pairs are stored in the transaction of the reading itself. The goal is 2 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import django
import numpy as np

A_TIME = 2000
LOOKS_A_SECOND = 10
SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=4000)
    parser.add_argument("--readers", type=int, default=3)
    parser.add_argument("--labelers", type=int, default=20)
    parser.add_argument("--shapes", type=int, default=3)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--profile", action="store_true", help="say where the time of one measure goes, and stop")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    project, labelers, items = filled(options)
    first, again = one_by_one(project, items, labelers, profile=options.profile)
    print(
        f"{options.submissions} submissions: a measure of all {first:.2f} s of CPU, after one more reading {again:.2f} s"
    )
    if not options.profile:
        played(project, labelers, items, options)


def filled(options: argparse.Namespace) -> tuple[Any, list[Any], list[Any]]:
    """A project whose items have their readings but one each of the last ones, every item scored."""
    from django.db import transaction
    from django.utils import timezone

    from labelhub.annotations.models import Annotation, Answer, Submission
    from labelhub.assignments.models import Assignment
    from labelhub.catalog.models import Item, Medium
    from labelhub.projects.policy import Policy
    from labelhub.projects.selectors import current_guideline, current_ontology, current_policy
    from labelhub.scoring.services import score_item
    from tests.benchmarks.crowd import make_project

    rng = np.random.default_rng(1)
    n_items = options.submissions // options.readers + int(options.rate * options.seconds)
    policy = Policy(readers=options.readers, max_readers=options.readers, gold_share=0.0, gold_share_undecided=0.0)
    project, labelers = make_project(n_items=n_items, n_labelers=options.labelers, policy=policy)
    items = list(Item.objects.filter(project=project).order_by("pk"))
    media = Medium.objects.bulk_create(
        (Medium(item=item, kind="photograph", size_y=SIDE, size_x=SIDE) for item in items), batch_size=A_TIME
    )
    # The first items have all their readings, the others all but the one that is played later.
    counts = [options.readers] * (options.submissions // options.readers)
    counts += [options.readers - 1] * (n_items - len(counts))
    while sum(counts) > options.submissions:
        counts.pop(0)
    counts = [0] * (n_items - len(counts)) + counts
    chosen = [rng.permutation(len(labelers))[:count] for count in counts]
    assignments = Assignment.objects.bulk_create(
        (
            Assignment(item=item, labeler=labelers[who], state="submitted", read_kind="independent", planned_blind=True)
            for item, readers in zip(items, chosen, strict=True)
            for who in readers
        ),
        batch_size=A_TIME,
    )
    ontology, guideline, version = current_ontology(project)[0], current_guideline(project), current_policy(project)[0]
    now = timezone.now()
    submissions = Submission.objects.bulk_create(
        (
            Submission(
                assignment=row, request_id=uuid.uuid4(), ontology=ontology, guideline=guideline, policy=version,
                read_kind="independent", planned_blind=True, submitted_at=now, day=now.date(), active_s=30.0,
                asked_labels=["nucleus", "debris", "lesion"], asked_questions=["quality"],
            )
            for row in assignments
        ),
        batch_size=A_TIME,
    )  # fmt: skip
    place = {item.pk: number for number, item in enumerate(items)}
    drawn = [(submission, place[submission.assignment.item_id]) for submission in submissions]
    Annotation.objects.bulk_create(
        (
            Annotation(submission=submission, medium=media[number], shape_id=str(uuid.uuid4()), label="nucleus",
                       regions=[{"kind": "polygon", "points": ring}])
            for submission, number in drawn
            for ring in rings(number, options.shapes, rng)
        ),
        batch_size=A_TIME,
    )  # fmt: skip
    Answer.objects.bulk_create(
        (Answer(submission=s, question="quality", value=str(rng.choice(["poor", "fair", "good"]))) for s, _ in drawn),
        batch_size=A_TIME,
    )
    Item.objects.filter(pk__in=[i.pk for i, c in zip(items, counts, strict=True) if c]).update(
        state="reading", reads_taken=options.readers - 1
    )
    for item, count in zip(items, counts, strict=True):
        if count:
            with transaction.atomic():
                score_item(item)
    waiting = [item for item, count in zip(items, counts, strict=True) if count < options.readers]
    return project, labelers, waiting


def rings(number: int, n_shapes: int, rng: np.random.Generator) -> list[list[list[float]]]:
    """Outlines of one reader of an item: at the same places for all, each a little off."""
    own = np.random.default_rng(number)
    centres = own.uniform(30, SIDE - 30, (n_shapes, 2))
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    found = []
    for centre in centres:
        radius = 14 + rng.normal(0, 1.0, len(angle))
        ring = centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        found.append(ring.round(1).tolist())
    return found


def read(item: Any, labelers: list[Any], n_shapes: int, rng: np.random.Generator) -> None:
    """Hand in a reading by somebody who has none of the item."""
    from labelhub.assignments.models import Assignment
    from labelhub.formats.shapes import Reading, Region, Shape
    from labelhub.projects.models import Labeler
    from labelhub.workflow import lifecycle

    met = set(Assignment.objects.filter(item=item).values_list("labeler_id", flat=True))
    labeler: Labeler = next(entry for entry in rng.permutation(np.array(labelers, dtype=object)) if entry.pk not in met)
    number = int(item.code)
    shapes = tuple(
        Shape(shape_id=str(uuid.uuid4()), label="nucleus", regions=(Region("polygon", np.array(ring)),))
        for ring in rings(number, n_shapes, rng)
    )
    answer = str(rng.choice(["poor", "fair", "good"]))
    reading = Reading(
        item=item.code, rater=str(labeler.pk), shapes=shapes, answers={"quality": answer}, read_kind="independent",
        planned_blind=True,
    )  # fmt: skip
    lifecycle.record_reading(item=item, labeler=labeler, reading=reading)


def one_by_one(project: Any, items: list[Any], labelers: list[Any], *, profile: bool) -> tuple[float, float]:
    """CPU seconds of a measure by a process that knows nothing, and of one after a further reading."""
    import cProfile
    import pstats

    from labelhub.analytics.services import measure_project

    def timed() -> float:
        begun = time.process_time()
        measure_project(project)
        return time.process_time() - begun

    first = timed()
    read(items.pop(), labelers, 3, np.random.default_rng(0))
    if profile:
        found = cProfile.Profile()
        found.runcall(timed)
        pstats.Stats(found).sort_stats("tottime").print_stats(40)
        pstats.Stats(found).sort_stats("cumulative").print_stats(60)
        read(items.pop(), labelers, 3, np.random.default_rng(0))
    return first, timed()


def played(project: Any, labelers: list[Any], items: list[Any], options: argparse.Namespace) -> None:
    from django.db import connection, connections

    connections.close_all()
    worker = subprocess.Popen([sys.executable, "manage.py", "worker"], stdout=subprocess.DEVNULL)
    try:
        wait_until_current(project)
        committed: list[tuple[int, float]] = []
        took: list[float] = []
        looks: list[tuple[float, int]] = []
        over = threading.Event()
        observer = threading.Thread(target=look, args=(project.pk, over, looks))
        observer.start()
        rng = np.random.default_rng(2)
        began, busy = time.monotonic(), cpu_of(worker.pid)
        for number, item in enumerate(items[: int(options.rate * options.seconds)]):
            time.sleep(max(0.0, began + number / options.rate - time.monotonic()))
            at = time.monotonic()
            read(item, labelers, options.shapes, rng)
            committed.append((newest(project.pk), time.monotonic()))
            took.append(time.monotonic() - at)
        lasted = time.monotonic() - began
        busy = cpu_of(worker.pid) - busy
        over.set()
        observer.join()
        connection.close()
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    report(committed, looks, took, lasted, busy)


def report(
    committed: list[tuple[int, float]], looks: list[tuple[float, int]], took: list[float], lasted: float, busy: float
) -> None:
    ages = []
    for at, seen in looks:
        missed = [then for pk, then in committed if pk > seen and then <= at]
        ages.append(at - min(missed) if missed else 0.0)
    n_panels = len({seen for _, seen in looks})
    print(
        f"{len(committed)} submissions in {lasted:.1f} s ({len(committed) / lasted:.1f} a second), {n_panels} panels; project "
        f"numbers: age median {np.median(ages):.2f} s, p99 {np.percentile(ages, 99):.2f} s, most {max(ages):.2f} s; item and "
        f"pair numbers: stored with the reading, median {1000 * np.median(took):.0f} ms, p99 "
        f"{1000 * np.percentile(took, 99):.0f} ms; the worker computed {busy:.1f} s ({100 * busy / lasted:.0f} % of one core)"
    )


def look(project_id: int, over: threading.Event, looks: list[tuple[float, int]]) -> None:
    """Note, again and again, the newest submission that the kept panel rests on."""
    from django.db import connection

    from labelhub.analytics.models import Rollup

    while not over.wait(1 / LOOKS_A_SECOND):
        print_ = Rollup.objects.filter(project=project_id).values_list("fingerprint", flat=True).get()
        looks.append((time.monotonic(), int(print_.split("-")[0])))
    connection.close()


def newest(project_id: int) -> int:
    from django.db.models import Max

    from labelhub.annotations.models import Submission

    found = Submission.objects.filter(assignment__item__project=project_id).aggregate(newest=Max("pk"))["newest"]
    return int(found)


def wait_until_current(project: Any) -> None:
    """Let the worker do what is waiting (it begins knowing nothing), so that the minute shows the steady state."""
    from labelhub.analytics.services import ask_for_measure, kept_and_current
    from labelhub.jobs.models import Job

    ask_for_measure(project)
    while True:
        kept, current = kept_and_current(project)
        waiting = Job.objects.filter(project_id=project.pk, state__in=["queued", "running"], kind="analytics.measure")
        if kept is not None and kept[1] == current and not waiting.exists():
            return
        time.sleep(0.5)


def cpu_of(pid: int) -> float:
    """Seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
