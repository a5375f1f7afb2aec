"""Random lives of items, in memory against a second table and through the database against what must always hold.

Planted once and seen to fail: a move "excluded → reading" added to the table (first test), the count of filled reads not
taken under the lock and off by one (second test), and the state of an item written without ``move`` (second test).
"""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.audit.services import chain_of, verify
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.reviews.models import Decision
from labelhub.routing.models import Route
from labelhub.workflow import lifecycle, states
from labelhub.workflow.auditing import REASON
from labelhub.workflow.errors import IllegalMove, ItemChanged
from tests.cast import Cast
from tests.workflow.walking import add_item, draw, labeler, new_annotator, review, set_policy

# Written down a second time, from the description of the loop and not from the code.
FOLLOWS = """
waiting: reading excluded
reading: waiting rework review settled excluded
rework: reading review settled excluded
review: reading rework settled excluded
settled: review rework excluded
excluded:
"""
MODEL = {line.split(":")[0]: set(line.split(":")[1].split()) for line in FOLLOWS.strip().splitlines()}


def test_a_long_random_walk_in_memory_never_leaves_the_second_table():
    rng = np.random.default_rng(20_240)
    names = sorted(MODEL)
    assert sorted(Item.State.values) == names
    steps = rng.integers(0, len(names), size=(50_000, 2))
    for start, end in ((names[a], names[b]) for a, b in steps):
        assert states.is_allowed(start, end) == (start == end or end in MODEL[start])


def test_a_move_off_the_table_or_from_a_state_that_passed_is_refused(cast: Cast):
    item = add_item(cast.project)
    stale = Item.objects.get(pk=item.pk)
    with pytest.raises(IllegalMove):
        states.move(item=item, to="settled")
    states.move(item=item, to="reading")
    with pytest.raises(ItemChanged):
        states.move(item=stale, to="excluded")
    assert Item.objects.get(pk=item.pk).state == "reading"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_people_never_bring_an_item_into_a_state_that_cannot_be(cast: Cast, seed: int):
    rng = np.random.default_rng(seed)
    set_policy(cast, readers=2, max_readers=3)
    people = [cast.ann, cast.ben, cast.rita, cast.ada, new_annotator(cast, "Cleo"), new_annotator(cast, "Dan")]
    for number in range(4):
        add_item(cast.project, seed=number)
    before = states_of()
    done = refused = 0
    for _ in range(120):
        try:
            act(cast, rng, people)
            done += 1
        except (DomainError, NotFound, NotAllowed, ValueError):
            refused += 1
        after = states_of()
        for key, now in after.items():
            # One act takes at most a few steps: each pair of ends must be joined by the table.
            assert now in reachable(before[key]), f"seed {seed}: {before[key]} → {now}"
        before = after
        check_what_always_holds()
    assert done > 60, "most acts were possible"
    assert verify(chain_of(cast.project.pk)).broken_at is None


def act(cast: Cast, rng: np.random.Generator, people) -> None:
    user = people[rng.integers(len(people))]
    kind = rng.choice(
        [
            "read",
            "read",
            "read",
            "take",
            "take",
            "skip",
            "review",
            "review",
            "settle",
            "expire",
            "exclude",
            "submit-twice",
        ]
    )
    if kind in ("read", "take", "skip", "submit-twice"):
        assignment = lifecycle.hand_out(labeler=labeler(cast, user))
        if assignment is None or kind == "take":
            return
        if kind == "skip":
            lifecycle.skip(assignment=assignment, reason="")
            return
        x = [10, 11, 40][rng.integers(3)]
        draw(assignment, user, (x, 10, 15))
        request_id = uuid.uuid4()
        for _ in range(2 if kind == "submit-twice" else 1):
            lifecycle.submit(assignment=assignment, by=user, request_id=request_id)
    elif kind == "expire":
        open_ones = list(Assignment.objects.filter(state="open"))
        if open_ones:
            chosen = open_ones[rng.integers(len(open_ones))]
            Assignment.objects.filter(pk=chosen.pk).update(lease_until="2001-01-01T00:00:00Z")
            lifecycle.expire_leases()
    else:
        submissions = list(Submission.objects.order_by("pk"))
        if submissions:
            chosen_reading = submissions[rng.integers(len(submissions))]
            item = chosen_reading.assignment.item
            if kind == "review":
                review(chosen_reading, user, str(rng.choice(["accept", "reject"])), "Because.")
            elif kind == "settle":
                lifecycle.settle(
                    item=item, by=user, reason="by hand", submission=chosen_reading if rng.random() < 0.5 else None
                )
            elif rng.random() < 0.1:
                lifecycle.exclude(item=item, by=user, reason="at random")


def states_of() -> dict[int, str]:
    return dict(Item.objects.values_list("pk", "state"))


def reachable(start: str) -> set[str]:
    found, border = {start}, {start}
    for _ in range(3):
        border = {end for state in border for end in MODEL[state]} - found
        found |= border
    return found


def check_what_always_holds() -> None:
    for item in Item.objects.all():
        # An audit reads again what is settled, whatever was wanted before.
        mine = Assignment.objects.filter(item=item).exclude(reason=REASON)
        filled = mine.filter(state__in=["open", "submitted"], read_kind__in=["independent", "unblinded"])
        assert filled.count() <= max(item.wanted_reads, 2), "nobody reads beyond what is wanted"
        assert filled.values("labeler").distinct().count() == filled.count(), "nobody reads an item twice"
        if item.state == "waiting":
            assert not filled.exists(), "nobody has it and nobody read it"
        if item.state == "reading":
            assert filled.exists()
        if item.state == "rework":
            assert mine.filter(state="open", read_kind="rework").exists(), "rework has an author who can do it"
        if item.state == "settled":
            assert Settlement.objects.filter(item=item).exists()
    assert Submission.objects.filter(assignment__state__in=["open", "skipped", "expired"]).count() == 0
    numbers = list(Settlement.objects.order_by("item", "number").values_list("item", "number"))
    assert len(numbers) == len(set(numbers))
    for decision in Decision.objects.all():
        own = Assignment.objects.filter(item=decision.item, labeler__user=decision.reviewer, state="submitted")
        assert not own.filter(closed_at__lt=decision.at).exists(), "nobody judges what they read"
    assert Route.objects.exclude(outcome="back-to-author").filter(author__isnull=False).count() == 0
