"""A reviewer's desk from request to answer: python -m tests.benchmarks.bench_desk [--rounds N].

Writes into the database of DATABASE_URL (migrated): the photograph and the volume of ``bench_adjudication``, read by five,
stored as rows and blobs. Opening is the page, its layers and its matters as the browser asks for them, with nothing
remembered of the item; then one answer, the picture on its card, the errors of objects, and settling all of it. Medians; a
second process that has just been restarted opens as slowly as this one does. Goals: a photograph opens within 500 ms, a
volume within 1.5 s, settling within 300 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable

import django
import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    django.setup()
    from django.conf import settings

    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    print("| what | median | processor | goal |\n|---|---|---|---|")
    for name, tool, make, goal in (("photograph", "polygon", _photograph, 500), ("volume", "brush", _volume, 1500)):
        project, people = _project(tool)
        _timed_item(name, project, make(project, people), people[-1], options.rounds, goal)


def _project(tool: str):
    import secrets

    from labelhub.accounts.services import create_person
    from labelhub.projects.models import Role
    from labelhub.projects.ontology import read_ontology
    from labelhub.projects.policy import Policy
    from labelhub.projects.services import add_member, create_project
    from tests.benchmarks.whole_items import LABELS

    word = secrets.token_hex(4)
    names = [f"{n}-{word}" for n in ("admin", "r0", "r1", "r2", "r3", "r4", "reviewer")]
    people = [create_person(username=name, display_name=name, actor="bench") for name in names]
    classes = [
        {"key": label, "name": label.capitalize(), "colour": f"#{(k * 1999999) % 0xFFFFFF:06x}", "tool": tool}
        for k, label in enumerate(LABELS, start=1)
    ]
    project = create_project(
        name=f"desk {word}", ontology=read_ontology({"classes": classes, "questions": []}),
        policy=Policy(readers=5, max_readers=5, use_model=False), created_by=people[0],
    )  # fmt: skip
    for user in people[1:6]:
        add_member(project=project, user=user, role=Role.ANNOTATOR, actor="bench")
    add_member(project=project, user=people[6], role=Role.REVIEWER, actor="bench")
    return project, people


def _photograph(project, people):
    from labelhub.catalog.services import ItemIdentity, add_photograph
    from tests.benchmarks.bench_adjudication import PHOTOGRAPH, photograph
    from tests.benchmarks.whole_items import outlined_readings

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, PHOTOGRAPH, dtype=np.uint8)
    item = add_photograph(project=project, pixels=pixels, identity=ItemIdentity(), source_id="photograph")
    return _read(project, item, people, outlined_readings(photograph(rng)))


def _volume(project, people):
    from labelhub.catalog.services import ItemIdentity, add_volume
    from labelhub.formats.shapes import Grid
    from tests.benchmarks.bench_adjudication import volume
    from tests.benchmarks.whole_items import painted_readings

    rng = np.random.default_rng(0)
    maps = volume(rng)
    pixels = rng.integers(0, 800, maps[0].shape, dtype=np.int16)
    item = add_volume(
        project=project,
        pixels=pixels,
        grid=Grid(pixels.shape, (1.0, 1.0, 1.0)),
        identity=ItemIdentity(),
        source_id="volume",
    )
    return _read(project, item, people, painted_readings(maps))


def _read(project, item, people, readings):
    """Store the readings and send the item to the reviewer without the numbers of its pairs, which a worker would compute."""
    from dataclasses import replace

    from labelhub.catalog.models import Item
    from labelhub.projects.selectors import labeler_of
    from labelhub.workflow import lifecycle

    for user, reading in zip(people[1:6], readings, strict=True):
        own = replace(reading, item=item.code, rater=user.username, read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=item, labeler=labeler_of(user, project), reading=own, is_routed=False)
    Item.objects.filter(pk=item.pk).update(state=Item.State.REVIEW)
    item.refresh_from_db()
    return item


def _timed_item(name, project, item, reviewer, rounds: int, goal: int) -> None:
    from django.db import transaction
    from django.test import Client

    from labelhub.consensus.regions import forget_sittings

    client = Client(SERVER_NAME="localhost")
    client.force_login(reviewer)
    place = f"/review/{project.slug}/{item.code}/"

    def get(address: str):
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        return answer

    def opened() -> None:
        forget_sittings()
        for address in (place, place + "layers/", place + "matters/"):
            get(address)

    def cold(address: str) -> Callable[[], object]:
        def ask() -> object:
            forget_sittings()
            return get(address)

        return ask

    def answer(matter) -> None:
        body = {"key": matter["key"], "choice": "ambiguous", "request_id": str(uuid.uuid4())}
        answered = client.post(place + "matters/answer/", json.dumps(body), content_type="application/json")
        assert answered.status_code == 200, answered.content[:300]

    _timed(f"{name}: opened", opened, rounds, goal)
    _timed("… the page", cold(place), rounds)
    _timed("… its layers", cold(place + "layers/"), rounds)
    _timed("… its matters", cold(place + "matters/"), rounds)
    _timed("… the picture on its card", lambda: get(place + "thumbnail/"), rounds)
    matters = get(place + "matters/").json()["matters"]
    _timed(f"… one answer, of {len(matters)} matters", lambda: answer(matters[0]), rounds)
    _timed("… errors of its objects", lambda: get(place + "errors/"), rounds)
    _answer_all(item, reviewer, matters)

    def settled() -> None:
        with transaction.atomic():
            said = client.post(place + "matters/settle/", {})
            assert said.status_code == 302, said.content[:300]
            transaction.set_rollback(True)

    get(place + "matters/")
    _timed(f"{name}: settled by regions", settled, rounds, 300)


def _answer_all(item, reviewer, matters) -> None:
    """Answer every matter with one of the readers in turn."""
    from labelhub.reviews.adjudications import Given, keep_answer
    from labelhub.workflow import steps

    readers = steps.current_reads(item)
    for number, matter in enumerate(matters):
        given = Given(matter["key"], "reader", readers[number % len(readers)], [], "")
        keep_answer(item=item, reviewer=reviewer, given=given, request_id=uuid.uuid4())


def _timed(what: str, call: Callable[[], object], rounds: int, goal: int | None = None) -> None:
    call()
    wall, busy = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        call()
        wall.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - used))
    told = "" if goal is None else f"{goal} ms"
    print(f"| {what} | {statistics.median(wall):.0f} ms | {statistics.median(busy):.0f} ms | {told} |", flush=True)


if __name__ == "__main__":
    main()
