"""Many people at the same moment: no item handed out beyond what is wanted, one submission for one request.

The threads need a database that several of them reach at once; SQLite in memory has one connection and nothing to contend.
Planted once and seen to fail: the count under the lock left out of ``handing_out`` (first test; third, with more reads than
wanted); no waiting for items that others hold (second; third, with an item stranded); the labeler's row not locked (last).
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from typing import Any

import pytest
from django.db import connection, connections, transaction

from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.audit.services import chain_of, verify
from labelhub.routing.models import Route
from labelhub.workflow import handing_out, lifecycle
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, draw, labeler, new_annotator, next_for, set_policy, submit, take

WORKERS, ITEMS = 5, 4


@pytest.fixture
def _several_connections(transactional_db) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("one connection: nothing to contend")


def test_an_item_taken_between_looking_and_locking_is_not_handed_out_again(cast: Cast, monkeypatch):
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    real = handing_out.instances
    quicker: list[Assignment] = []

    def slow_lock(*statement):
        if not quicker:
            # Marked before, because the quicker one looks and locks too.
            quicker.append(Assignment())
            quicker.append(take(cast, cast.ben))
        return real(*statement)

    monkeypatch.setattr(handing_out, "instances", slow_lock)
    assert next_for(cast, cast.ann) is None
    assert [row.labeler.user for row in Assignment.objects.filter(item=item)] == [cast.ben]


def at_once(*tasks) -> list[BaseException]:
    """Run the tasks in threads that start together; return what they raised."""
    gate, raised = threading.Barrier(len(tasks)), []

    def run(task):
        try:
            gate.wait(timeout=20)
            task()
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's to judge
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return raised


@pytest.mark.usefixtures("_several_connections")
def test_who_asks_while_somebody_holds_the_last_item_waits_for_it_and_gets_it(monkeypatch):
    cast = make_cast()
    set_policy(cast, readers=1)
    item = add_item(cast.project)
    waits = threading.Event()
    real, got = lifecycle.locked, []

    def waiting_lock(key):
        # Asked for by a lock that waits: before, the item was passed over, because it is held.
        waits.set()
        return real(key)

    def ask():
        try:
            got.append(next_for(cast, cast.ann))
        finally:
            connections.close_all()

    with transaction.atomic():
        real(item.pk)
        monkeypatch.setattr(lifecycle, "locked", waiting_lock)
        asking = threading.Thread(target=ask)
        asking.start()
        assert waits.wait(timeout=20)
    asking.join(timeout=20)
    assert [row.item_id for row in got] == [item.pk]


@pytest.mark.usefixtures("_several_connections")
def test_no_item_is_handed_out_twice_too_often_and_none_is_stranded(monkeypatch):
    """The first item that anybody takes stays held until everybody else has nothing but it to ask for, or went away."""
    cast = make_cast()
    set_policy(cast, readers=2)
    for number in range(ITEMS):
        add_item(cast.project, seed=number)
    people = [new_annotator(cast, f"Worker {number}") for number in range(WORKERS)]
    give, lock = lifecycle._give, lifecycle.locked
    held: list[Any] = []
    idle, all_idle, one_at_a_time = set(), threading.Event(), threading.Lock()

    def no_other_work(user_thread):
        with one_at_a_time:
            idle.add(user_thread)
            if len(idle) == WORKERS - 1:
                all_idle.set()

    def slow_give(choice, desk, at):
        with one_at_a_time:
            is_first = not held
            held.append(choice.item.pk)
        assert not is_first or all_idle.wait(timeout=50)
        return give(choice, desk, at)

    def waiting_lock(key):
        if key == held[0]:
            no_other_work(threading.get_ident())
        return lock(key)

    monkeypatch.setattr(lifecycle, "_give", slow_give)
    monkeypatch.setattr(lifecycle, "locked", waiting_lock)

    def work(user):
        def all_there_is():
            while (assignment := lifecycle.hand_out(labeler=labeler(cast, user))) is not None:
                lifecycle.submit(assignment=assignment, by=user, request_id=uuid.uuid4(), no_finding=True)
            no_other_work(threading.get_ident())

        return all_there_is

    assert at_once(*(work(user) for user in people)) == []
    reads = Counter(Assignment.objects.values_list("item", flat=True))
    assert set(reads.values()) == {2}
    assert len(reads) == ITEMS
    assert verify(chain_of(cast.project.pk)).broken_at is None


@pytest.mark.usefixtures("_several_connections")
def test_one_request_sent_by_several_windows_is_one_submission():
    cast = make_cast()
    set_policy(cast, readers=1)
    add_item(cast.project)
    assignment = take(cast, cast.ann)
    draw(assignment, cast.ann, (10, 10, 20))
    request_id, replies = uuid.uuid4(), []

    def send():
        replies.append(submit(assignment, cast.ann, request_id=request_id).pk)

    assert at_once(*[send] * 6) == []
    assert len(set(replies)) == 1
    assert (Submission.objects.count(), Route.objects.count()) == (1, 1)


@pytest.mark.usefixtures("_several_connections")
def test_a_labeler_who_asks_twice_at_once_is_given_one_item():
    cast = make_cast()
    set_policy(cast, readers=1)
    for number in range(ITEMS):
        add_item(cast.project, seed=number)
    given = []
    for _ in range(3):
        assert at_once(*[lambda: given.append(next_for(cast, cast.ann))] * 4) == []
    assert len({assignment.pk for assignment in given}) == 1
