"""Which item a labeler gets next, and as what kind of reading. Reads only; ``lifecycle.hand_out`` does it.

The order, each with its reason written to the assignment: what they have begun; what an admin gave them by hand, the first
due before others; work that came back; what they parked; training; the entry exam; gold where it is due; a repeat where it
is due; an audit where its turn is; then items that want a further reader, by priority. Not here: the draws of gold and
repeats (``placement``), the search for items that want a reader (``queue``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.assignments.batches import lies_in_shared_batch
from labelhub.assignments.models import PAUSED, Assignment
from labelhub.assignments.selectors import COMES_BACK_AFTER_S, LONGEST_WAIT_S, planned_reads, wanted_reads
from labelhub.audit.prepared import SLOTS, TIMES, instances, rows
from labelhub.catalog.models import Item
from labelhub.consensus import audits
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.reviews.sightings import knows_others
from labelhub.reviews.tickets import may_read_blind, waits_for_reader
from labelhub.routing.models import Route
from labelhub.scoring import exams
from labelhub.scoring.gold import current_gold
from labelhub.scoring.models import GoldReference
from labelhub.scoring.rows import CURRENT_AGREEMENT
from labelhub.scoring.selectors import item_agreement
from labelhub.workflow import placement, queue
from labelhub.workflow.auditing import REASON as AUDIT
from labelhub.workflow.auditing import items_to_audit
from labelhub.workflow.desk import Desk, desk_of
from labelhub.workflow.draws import draw
from labelhub.workflow.errors import (
    EnoughForToday,
    ExamFailed,
    ExamTooShort,
    NotALabelerNow,
    PausedNow,
    StepRefused,
)

# Why an item that wants no further reader is read once more, in place of one in dispute.
RANDOM_EXTRA = "Random extra read."
# The share of hand-outs at which a drawn audit comes before other work; where there is no other work it comes anyway.
AUDIT_TURN = 0.25
ORDINALS = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth", "Ninth", "Tenth")


@dataclass(frozen=True, slots=True)
class Choice:
    """An item to be handed out (locked), what kind of reading it will be, and why. The reason is for reviewers and admins.

    ``gold`` is the reference that counts this hand-out as an exposure.
    """

    item: Item
    read_kind: str
    planned_blind: bool
    reason: str
    gold: GoldReference | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, or nothing; ``held`` are items that want this labeler's read while others hold them."""

    choice: Choice | None
    held: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether there is something to do, whether the labeler is paused, and how much of the entry exam is left to them.

    ``refusal`` says why nothing is given to them now, in the words that whoever asks for work is told; ``has_batches`` that
    some images may be labeled together.
    """

    has_work: bool
    exam_left: int = 0
    is_paused: bool = False
    refusal: str = ""
    has_batches: bool = False


def person_of(labeler: Labeler) -> User:
    """Return the person that a labeler with an account is. Raises ``NotALabelerNow`` for an imported one."""
    if labeler.user is None:
        raise NotALabelerNow
    return labeler.user


def require_may_label(labeler: Labeler) -> Desk:
    """Return the labeler's desk. Raises where they do not label here now, are paused, or have unread instructions."""
    return desk_of(labeler)


def choose(desk: Desk, at: datetime, around: Around) -> Chosen:
    """Return what the labeler reads next, its item locked. Raises ``ExamFailed``, ``ExamTooShort``, ``EnoughForToday``."""
    require_room_today(desk, at)
    # Audits come among other reads, so that neither their time nor their order tells them apart.
    is_audit_due = draw(desk.project, "audit", desk.labeler.pk, desk.labeler.n_handed) < AUDIT_TURN
    placed = _placed(desk, at) or (_next_audit(desk) if is_audit_due and around.has_audits else None)
    if placed is not None:
        return Chosen(placed)
    for key in queue.near(desk, at, highest=around.highest, has_begun=around.has_begun):
        choice = _try(key, desk)
        if choice is not None:
            return Chosen(_instead(choice, desk) or choice)
    held = wanting(desk, at)
    for key in held:
        choice = _try(key, desk)
        if choice is not None:
            return Chosen(_instead(choice, desk) or choice)
    gold = placement.gold_wanting(desk, queue.wanting(desk))
    choice = None if gold is None else _gold(gold, "independent", "Gold that wants a reader; nothing else was left.")
    return Chosen(choice or _next_audit(desk), tuple(held))


def wanting(desk: Desk, at: datetime) -> list[int]:
    """Return the first items that want this labeler's read, also those that somebody holds at this moment."""
    keys = queue.everywhere(desk, at)
    if desk.policy.skip_rule == "later":
        keys += [key for key in queue.everywhere(desk, at, is_skipped_forgiven=True) if key not in keys]
    return keys


def choose_held(item: Item, desk: Desk) -> Choice | None:
    """Return as what the labeler reads ``item`` (locked, perhaps after waiting for it); None where it wants no reader now."""
    if item.state not in queue.WANTING:
        return None
    return _choice_on(item, desk)


def choose_again(assignment: Assignment, item: Item, policy: Policy) -> Choice | None:
    """Return as what the labeler reads ``item`` (locked) when they take expired work again; None where it wants no reader.

    Gold takes any number of readers. Work that came back went to a reviewer when its time ended. Who sees everybody's labels
    since cannot go on with a blind read. A continued draft goes on as what it was, with who has it now.
    """
    if assignment.continued_by.exists():
        return None
    labeler = assignment.labeler
    role = role_in(labeler.user, labeler.project) if labeler.user is not None else None
    if role is None or item.state == Item.State.EXCLUDED:
        return None
    desk = Desk(
        labeler, role, policy, is_kept_apart=True, has_batches=True, has_training=False,
        had_other_seat=not may_read_blind(labeler),
    )  # fmt: skip
    if desk.may_know_others and assignment.read_kind == "independent" and knows_others(person_of(labeler), item):
        return None
    if assignment.read_kind in ("training", "repeat"):
        return (
            Choice(item, assignment.read_kind, planned_blind=False, reason=assignment.reason)
            if desk.reads_blind
            else None
        )
    gold = current_gold(item) if desk.reads_blind else None
    if gold is not None and assignment.read_kind in ("independent", "assisted"):
        return Choice(item, assignment.read_kind, planned_blind=True, reason=assignment.reason)
    found = choose_held(item, desk)
    if found is None or assignment.continues_id is not None:
        return found and Choice(item, assignment.read_kind, planned_blind=False, reason=assignment.reason)
    if assignment.read_kind == "assisted" and found.read_kind == "independent":
        return replace(found, read_kind="assisted")
    return found if found.read_kind == assignment.read_kind else None


def has_work(labeler: Labeler) -> bool:
    """Whether something new can be handed out now. A declared disclosure: that there is work, never how much or why."""
    return outlook(labeler).has_work


def outlook(labeler: Labeler, *, holds_work: bool = False) -> Outlook:
    """Return what the labeler is told before they ask for work; each part is a declared disclosure.

    Who ``holds_work`` has something to do, so nothing is searched for them.
    """
    try:
        desk = desk_of(labeler)
        standing = placement.exam_of(desk)
        if not holds_work:
            require_room_today(desk, timezone.now())
            if standing is not None and standing.standing != "passed":
                placement.next_exam(desk, standing)
    except PausedNow:
        return Outlook(has_work=True, is_paused=True)
    except (ExamFailed, ExamTooShort, EnoughForToday) as refusal:
        return Outlook(has_work=False, refusal=str(refusal))
    except StepRefused:
        # Who asks for work is answered with the reason.
        return Outlook(has_work=True)
    if standing is not None:
        left = max(0, standing.n_asked - standing.n_done) if standing.standing == "open" else 0
        return Outlook(has_work=True, exam_left=left, has_batches=desk.has_batches)
    has_work = holds_work or placement.next_training(desk) is not None or _has_reads(desk)
    return Outlook(has_work=has_work, has_batches=desk.has_batches)


def _has_reads(desk: Desk) -> bool:
    at = timezone.now()
    if queue.has_near(desk, at) or wanting(desk, at):
        return True
    if placement.gold_wanting(desk, queue.wanting(desk)) is not None:
        return True
    return desk.reads_blind and bool(items_to_audit(desk.labeler, desk.policy))


class Around(NamedTuple):
    """What lies on and around a labeler's desk at this moment; one row, in this order.

    ``has_overdue`` says whether somebody's time ended, ``holds_work`` whether they have something to go on with before
    anything new, ``has_ripe`` whether parked work comes back now, ``has_audits`` whether labels wait for their auditor;
    ``highest`` is the first level of priority that may want readers, ``has_begun`` says whether items that somebody began do.
    """

    has_overdue: bool
    holds_work: bool
    has_ripe: bool
    has_audits: bool
    has_begun: bool
    highest: int | None


def around(desk: Desk, at: datetime) -> Around:
    """Look around: one query, after the desk is locked, so that it sees what another window of theirs was given."""

    def query() -> QuerySet[Any, Any]:
        mine = Assignment.objects.filter(labeler=OuterRef("pk"))
        ripe = mine.filter(state=Assignment.State.PARKED, waiting_since__lt=TIMES[0])
        highest = queue.wanting_by_priority(SLOTS[1]).values("priority")[:1]
        late = Q(state=Assignment.State.OPEN, lease_until__lt=TIMES[1])
        late |= Q(state__in=PAUSED, waiting_since__lt=TIMES[2])
        return Labeler.objects.filter(pk=SLOTS[0]).values_list(
            Exists(Assignment.objects.filter(late, item__project=SLOTS[1])),
            Exists(mine.filter(state=Assignment.State.OPEN)), Exists(ripe), Exists(audits.open_lots(SLOTS[1])),
            Exists(queue.with_room(Item.objects.filter(project=SLOTS[1], state=Item.State.READING), desk.policy)),
            Subquery(highest),
        )  # fmt: skip

    times = [at - timedelta(seconds=COMES_BACK_AFTER_S), at, at - timedelta(seconds=LONGEST_WAIT_S)]
    key = ("around", desk.policy.readers, desk.policy.overlap_share)
    return Around(*rows(key, query, [desk.labeler.pk, desk.project.pk], times)[0])


def require_room_today(desk: Desk, at: datetime) -> None:
    """Raise ``EnoughForToday`` where the labeler was given as many items today as the policy allows."""
    most = desk.policy.max_items_a_day
    if not most:
        return
    morning = at.replace(hour=0, minute=0, second=0, microsecond=0)
    today = Assignment.objects.filter(labeler=desk.labeler, created_at__gte=morning)
    if today.exclude(read_kind="rework").filter(assigned_by=None).count() >= most:
        raise EnoughForToday(most=most)


def lock(items: QuerySet[Item]) -> QuerySet[Item]:
    """Return ``items`` so that reading one locks it; where the database can, those that others hold are passed over."""
    can_skip = connection.features.has_select_for_update_skip_locked
    return items.select_for_update(of=("self",), skip_locked=can_skip)


def _placed(desk: Desk, at: datetime) -> Choice | None:
    """Return training, exam, gold or a repeat where one of them comes now."""
    training = placement.next_training(desk)
    if training is not None:
        return _gold(training, "training", "Training; feedback follows.")
    standing = placement.exam_of(desk)
    if standing is not None and standing.standing != "passed":
        return _gold(placement.next_exam(desk, standing), "independent", "Entry exam.")
    if standing is not None:
        exams.admit(standing=standing)
    gold = placement.next_gold(desk)
    if gold is not None:
        return _gold(gold, "independent", "Gold was due.")
    again = placement.next_repeat(desk, at)
    item = None if again is None else lock(Item.objects.filter(pk=again.pk)).first()
    if item is None:
        return None
    return Choice(item, "repeat", planned_blind=False, reason="Repeat read: they read it before.")


def _next_audit(desk: Desk) -> Choice | None:
    """Return an accepted item that was drawn for the audit. Its read is bought afterwards, so it is not planned."""
    for key in items_to_audit(desk.labeler, desk.policy) if desk.reads_blind else ():
        item = lock(Item.objects.filter(pk=key, state=Item.State.SETTLED)).first()
        if item is not None:
            return Choice(item, "independent", planned_blind=False, reason=AUDIT)
    return None


def _gold(gold: GoldReference, read_kind: str, reason: str) -> Choice | None:
    """Return gold with its item locked; None where somebody holds it at this moment: then other work comes first."""
    item = lock(Item.objects.filter(pk=gold.item_id)).first()
    return None if item is None else Choice(item, read_kind, read_kind == "independent", reason, gold)


def _try(key: int, desk: Desk) -> Choice | None:
    wanting = Item.objects.filter(pk=SLOTS[0], state__in=queue.WANTING)
    found = instances(("lock-an-item-that-wants-a-reader",), lambda: lock(wanting), [key])
    if not found:
        return None
    found[0].project = desk.project
    return _choice_on(found[0], desk)


def _choice_on(item: Item, desk: Desk) -> Choice | None:
    """Return as what the labeler reads the locked item; None where it has its readers, or may not go to this one.

    Looked at again under the lock: the list of candidates was made before others let go of the item.
    """
    policy, labeler = desk.policy, desk.labeler
    planned, wanted, filled = planned_reads(item, policy), wanted_reads(item, policy), item.reads_taken
    if filled >= wanted:
        return None
    if desk.may_know_others and labeler.user is not None and knows_others(labeler.user, item):
        return None
    if desk.is_kept_apart and queue.is_with_partner(item, labeler):
        return None
    if not desk.may_decide_disputes and waits_for_reader(item) is not None:
        return None
    reason = f"{_ordinal(filled)} reader of {wanted}"
    if desk.has_batches and lies_in_shared_batch(item):
        return Choice(item, "co-edited", planned_blind=False, reason=f"{reason}, labeled together.")
    if not desk.reads_blind:
        return Choice(item, "unblinded", planned_blind=False, reason=f"{reason}; sees other labels.")
    if filled < planned:
        return Choice(item, "independent", planned_blind=True, reason=f"{reason}.")
    return Choice(item, "independent", planned_blind=False, reason=f"{_ordinal(filled)} reader, {_dispute(item)}.")


def _instead(choice: Choice, desk: Desk) -> Choice | None:
    """Return an item drawn at random in place of an extra read that a dispute asked for, in the policy's share of them.

    So being offered an item late says nothing about whether others dispute it. The dispute waits for its next reader.
    """
    is_extra = choice.read_kind == "independent" and not choice.planned_blind
    share = desk.policy.random_extra_share
    if not is_extra or draw(desk.project, "extra", desk.labeler.pk, desk.labeler.n_handed) >= share:
        return None
    for key in queue.at_random(desk):
        item = lock(Item.objects.filter(pk=key).exclude(state=Item.State.EXCLUDED)).first()
        if item is not None:
            return Choice(item, "independent", planned_blind=True, reason=RANDOM_EXTRA)
    return None


def _dispute(item: Item) -> str:
    """Say why an item has more readers than were planned."""
    score = item_agreement(item, metric=CURRENT_AGREEMENT)
    if score is not None and score.value is not None:
        return f"disagreement {1 - score.value:.2f}"
    asked = Route.objects.filter(item=item).order_by("-pk").values_list("reason", flat=True).first()
    return f"asked for: {asked[:200].rstrip('.')}" if asked else "asked for by an admin"


def _ordinal(filled: int) -> str:
    return ORDINALS[filled] if filled < len(ORDINALS) else f"{filled + 1}th"
