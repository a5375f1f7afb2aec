"""R8: random lives of items, in memory against a second table, and through the database against what must always hold.

The second table is written down from the description of the loop and not from the code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import numpy as np
from django.db import OperationalError

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD, Assignment, Recall
from labelhub.audit.services import chain_of, verify
from labelhub.catalog.models import Item
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import SoakWorld, add_item, draw_square, make_world
from labelhub.consensus.models import Settlement
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotAllowed, NotFound
from labelhub.reviews.models import Decision, Dispute, DisputeOutcome, Question, UnreadableClaim
from labelhub.reviews.tickets import may_read_blind
from labelhub.workflow import lifecycle, states
from labelhub.workflow.auditing import REASON as AUDIT
from labelhub.workflow.handing_out import RANDOM_EXTRA

ITEMS = """
waiting: reading excluded
reading: waiting rework review settled ambiguous excluded
rework: reading review settled ambiguous excluded
review: reading rework settled ambiguous excluded
settled: reading review rework ambiguous excluded
ambiguous: reading review settled excluded
excluded:
"""
WORK = """
open: parked asked submitted skipped unreadable disputed expired
parked: open expired
asked: open expired
expired: open
submitted:
skipped:
unreadable:
disputed:
"""
# An act is one step; what it sets going may move an item further within it.
MOST_MOVES_AN_ACT = 3
ACTS_A_WORLD, ITEMS_A_WORLD = 120, 4
REFUSALS = (DomainError, NotFound, NotAllowed, ValueError)


def table_of(text: str) -> Mapping[str, frozenset[str]]:
    """Return a table of moves written a line a state."""
    lines = (line.partition(":") for line in text.strip().splitlines())
    return {start: frozenset(ends.split()) for start, _, ends in lines}


def walk_the_table(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Take ``n`` random transitions in memory, of items and of work, and compare each with the second table."""
    trial, rng = Trial("the table of states in memory", seed), np.random.default_rng(seed)
    tables = ((states.MOVES, table_of(ITEMS)), (states.WORK_MOVES, table_of(WORK)))
    for own, second in tables:
        trial.check(set(own) == set(second), f"the tables know other states: {set(own) ^ set(second)}")
    names = [sorted(second) for _, second in tables]
    here = [str(rng.choice(known)) for known in names]
    which = rng.integers(0, 2, n)
    places = rng.random(n)
    n_taken = 0
    for step in range(n):
        kind = int(which[step])
        own, second = tables[kind]
        start: str = here[kind]
        end = names[kind][int(places[step] * len(names[kind]))]
        allowed = end in own[start]
        if allowed != (end in second[start]):
            trial.check(False, f"step {step}: {start} → {end} is {'allowed' if allowed else 'refused'}")  # noqa: FBT003
        n_taken += allowed
        # From an end of the line a new life begins.
        here[kind] = end if allowed else here[kind] if second[here[kind]] else names[kind][step % len(names[kind])]
        trial.n += 1
    for step_name, (starts, end) in states.STEPS.items():
        for begin in starts:
            fits = begin is None or begin == end or end in table_of(WORK)[begin]
            trial.check(fits, f"the step “{step_name}” leads {begin} → {end}")
    trial.facts["taken"] = n_taken
    progress(trial.n, n)
    return trial


def try_lives(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Let mixed roles act ``n`` times through the database; after each act nothing may be as it cannot be."""
    trial, rng = Trial("lives of items in the database", seed), np.random.default_rng(seed)
    done = 0
    with trial.while_there_is_time():
        while trial.n < n:
            world = make_world(n_annotators=4, readers=2, max_readers=3, use_model=False)
            for _ in range(ITEMS_A_WORLD):
                add_item(world, rng)
            done += _live(trial, world, rng, min(ACTS_A_WORLD, n - trial.n))
            whole = verify(chain_of(world.project.pk))
            trial.check(whole.broken_at is None, f"the audit chain is broken: {whole.explanation}")
            progress(trial.n, n)
    trial.facts["done, not refused"] = done
    return trial


def _live(trial: Trial, world: SoakWorld, rng: np.random.Generator, n: int) -> int:
    done, before = 0, _states(world)
    kinds = list(ACTS)
    for _ in range(n):
        kind = kinds[int(rng.integers(len(kinds)))]
        user = world.everybody[int(rng.integers(len(world.everybody)))]
        trial.n += 1
        told = f"act {trial.n} ({kind} by {user.username}): "
        try:
            ACTS[kind](world, user, rng)
            done += 1
        except REFUSALS:
            pass
        except OperationalError as error:
            trial.check(False, f"{told}the database showed through: {error}")  # noqa: FBT003
        after = _states(world)
        for table, now in after.items():
            for key, state in now.items():
                start = before[table].get(key)
                trial.check(start is None or state in _reachable(table, start), f"{told}{key}: {start} → {state}")
        before = after
        for broken in what_cannot_be(world):
            trial.check(False, f"{told}{broken}")  # noqa: FBT003
    return done


def _states(world: SoakWorld) -> dict[str, dict[object, str]]:
    return {
        ITEMS: dict(Item.objects.filter(project=world.project).values_list("pk", "state")),
        WORK: dict(Assignment.objects.filter(item__project=world.project).values_list("pk", "state")),
    }


def _reachable(table: str, start: str) -> set[str]:
    moves, found, border = table_of(table), {start}, {start}
    for _ in range(MOST_MOVES_AN_ACT):
        border = {end for state in border for end in moves[state]} - found
        found |= border
    return found


def what_cannot_be(world: SoakWorld) -> list[str]:
    """Return a sentence for each thing in the project that cannot be; none of them may ever be found."""
    broken: list[str] = []
    work = list(Assignment.objects.filter(item__project=world.project).select_related("labeler"))
    settled = set(Settlement.objects.filter(item__project=world.project).values_list("item_id", flat=True))
    for item in Item.objects.filter(project=world.project):
        mine = [entry for entry in work if entry.item_id == item.pk]
        filled = [
            entry for entry in mine
            if entry.state in (*HELD, "submitted") and entry.read_kind in ("independent", "unblinded")
            # An audit, and an extra read drawn at random, read again what is settled, whatever was wanted before.
            and entry.reason not in (AUDIT, RANDOM_EXTRA)
        ]  # fmt: skip
        if len(filled) > max(item.wanted_reads, 2):
            broken.append(f"{item.code} has {len(filled)} readers, more than wanted")
        if len({entry.labeler_id for entry in filled}) != len(filled):
            broken.append(f"{item.code} is read twice by one labeler")
        if item.state == "waiting" and filled:
            broken.append(f"{item.code} waits and has readers")
        if item.state == "reading" and not filled:
            broken.append(f"{item.code} is read by nobody")
        if item.state == "rework" and not any(e.state in HELD and e.read_kind == "rework" for e in mine):
            broken.append(f"{item.code} is back with nobody")
        if item.state in ("settled", "ambiguous") and item.pk not in settled:
            broken.append(f"{item.code} is settled without a settlement")
    return broken + _evidence(world)


def _evidence(world: SoakWorld) -> list[str]:
    broken = _disputes(world)
    closed = Submission.objects.filter(assignment__item__project=world.project).exclude(assignment__state="submitted")
    if closed.exists():
        broken.append("there is a submission of work that was not submitted")
    for decision in Decision.objects.filter(item__project=world.project):
        own = Assignment.objects.filter(item=decision.item_id, labeler__user=decision.reviewer_id, state="submitted")
        if own.filter(closed_at__lt=decision.at).exists():
            broken.append("somebody judged what they read")
    for claim in UnreadableClaim.objects.filter(item__project=world.project).select_related(
        "assignment__labeler", "verdict"
    ):
        verdict = getattr(claim, "verdict", None)
        if verdict is not None and verdict.by_id == claim.assignment.labeler.user_id:
            broken.append("somebody confirmed their own claim")
        if (
            verdict is not None
            and verdict.second is not None
            and verdict.second.labeler_id == claim.assignment.labeler_id
        ):
            broken.append("a claim was decided by its own author's read")
    for question in Question.objects.filter(item__project=world.project).select_related("assignment", "reply"):
        if question.assignment.state == "asked" and getattr(question, "reply", None) is not None:
            others = Question.objects.filter(assignment=question.assignment, reply=None)
            if not others.exists():
                broken.append("somebody waits for an answer that was given")
    recalls = Recall.objects.filter(former__item__project=world.project).select_related("former", "again")
    broken += [
        "what was taken back is not kept"
        for recall in recalls
        if recall.former.state != "submitted" or recall.again.follows_id != recall.former_id
    ]
    return broken


def _disputes(world: SoakWorld) -> list[str]:
    broken: list[str] = []
    for outcome in DisputeOutcome.objects.filter(dispute__item__project=world.project, read__isnull=False):
        reader = outcome.read.assignment.labeler if outcome.read is not None else None
        if reader is None or reader.pk == outcome.dispute.ticket.assignment.labeler_id or not may_read_blind(reader):
            broken.append("a dispute was decided by a read that was not blind")
        if outcome.by_id is not None and outcome.by_id == outcome.dispute.ticket.assignment.labeler.user_id:
            broken.append("somebody decided their own dispute")
    ends = Dispute.objects.filter(item__project=world.project).exclude(ticket__assignment__state="disputed")
    if ends.exists():
        broken.append("work is disputed and not closed so")
    return broken


# Acts: each takes something at random that the person may or may not touch.


def _pick(rows: list[object], rng: np.random.Generator) -> object:
    if not rows:
        raise ValueError("there is nothing to act on")
    return rows[int(rng.integers(len(rows)))]


def _work(world: SoakWorld, rng: np.random.Generator, **which: object) -> Assignment:
    rows = Assignment.objects.filter(item__project=world.project, **which).select_related("labeler__user", "item")
    found = _pick(list(rows.order_by("created_at", "pk")), rng)
    assert isinstance(found, Assignment)
    return found


def _own(world: SoakWorld, user: User, rng: np.random.Generator, **which: object) -> Assignment:
    """Mostly one's own work, at times somebody else's."""
    if rng.random() < 0.1:
        return _work(world, rng, **which)
    return _work(world, rng, labeler__user=user, **which)


def _reading(world: SoakWorld, rng: np.random.Generator) -> Submission:
    found = _pick(list(Submission.objects.filter(assignment__item__project=world.project).order_by("pk")), rng)
    assert isinstance(found, Submission)
    return found


def _take(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    lifecycle.hand_out(labeler=world.labeler(user))


def _read(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    work = lifecycle.hand_out(labeler=world.labeler(user))
    if work is not None:
        draw_square(work, user, (4.0, 5.0, 20.0)[int(rng.integers(3))])
        request_id = uuid.UUID(bytes=rng.bytes(16))
        for _ in range(int(rng.integers(1, 3))):
            lifecycle.submit(assignment=work, by=user, request_id=request_id)


def _expire(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    work = _work(world, rng, state__in=HELD)
    field = "lease_until" if work.state == "open" else "waiting_since"
    Assignment.objects.filter(pk=work.pk).update(**{field: "2001-01-01T00:00:00Z"})
    lifecycle.expire_leases(project=world.project)


def _answer(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    found = _pick(list(Question.objects.filter(item__project=world.project).order_by("pk")), rng)
    assert isinstance(found, Question)
    lifecycle.answer(question=found, by=user, text="Yes.", is_general=bool(rng.random() < 0.3))


def _decide_claim(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    found = _pick(list(UnreadableClaim.objects.filter(item__project=world.project).order_by("pk")), rng)
    assert isinstance(found, UnreadableClaim)
    lifecycle.decide_claim(claim=found, by=user, is_confirmed=bool(rng.random() < 0.3))


def _review(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    lifecycle.review(
        submission=_reading(world, rng), reviewer=user, verdict=str(rng.choice(["accept", "reject"])), score=None,
        comment="Because.", request_id=uuid.UUID(bytes=rng.bytes(16)),
    )  # fmt: skip


def _settle(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    reading = _reading(world, rng)
    chosen = reading if rng.random() < 0.5 else None
    lifecycle.settle(item=reading.assignment.item, by=user, reason="by hand", submission=chosen)


def _ambiguous(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    reading = _reading(world, rng)
    lifecycle.declare_ambiguous(item=reading.assignment.item, by=user, reason="Hard.")


def _exclude(world: SoakWorld, user: User, rng: np.random.Generator) -> None:
    if rng.random() < 0.1:
        item = _pick(list(Item.objects.filter(project=world.project).order_by("pk")), rng)
        assert isinstance(item, Item)
        lifecycle.exclude(item=item, by=user, reason="at random")


Act = Callable[[SoakWorld, User, np.random.Generator], object]
ACTS: Mapping[str, Act] = {
    "take": _take,
    "read": _read,
    "read on": _read,
    "read again": _read,
    "park": lambda world, user, rng: lifecycle.park(assignment=_own(world, user, rng), by=user),
    "resume": lambda world, user, rng: lifecycle.resume(assignment=_own(world, user, rng), by=user),
    "ask": lambda world, user, rng: lifecycle.ask(
        assignment=_own(world, user, rng),
        by=user,
        text=f"Which, {rng.integers(9)}?",
        is_waiting=bool(rng.random() < 0.5),
    ),
    "answer": _answer,
    "cannot read": lambda world, user, rng: lifecycle.cannot_read(
        assignment=_own(world, user, rng, state="open"), by=user, reason="Dark."
    ),
    "decide claim": _decide_claim,
    "recall": lambda world, user, rng: lifecycle.recall(assignment=_own(world, user, rng, state="submitted"), by=user),
    "dispute": lambda world, user, rng: lifecycle.dispute(
        assignment=_own(world, user, rng, read_kind="rework"), by=user, reason="It is."
    ),
    "skip": lambda world, user, rng: (
        lifecycle.skip(assignment=_work(world, rng, labeler__user=user), reason="") if rng.random() < 0.3 else None
    ),
    "take again": lambda world, user, rng: lifecycle.take_again(
        assignment=_own(world, user, rng, state="expired"), by=user
    ),
    "expire": _expire,
    "review": _review,
    "judge": _review,
    "settle": _settle,
    "ambiguous": _ambiguous,
    "exclude": _exclude,
}
