"""Which item a labeler gets next, and as what kind of reading. Reads only; ``lifecycle.hand_out`` does it.

Order: what they have begun, work that came back, gold where it is due, then items that want a further reader. Whether gold is
due is a draw that depends on the project's secret and on how many items this labeler had, on nothing else: it has no fixed
place and cannot be foretold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import items_for, n_filled, never_met
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Role
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_guideline, has_acknowledged
from labelhub.reviews.selectors import has_judged
from labelhub.routing.gates import is_paused
from labelhub.scoring.gold import gold_items
from labelhub.workflow.auditing import REASON, items_to_audit
from labelhub.workflow.errors import GuidelineUnread, NotALabelerNow, PausedNow

# How many candidates are looked at before a labeler is told that there is nothing: others may hold the first ones.
MOST_CANDIDATES = 50
# The share of hand-outs at which a drawn audit comes before other work; where there is no other work it comes anyway.
AUDIT_TURN = 0.25


@dataclass(frozen=True, slots=True)
class Choice:
    """An item to be handed out (locked), what kind of reading it will be, and why. The reason is for reviewers and admins."""

    item: Item
    read_kind: str
    planned_blind: bool
    reason: str


def require_may_label(labeler: Labeler) -> None:
    """Raise where the labeler is nobody who labels here now, is paused, or has not confirmed the current instructions."""
    if labeler.user is None or role_in(labeler.user, labeler.project) is None:
        raise NotALabelerNow
    if is_paused(labeler):
        raise PausedNow
    guideline = current_guideline(labeler.project)
    if not has_acknowledged(labeler, guideline):
        raise GuidelineUnread(guideline_id=guideline.pk, number=guideline.number)


def person_of(labeler: Labeler) -> User:
    """Return the person that a labeler with an account is. Raises ``NotALabelerNow`` for an imported one."""
    if labeler.user is None:
        raise NotALabelerNow
    return labeler.user


def hold(labeler: Labeler) -> None:
    """Keep other hand-outs to this labeler waiting until the transaction ends, so that nobody is given two items at once.

    Taken before any item, and without the key: a step that holds an item and writes work for the labeler never waits for it.
    """
    Labeler.objects.select_for_update(of=("self",), no_key=True).get(pk=labeler.pk)


def choose(labeler: Labeler, policy: Policy) -> Choice | None:
    """Return what the labeler reads next, its item locked, or None where there is nothing for them."""
    n_had = Assignment.objects.filter(labeler=labeler).exclude(read_kind="rework").count()
    is_blind = _reads_blind(labeler)
    if is_blind and is_gold_due(labeler, n_had, policy.gold_share):
        gold = _next_gold(labeler, n_had)
        if gold is not None:
            return Choice(gold, "independent", planned_blind=True, reason="Gold was due.")
    # Audits come among other reads, so that neither their time nor their order tells them apart.
    is_audit_due = is_blind and _draw(labeler, n_had, "audit") < AUDIT_TURN
    choice = _next_audit(labeler, policy) if is_audit_due else None
    choice = choice or _next_wanting(labeler, policy, is_blind=is_blind)
    return choice or (_next_audit(labeler, policy) if is_blind else None)


def wanting(labeler: Labeler, policy: Policy) -> list[int]:
    """Return the first items that want this labeler's read, also those that somebody holds at this moment."""
    rows = items_for(labeler, project=labeler.project, overlap=policy.readers)
    return list(rows.values_list("pk", flat=True)[:MOST_CANDIDATES])


def choose_held(item: Item, labeler: Labeler, policy: Policy) -> Choice | None:
    """Return as what the labeler reads ``item`` (locked, perhaps after waiting for it); None where it wants no reader now."""
    if item.state not in (Item.State.WAITING, Item.State.READING):
        return None
    return _choice_on(item, labeler, policy, is_blind=_reads_blind(labeler))


def choose_again(assignment: Assignment, item: Item, policy: Policy) -> Choice | None:
    """Return as what the labeler reads ``item`` (locked) when they take expired work again; None where it wants no reader.

    Gold takes any number of readers. Work that came back went to a reviewer when its time ended. Who sees everybody's labels
    since cannot go on with a blind read.
    """
    labeler = assignment.labeler
    is_blind = _reads_blind(labeler)
    if assignment.read_kind != ("independent" if is_blind else "unblinded") or item.state == Item.State.EXCLUDED:
        return None
    if is_blind and gold_items(labeler.project).filter(pk=item.pk).exists():
        return Choice(item, "independent", planned_blind=True, reason="Gold was due.")
    return choose_held(item, labeler, policy)


def is_gold_due(labeler: Labeler, n_had: int, share: float) -> bool:
    """Whether a draw with probability ``share`` falls on gold; the same labeler and count draw the same."""
    return _draw(labeler, n_had, "gold") < share


def _next_gold(labeler: Labeler, n_had: int) -> Item | None:
    """Return gold this labeler never had, and of a group whose gold they never had: such items are not independent."""
    had = Assignment.objects.filter(labeler=labeler, item__in=gold_items(labeler.project))
    groups = set(had.exclude(item__group_key="").values_list("item__group_key", flat=True))
    fresh = never_met(labeler, gold_items(labeler.project)).exclude(group_key__in=groups).order_by("pk")
    keys = list(fresh.values_list("pk", flat=True))
    if not keys:
        return None
    chosen = keys[int(_draw(labeler, n_had, "which") * len(keys))]
    return lock(Item.objects.filter(pk=chosen)).first()


def _next_audit(labeler: Labeler, policy: Policy) -> Choice | None:
    """Return an accepted item that was drawn for the audit. Its read is bought afterwards, so it is not planned."""
    for key in items_to_audit(labeler, policy):
        item = lock(Item.objects.filter(pk=key, state=Item.State.SETTLED)).first()
        if item is not None:
            return Choice(item, "independent", planned_blind=False, reason=REASON)
    return None


def _next_wanting(labeler: Labeler, policy: Policy, *, is_blind: bool) -> Choice | None:
    choices = (_choice_on(item, labeler, policy, is_blind=is_blind) for item in _free_items(labeler, policy))
    return next((choice for choice in choices if choice is not None), None)


def _choice_on(item: Item, labeler: Labeler, policy: Policy, *, is_blind: bool) -> Choice | None:
    """Return as what the labeler reads the locked item; None where it has its readers, or where they judged it."""
    # Counted again under the lock: a list of items was made before others who held the item let go of it.
    filled = n_filled(item)
    wanted = max(item.wanted_reads, policy.readers)
    if filled >= wanted or (labeler.user is not None and has_judged(labeler.user, item)):
        return None
    reason = f"Reader {filled + 1} of {wanted}."
    if not is_blind:
        return Choice(item, "unblinded", planned_blind=False, reason=f"{reason[:-1]}; sees other labels.")
    is_planned = filled < policy.readers
    return Choice(item, "independent", is_planned, reason if is_planned else f"{reason} The readers before disagree.")


def _reads_blind(labeler: Labeler) -> bool:
    """Whether what the labeler reads is a blind read: admins see everybody's labels."""
    return labeler.user is not None and role_in(labeler.user, labeler.project) != Role.ADMIN


def _free_items(labeler: Labeler, policy: Policy) -> Iterator[Item]:
    for key in wanting(labeler, policy):
        item = lock(Item.objects.filter(pk=key, state__in=[Item.State.WAITING, Item.State.READING])).first()
        if item is not None:
            yield item


def lock(items: QuerySet[Item]) -> QuerySet[Item]:
    """Return ``items`` so that reading one locks it; where the database can, those that others hold are passed over."""
    can_skip = connection.features.has_select_for_update_skip_locked
    return items.select_related("project").select_for_update(of=("self",), skip_locked=can_skip)


def has_work(labeler: Labeler, policy: Policy) -> bool:
    """Whether something can be handed out now. A declared disclosure: that there is work, never how much or why."""
    own = Assignment.objects.filter(labeler=labeler, state__in=[Assignment.State.OPEN, Assignment.State.PARKED])
    wants = items_for(labeler, project=labeler.project, overlap=policy.readers).exists()
    return own.exists() or wants or (_reads_blind(labeler) and bool(items_to_audit(labeler, policy)))


def _draw(labeler: Labeler, n_had: int, purpose: str) -> float:
    """A number from 0 to 1 that only who knows the project's secret can foretell."""
    text = f"{labeler.project.pseudonym_salt}:{purpose}:{labeler.pk}:{n_had}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
