"""Sending items back for a new read because the ontology or the instructions changed. A step of ``lifecycle``, and its job.

A new read is another person's: nobody who had the item gets it as a blind read again (``queue`` sees to it; the repeats that
the policy draws are no new reads). Where nobody is left who never had it, a reviewer looks at it instead. The item's label
stays on record; settling again is a further row. All readings are kept, and speak as what they say under the present
classes (``scoring.versions``). Not here: which items a change touches (``revising``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.assignments import selectors as assigned
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.projects.models import Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_guideline, current_ontology
from labelhub.routing.models import Route
from labelhub.routing.services import send_again, was_sent_again
from labelhub.scoring.gold import current_gold
from labelhub.workflow import steps
from labelhub.workflow.deciding import want_reads
from labelhub.workflow.errors import ItemExcluded, StepRefused
from labelhub.workflow.readers_left import new_readers
from labelhub.workflow.states import State, move

JOB_KIND = "workflow.send_again"
# States from which an item goes back; who waits for a first reader gets one under the new version anyway.
RETURNABLE = (State.READING, State.REWORK, State.REVIEW, State.SETTLED, State.AMBIGUOUS)
MOST_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one item: sent to new readers, or to a reviewer, or left, and why."""

    outcome: str
    why: str = ""


def send_back(*, item: Item, by: User, reason: str) -> Sent:
    """Ask one new reader for the item under the present versions of the rules; twice under the same ones is once.

    Writes ``item.sent_again`` and ``item.routed``. Raises ``NotFound`` or ``NotAllowed`` for all but admins, ``ItemExcluded``,
    and ``StepRefused`` (``reason-missing``).
    """
    require(by, Action.MANAGE, item)
    words = _words(reason)
    with transaction.atomic():
        held = steps.locked(item.pk)
        if held.state == State.EXCLUDED:
            raise ItemExcluded(code=held.code)
        sent = _send(held, by, words)
        item.state, item.wanted_reads = held.state, held.wanted_reads
    return sent


def start_sending(*, project: Project, items: Sequence[int], by: User, reason: str) -> Job:
    """Have a worker send these items back, one after the other; it can be stopped. Writes ``items.sending_again``.

    Raises as :func:`send_back`, and ``StepRefused`` (``too-many-items``, ``nothing-chosen``).
    """
    require(by, Action.MANAGE, project)
    words = _words(reason)
    if not items:
        raise StepRefused("Choose at least one item. Nothing was changed.", code="nothing-chosen", status=422)
    if len(items) > MOST_ITEMS:
        raise StepRefused(
            f"{len(items)} items are more than the {MOST_ITEMS} that go back at a time. Choose fewer.", code="too-many-items",
            status=422,
        )  # fmt: skip
    with transaction.atomic():
        job = jobs.enqueue(
            kind=JOB_KIND, project_id=project.pk, asked_by=f"user:{by.pk}", total_units=len(items),
            arguments={"project": project.pk, "items": list(items), "by": by.pk, "reason": words},
        )  # fmt: skip
        audit.append(
            project_id=project.pk, kind="items.sending_again", actor=f"user:{by.pk}", subject=f"project:{project.pk}",
            facts={"job": job.pk, "items": len(items), "reason": words},
        )  # fmt: skip
    return job


def run_sending(running: Running) -> Mapping[str, Any]:
    """The job: send items back, one transaction each. Stopped, it leaves the rest; run again, it does nothing twice."""
    arguments = running.arguments
    by = User.objects.get(pk=arguments["by"])
    keys, counts = list(arguments["items"]), {"readers": 0, "reviewer": 0, "left": 0}
    for done, key in enumerate(keys):
        running.progress(done, len(keys), f"Item {done + 1} of {len(keys)}")
        with transaction.atomic():
            held = steps.locked(key)
            if held.project_id != arguments["project"] or held.state == State.EXCLUDED:
                counts["left"] += 1
                continue
            counts[_send(held, by, arguments["reason"]).outcome] += 1
    running.progress(len(keys), len(keys), "Done")
    return counts


def _send(held: Item, by: User, reason: str) -> Sent:
    """Send the locked item back."""
    version = _version(held.project)
    if held.state not in RETURNABLE:
        return Sent("left", "it waits for its first reader, who reads it under the new version")
    if current_gold(held) is not None:
        return Sent("left", "it is gold: exchange its gold instead")
    if was_sent_again(held, version):
        return Sent("left", "it was sent back for this version already")
    steps.withdraw_rework(held)
    wanted = assigned.n_filled(held) + 1
    has_reader = bool(new_readers(held))
    outcome = Route.Outcome.MORE_READERS if has_reader else Route.Outcome.REVIEWER
    send_again(held, version=version, outcome=outcome, reason=reason, wanted=wanted)
    if has_reader:
        want_reads(held, wanted)
    else:
        move(item=held, to=State.REVIEW)
    steps.event(
        held,
        "item.sent_again",
        f"user:{by.pk}",
        version=version,
        reason=reason,
        wanted_reads=wanted if has_reader else None,
    )
    return Sent("readers" if has_reader else "reviewer")


def _version(project: Project) -> str:
    """Return the present versions of what is read under, as routes keep them."""
    return f"ontology {current_ontology(project)[0].number}, instructions {current_guideline(project).number}"


def _words(reason: str) -> str:
    words = reason.strip()[:300]
    if not words:
        raise StepRefused("Say why the items go back. Nothing was changed.", code="reason-missing", status=422)
    return words
