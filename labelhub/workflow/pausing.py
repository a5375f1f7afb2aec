"""What a pause does: the labeler's last unsettled items go to others. And who decides about one.

A pause never takes a reading away: each item that the paused labeler read since their failing test began, and that is not
settled, gets one more reader (a reviewer where nobody is left to read it), and a route that says why. It is done by a job, one
transaction an item, so that a pause holds at once however many items follow it. Drafts are not touched. Not here: the test
(``routing.gates``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import HELD
from labelhub.catalog.models import Item
from labelhub.jobs.registry import Running
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_policy
from labelhub.routing import gates
from labelhub.routing.models import Gate
from labelhub.routing.services import send_past, was_sent_past
from labelhub.scoring.models import GoldReference
from labelhub.workflow.deciding import want_reads
from labelhub.workflow.gating import ask_to_send_on
from labelhub.workflow.readers_left import new_readers
from labelhub.workflow.states import State, move

# An item in these is decided: a pause opens it for nobody.
DECIDED = (State.SETTLED, State.AMBIGUOUS, State.EXCLUDED)


def propose(*, labeler: Labeler, by: User, reason: str) -> Gate:
    """Propose to the admins that the labeler be paused. Admins only. Writes ``gate.pause_proposed``."""
    require(by, Action.MANAGE, labeler)
    with transaction.atomic():
        return gates.propose(labeler=labeler, by=f"user:{by.pk}", reason=reason)


def pause(*, labeler: Labeler, by: User, reason: str) -> Gate:
    """Pause the labeler and have their last unsettled items sent to others. Admins only. Writes ``gate.paused``."""
    require(by, Action.MANAGE, labeler)
    with transaction.atomic():
        fact = gates.pause(labeler=labeler, by=f"user:{by.pk}", reason=reason)
        ask_to_send_on(fact)
    return fact


def resume(*, labeler: Labeler, by: User, reason: str) -> Gate:
    """End a pause or decline a proposed one; a new test starts. Admins only. Writes ``gate.resumed`` or
    ``gate.proposal_declined``, and ``gate.test_started``.
    """
    require(by, Action.MANAGE, labeler)
    with transaction.atomic():
        return gates.resume(labeler=labeler, by=f"user:{by.pk}", reason=reason)


def items_to_send_on(labeler: Labeler) -> list[int]:
    """Return the ids of the unsettled items that the labeler read since the test began that they are or were in.

    But for gold: its label rests on nobody's reading.
    """
    started = Gate.objects.filter(labeler=labeler, kind=Gate.Kind.TEST_STARTED, answer__isnull=False).order_by("-pk")
    first = started.values_list("answer__submitted_at", flat=True).first()
    rows = Submission.objects.filter(assignment__labeler=labeler, read_kind__in=assigned.FILLING)
    if first is not None:
        rows = rows.filter(submitted_at__gte=first)
    unsettled = rows.exclude(assignment__item__state__in=DECIDED).exclude(
        assignment__item__in=GoldReference.objects.filter(retired_at=None).values("item")
    )
    return sorted(set(unsettled.values_list("assignment__item_id", flat=True)))


def send_on(*, item_id: int, fact: Gate) -> bool:
    """Ask one more reader, or a reviewer where nobody is left, for a paused labeler's item; doing it twice is doing it once.

    Work on it that came back to the paused labeler is withdrawn: their draft is kept. Writes ``item.routed``.
    """
    with transaction.atomic():
        item = Item.objects.select_for_update(of=("self",)).select_related("project").get(pk=item_id)
        if item.state in DECIDED or was_sent_past(item, fact):
            return False
        own = assigned.of_item(item).filter(labeler=fact.labeler, state__in=HELD, read_kind="rework")
        for assignment in own:
            assignments.withdraw(assignment=assignment)
        if assigned.has_open(item, read_kind="rework"):
            # Another author mends it now; what comes back is decided with the paused labeler's reading beside it.
            return False
        if item.reads_taken >= assigned.wanted_reads(item, current_policy(item.project)[1]) and not new_readers(item):
            send_past(item, fact, wanted=None)
            move(item=item, to=State.REVIEW)
            return True
        _, policy = current_policy(item.project)
        wanted = max(assigned.wanted_reads(item, policy), assigned.n_filled(item)) + 1
        send_past(item, fact, wanted=wanted)
        want_reads(item, wanted)
    return True


def run_send_on(running: Running) -> Mapping[str, Any]:
    """The job: send the last unsettled items of a paused labeler to others."""
    fact = Gate.objects.select_related("labeler__project").get(pk=running.arguments["gate"])
    items = items_to_send_on(fact.labeler)
    n_sent = 0
    for number, item_id in enumerate(items):
        running.progress(number, len(items), "Items of the paused labeler go to others")
        n_sent += send_on(item_id=item_id, fact=fact)
    running.progress(len(items), len(items), "Done")
    return {"items": n_sent}
