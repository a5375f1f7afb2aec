"""What is placed among a labeler's work by secret draws: exam items, training, hidden gold, repeats. Reads only.

Whether one is due depends on the project's secret and on how many items this labeler was given, on nothing else: gold has
no fixed place (Poisson placement), stands at no end of a batch, and cannot be foretold. What is chosen looks like every
other item: the same kinds of row, written at the same moment, with the same code, state and lease.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD, Assignment, BatchItem
from labelhub.catalog.models import Item
from labelhub.reviews.models import Decision
from labelhub.reviews.sightings import known_to
from labelhub.routing.gates import UNDECIDED
from labelhub.scoring import exams
from labelhub.scoring.exams import ExamStanding
from labelhub.scoring.models import GoldReference
from labelhub.workflow.desk import Desk
from labelhub.workflow.draws import draw
from labelhub.workflow.errors import ExamFailed, ExamTooShort
from labelhub.workflow.queue import closed_to

Kind = GoldReference.Kind
# From how many places of the circle a repeat is drawn.
MOST_REPEATS = 20


def next_training(desk: Desk) -> GoldReference | None:
    """Return training gold that the labeler did not meet yet; feedback on it is a declared disclosure."""
    return _drawn(desk, [Kind.TRAINING], "training") if desk.has_training and desk.reads_blind else None


def exam_of(desk: Desk) -> ExamStanding | None:
    """Return where the labeler stands in the entry exam; None where none is asked of them, or they were admitted."""
    if not desk.policy.exam_items or not desk.reads_blind or desk.ruling == exams.Verdict.ADMITTED:
        return None
    return exams.exam_standing(desk.labeler, desk.policy, is_unruled=not desk.ruling)


def next_exam(desk: Desk, standing: ExamStanding) -> GoldReference:
    """Return the labeler's next exam item.

    Raises ``ExamFailed`` where the exam was failed and ``ExamTooShort`` where the project has too few items for it.
    """
    if standing.standing in ("failed", "refused"):
        raise ExamFailed(n_right=standing.n_right, n_done=standing.n_done)
    gold = _drawn(desk, [Kind.EXAM], "exam")
    if gold is None:
        raise ExamTooShort(n_asked=standing.n_asked, n_done=standing.n_done)
    return gold


def next_gold(desk: Desk) -> GoldReference | None:
    """Return hidden gold for this labeler where a draw says that it is due now, else None."""
    if not desk.reads_blind or not is_gold_due(desk):
        return None
    return _drawn(desk, _hidden_kinds(desk), "which")


def gold_wanting(desk: Desk, wanting: QuerySet[Item]) -> GoldReference | None:
    """Return hidden gold among the items that want a reader: what is left to read when nothing else is."""
    return _drawn(desk, _hidden_kinds(desk), "which", among=wanting) if desk.reads_blind else None


def is_gold_due(desk: Desk) -> bool:
    """Whether the draw for this hand-out falls on gold."""
    return draw(desk.project, "gold", desk.labeler.pk, desk.labeler.n_handed) < gold_share(desk)


def gold_share(desk: Desk) -> float:
    """Return the share of gold among what this labeler gets now: more of it until their gate decided."""
    policy = desk.policy
    if policy.gold_share == 0:
        return 0.0
    is_decided = desk.gate != UNDECIDED
    return policy.gold_share if is_decided else max(policy.gold_share, policy.gold_share_undecided)


def next_repeat(desk: Desk, at: datetime) -> Item | None:
    """Return an item that the labeler read long enough ago, where a draw says that a repeat is due, else None.

    Never one whose label they may have learned since: they were told a judgement of it, mended it, or judged it, or their
    seat shows them what others made of it, now that they read it.
    """
    labeler, policy = desk.labeler, desk.policy
    if not desk.reads_blind or draw(desk.project, "repeat", labeler.pk, labeler.n_handed) >= policy.repeat_share:
        return None
    before = at - timedelta(days=policy.repeat_after_days)
    own = Assignment.objects.filter(item=OuterRef("assignment__item"), labeler=labeler)
    told = Decision.objects.filter(item=OuterRef("assignment__item"))
    rows = Submission.objects.filter(
        assignment__labeler=labeler, read_kind="independent", planned_blind=True, version=1, submitted_at__lte=before
    ).exclude(assignment__item__state=Item.State.EXCLUDED)
    rows = rows.exclude(Exists(own.filter(Q(read_kind__in=["repeat", "rework"]) | Q(state__in=HELD))))
    rows = rows.exclude(Exists(told.filter(Q(submission__assignment__labeler=labeler) | Q(reviewer=labeler.user_id))))
    if desk.may_know_others:
        others = Submission.objects.filter(assignment__item=OuterRef("assignment__item"))
        rows = rows.exclude(Exists(others.exclude(assignment__labeler=labeler)))
    rows = rows.exclude(
        Exists(GoldReference.objects.filter(item=OuterRef("assignment__item"), retired_at=None))
    ).exclude(Exists(BatchItem.objects.filter(item=OuterRef("assignment__item"), batch__is_shared=True)))
    start = draw(desk.project, "repeat-window", labeler.pk, labeler.n_handed)
    around = rows.order_by("assignment__item__place").values_list("assignment__item", flat=True)
    keys = list(around.filter(assignment__item__place__gte=start)[:MOST_REPEATS]) or list(around[:MOST_REPEATS])
    if not keys:
        return None
    return Item.objects.select_related("project").get(
        pk=min(keys, key=lambda pk: draw(desk.project, "order", labeler.pk, pk))
    )


def _hidden_kinds(desk: Desk) -> list[str]:
    """Where no exam is asked for, gold that was made for one serves as hidden gold."""
    return [Kind.HIDDEN] if desk.policy.exam_items else [Kind.HIDDEN, Kind.EXAM]


def _closed(desk: Desk) -> Q | None:
    """Return what of an item keeps its gold from this labeler: they know others' reads of it, or lack its qualification."""
    known = known_to(desk.labeler.user_id) if desk.may_know_others else None
    closed = closed_to(desk.labeler.pk) if desk.has_batches else None
    return known | closed if known is not None and closed is not None else known or closed


def _drawn(desk: Desk, kinds: list[str], purpose: str, among: QuerySet[Item] | None = None) -> GoldReference | None:
    """Return gold of these kinds by a draw: never met by this labeler, nor of a group whose gold they met.

    Items of one patient are not independent, so one gold a patient says all that two would. Gold that was given to as many
    as the policy allows is out, and so is what they may not read blind.
    """
    labeler, policy = desk.labeler, desk.policy
    rows = GoldReference.objects.filter(
        kind__in=kinds,
        retired_at=None,
        rested_at=None,
        item__project=desk.project,
        n_exposures__lt=policy.gold_max_exposures,
    ).exclude(item__state=Item.State.EXCLUDED)
    if among is not None:
        rows = rows.filter(item__in=among)
    if (closed := _closed(desk)) is not None:
        rows = rows.exclude(item__in=Item.objects.filter(closed, project=desk.project))
    ever = GoldReference.objects.filter(item__project=desk.project).values("item")
    met = Assignment.objects.filter(labeler=labeler, item__in=ever).exclude(item__group_key="")
    groups = set(met.values_list("item__group_key", flat=True))
    fresh = rows.annotate(met=Exists(Assignment.objects.filter(labeler=labeler, item=OuterRef("item")))).filter(
        met=False
    )
    found = [pk for pk, group in fresh.order_by("pk").values_list("pk", F("item__group_key")) if group not in groups]
    if not found:
        return None
    place = draw(desk.project, purpose, labeler.pk, labeler.n_handed)
    return rows.select_related("item__project").get(pk=found[int(place * len(found))])
