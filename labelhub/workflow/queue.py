"""Which items want a further read of a labeler, in the order in which they get them. Reads only.

Items stand in a circle, each at a secret place. A labeler looks at a window of it that starts at a point drawn for them
and this hand-out, and takes from it by a draw for them and the item: each reads in an order of their own, two who ask at
once rarely want the same row, and a claim looks at a few dozen rows however many items there are. Within one priority,
items that somebody began come first, and of each window those that ask for this labeler (``preferred``). Where the windows
hold nothing for the labeler, everything is searched once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Greatest

from labelhub.assignments.models import Assignment, BatchItem
from labelhub.assignments.selectors import accompanied_by, filling, met_by
from labelhub.audit.prepared import SLOTS, rows
from labelhub.catalog.models import Item
from labelhub.projects.models import KeptApart, Labeler, Membership, Qualification
from labelhub.projects.policy import Policy
from labelhub.reviews.models import Dispute
from labelhub.reviews.sightings import known_to
from labelhub.scoring.models import GoldReference
from labelhub.workflow import preferred
from labelhub.workflow.desk import Desk
from labelhub.workflow.draws import draw
from labelhub.workflow.preferred import Candidate

# How many items a labeler looks at on one level of priority, and how many levels before all are searched.
WINDOW, MOST_LEVELS = 24, 3
# How many candidates are looked at before a labeler is told that there is nothing: others may hold the first ones.
MOST_CANDIDATES = 50
# What is read of each candidate: a ``Candidate``.
SEEN = ("pk", "reads_taken", "overlap_draw")
WANTING = (Item.State.READING, Item.State.WAITING)


def near(desk: Desk, at: datetime, *, highest: int | None, has_begun: bool = True) -> Iterator[int]:
    """Yield candidates from the labeler's windows, the first wanted first; may miss some that lie elsewhere.

    ``highest`` is the first priority of what wants readers, None where nothing does; without ``has_begun`` items that
    somebody began are not looked for.
    """
    start = draw(desk.project, "window", desk.labeler.pk, desk.labeler.n_handed)
    yield from _from(start, desk, at, highest, WANTING if has_begun else (Item.State.WAITING,))


def has_near(desk: Desk, at: datetime) -> bool:
    """Whether the first windows of the circle hold anything for the labeler; where they do not, some may lie elsewhere."""
    return next(_from(0.0, desk, at, _highest(desk), WANTING), None) is not None


def wanting_by_priority(project: int) -> QuerySet[Item]:
    """Return what is waiting or being read, the first wanted first; ``project`` is an id, or a slot for one."""
    return _wanting(project).order_by("-priority")


def _from(start: float, desk: Desk, at: datetime, priority: int | None, states: Sequence[str]) -> Iterator[int]:
    for _ in range(MOST_LEVELS):
        if priority is None:
            return
        for state in states:
            yield from _window(desk, state, priority, start, at)
        below = _wanting(desk.project.pk).filter(priority__lt=priority)
        priority = below.order_by("-priority").values_list("priority", flat=True).first()


def everywhere(desk: Desk, at: datetime, *, is_skipped_forgiven: bool = False) -> list[int]:
    """Return the first candidates of all items that want this labeler's read, also those that somebody holds now.

    With ``is_skipped_forgiven`` also items that they skipped.
    """
    is_barred = barred(desk, desk.labeler.pk, is_skipped_forgiven=is_skipped_forgiven)
    found = wanting(desk).annotate(is_barred=is_barred).filter(is_barred=False)
    order = found.order_by("-priority", "state", "place").values_list(*SEEN)
    keys = _unkept(order[:MOST_CANDIDATES], desk, at)
    # All of the first ones may be kept for others.
    return keys or _unkept(order[MOST_CANDIDATES : 20 * MOST_CANDIDATES], desk, at)[:MOST_CANDIDATES]


def at_random(desk: Desk) -> Iterator[int]:
    """Yield items that want no further reader and that this labeler could read, from a point drawn for this hand-out."""
    start = draw(desk.project, "extra-window", desk.labeler.pk, desk.labeler.n_handed)
    done = Item.objects.filter(project=desk.project).exclude(state__in=[Item.State.EXCLUDED, *WANTING])
    items = done.annotate(is_barred=barred(desk, desk.labeler.pk)).order_by("place").values_list("pk", "is_barred")
    seen = list(items.filter(place__gte=start)[:WINDOW])
    seen += items.filter(place__lt=start)[: WINDOW - len(seen)]
    free = [pk for pk, is_barred in seen if not is_barred]
    yield from _shuffled(free, desk)


def wanting(desk: Desk) -> QuerySet[Item]:
    """Return the items that want a reader, whoever it is."""
    return with_room(_wanting(desk.project.pk), desk.policy)


def with_room(items: QuerySet[Item], policy: Policy) -> QuerySet[Item]:
    """Return those of the items that have fewer reads than they want: as ``assignments.selectors.wanted_reads``."""
    planned = Case(
        When(overlap_draw__lt=policy.overlap_share, then=Value(policy.readers)), default=Value(1),
        output_field=IntegerField(),
    )  # fmt: skip
    return items.filter(reads_taken__lt=Greatest(F("wanted_reads"), planned))


def barred(desk: Desk, labeler: int, *, is_skipped_forgiven: bool = False) -> ExpressionWrapper[Q]:
    """Whether an item may not go to the desk's labeler, whose id is ``labeler`` (or a slot for it): each reason in turn."""
    policy = desk.policy
    reasons = Q(Exists(met_by(labeler, is_skipped_forgiven=is_skipped_forgiven)))
    if not desk.may_decide_disputes:
        reasons |= Q(Exists(Dispute.objects.filter(item=OuterRef("pk"), outcomes=None)))
    # Gold is placed by draws of its own.
    reasons |= Q(Exists(GoldReference.objects.filter(item=OuterRef("pk"), retired_at=None)))
    if desk.may_know_others:
        reasons |= known_to(desk.labeler.user_id)
    if desk.is_kept_apart:
        reasons |= read_by_partners(labeler)
    if desk.has_batches:
        reasons |= closed_to(labeler) | Q(Exists(accompanied_by(labeler)))
    if policy.same_subject == "different":
        reasons |= ~Q(group_key="") & Q(Exists(_reads_of_the_group(desk.project.pk).filter(labeler=labeler)))
    if policy.same_subject == "same":
        reasons |= _is_of_other_readers(labeler, desk)
    return ExpressionWrapper(reasons, output_field=BooleanField())


def is_with_partner(item: Item, labeler: Labeler) -> bool:
    """Whether somebody who is kept apart from the labeler reads or read the item."""
    return _of_partners(labeler.pk).filter(item=item).exists()


def read_by_partners(labeler: int) -> Q:
    """Return the condition that somebody who is kept apart from the labeler with this id reads or read the item."""
    return Q(Exists(_of_partners(labeler).filter(item=OuterRef("pk"))))


def closed_to(labeler: int) -> Q:
    """Return the condition that a batch of the item asks for a qualification which the labeler with this id does not hold."""
    held = Qualification.objects.filter(labeler=labeler, ended_at=None).values("name")
    asking = BatchItem.objects.filter(item=OuterRef("pk")).exclude(batch__qualification="")
    return Q(Exists(asking.exclude(batch__qualification__in=held)))


def _wanting(project: int) -> QuerySet[Item]:
    return Item.objects.filter(project=project, state__in=WANTING)


def _highest(desk: Desk) -> int | None:
    """Return the highest priority of what is waiting or being read; None where there is nothing."""
    project = desk.project.pk
    found = rows(("highest",), lambda: wanting_by_priority(SLOTS[0]).values_list("priority")[:1], [project])
    return int(found[0][0]) if found else None


def _window(desk: Desk, state: str, priority: int, start: float, at: datetime) -> Iterator[int]:
    """Yield what the labeler may read of the ``WINDOW`` items from ``start`` on, what asks for them first."""
    values = [desk.project.pk, priority, desk.labeler.pk, start]
    seen = rows(("window", "gte", state, *_kind(desk)), lambda: _level(desk, state, "gte"), values)
    if start and len(seen) < WINDOW:
        rest = rows(("window", "lt", state, *_kind(desk)), lambda: _level(desk, state, "lt"), values)
        seen += rest[: WINDOW - len(seen)]
    free = [Candidate(*row) for *row, is_barred in seen if not is_barred]
    for keys in preferred.for_labeler(free, desk, at):
        yield from _shuffled(keys, desk)


def _level(desk: Desk, state: str, side: str) -> QuerySet[Any, Any]:
    project, priority, labeler, start = SLOTS[:4]
    level = with_room(Item.objects.filter(project=project, state=state, priority=priority), desk.policy)
    found = level.annotate(is_barred=barred(desk, labeler)).filter(**{f"place__{side}": start})
    return found.order_by("place").values_list(*SEEN, "is_barred")[:WINDOW]


def _kind(desk: Desk) -> tuple[Hashable, ...]:
    """What changes the text of a labeler's query, or parameters that are theirs for long."""
    policy = desk.policy
    own = desk.labeler.user_id if desk.may_know_others else None
    subject = policy.same_subject if policy.same_subject == "any" else f"{policy.same_subject} {desk.project.pk}"
    return (
        policy.readers, policy.overlap_share, subject, own, desk.is_kept_apart, desk.has_batches,
        desk.may_decide_disputes,
    )  # fmt: skip


def _unkept(seen: Iterable[tuple[Any, ...]], desk: Desk, at: datetime) -> list[int]:
    first, rest = preferred.for_labeler([Candidate(*row) for row in seen], desk, at)
    return first + rest


def _shuffled(keys: Iterable[int], desk: Desk) -> Iterator[int]:
    yield from sorted(keys, key=lambda pk: draw(desk.project, "order", desk.labeler.pk, pk))


def _of_partners(labeler: int) -> QuerySet[Assignment]:
    pairs = KeptApart.objects.filter(ended_at=None)
    return filling().filter(
        Q(labeler__in=pairs.filter(first=labeler).values("second"))
        | Q(labeler__in=pairs.filter(second=labeler).values("first"))
    )


def _reads_of_the_group(project_id: int) -> QuerySet[Assignment]:
    return filling().filter(item__project=project_id, item__group_key=OuterRef("group_key"))


def _is_of_other_readers(labeler: int, desk: Desk) -> Q:
    """Whether the subject has as many readers as are wanted, who are still here, and this labeler is none of them."""
    here = Membership.objects.filter(project=desk.project.pk, removed_at=None).values("user")
    readers = _reads_of_the_group(desk.project.pk).filter(labeler__user__in=here).order_by()
    count = readers.values("item__group_key").annotate(n=Count("labeler", distinct=True)).values("n")
    is_mine = Exists(readers.filter(labeler=labeler))
    is_full = Exists(
        Item.objects.filter(pk=OuterRef("pk")).annotate(n=Value(desk.policy.readers))
        .filter(n__lte=Coalesce(Subquery(count, output_field=IntegerField()), Value(0)))
    )  # fmt: skip
    return ~Q(group_key="") & Q(is_full) & ~Q(is_mine)
