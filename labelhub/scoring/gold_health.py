"""How gold fares: how often it is passed, how often it was given, and gold that good labelers fail.

Gold is itself wrong sometimes. What at least three labelers of high accuracy fail is for experts. Accuracy is shrunk
towards what labelers of the project reach, so that nobody is good on five items. Not here: what is done about it
(``workflow.golding``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from labelhub.numerics.proportions import proportion
from labelhub.numerics.rater_models import shrunken_shares
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import RIGHT

PAGE = 100
# Gold audit: failed by at least so many labelers whose shrunk accuracy is above this.
LEAST_FAILED, GOOD_ABOVE = 3, 0.85


@dataclass(frozen=True, slots=True)
class GoldRow:
    """One gold reference: the share of first answers to it that are right, with interval and n."""

    gold: GoldReference
    passed: Estimate


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Gold that good labelers failed: how many of them, of how many who answered it."""

    gold: GoldReference
    n_failed: int
    n_good: int


@dataclass(frozen=True, slots=True)
class GoldCounts:
    """How many references of each kind are in use, resting, and out of use."""

    in_use: dict[str, int]
    n_resting: int
    n_retired: int


def gold_rows(project: Project, *, kind: str = "", before: int | None = None) -> tuple[GoldRow, ...]:
    """Return the next ``PAGE`` references that stand (in use or resting), newest first. Two queries."""
    rows = _standing(project).select_related("item", "submission__assignment__labeler").order_by("-pk")
    if kind:
        rows = rows.filter(kind=kind)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    shown = list(rows[:PAGE])
    counts = {
        row["gold"]: (int(row["right"] or 0), row["n"])
        for row in _answers(project).filter(gold__in=shown).values("gold").annotate(right=Sum("value"), n=Count("pk"))
    }
    return tuple(GoldRow(gold, _share(*counts.get(gold.pk, (0, 0)))) for gold in shown)


def gold_counts(project: Project) -> GoldCounts:
    """Return how much gold there is of each kind. One query."""
    stands, rests = Q(retired_at=None), Q(rested_at__isnull=False)
    rows = GoldReference.objects.filter(item__project=project).values("kind").annotate(
        in_use=Count("pk", filter=stands & ~rests), resting=Count("pk", filter=stands & rests),
        retired=Count("pk", filter=~stands),
    ).order_by()  # fmt: skip
    found = {row["kind"]: row for row in rows}
    in_use = {kind: found[kind]["in_use"] if kind in found else 0 for kind in GoldReference.Kind.values}
    return GoldCounts(
        in_use, sum(row["resting"] for row in found.values()), sum(row["retired"] for row in found.values())
    )


def gold_audit(project: Project) -> tuple[AuditRow, ...]:
    """Return gold that at least ``LEAST_FAILED`` good labelers failed, the most failed first. Three queries."""
    answers = _answers(project)
    totals = list(
        answers.values("first__assignment__labeler").annotate(right=Sum("value"), n=Count("pk")).order_by().values_list(
            "first__assignment__labeler", "right", "n"
        )
    )  # fmt: skip
    if not totals:
        return ()
    shares = shrunken_shares([int(right) for _, right, _ in totals], [n for _, _, n in totals])
    good = [totals[n][0] for n, mean in enumerate(shares.mean) if mean > GOOD_ABOVE]
    by_good = answers.filter(first__assignment__labeler__in=good).values("gold").order_by()
    failed = by_good.annotate(
        n_failed=Count("first__assignment__labeler", distinct=True, filter=Q(value=0.0)),
        n_good=Count("first__assignment__labeler", distinct=True),
    ).filter(n_failed__gte=LEAST_FAILED)  # fmt: skip
    found = {row["gold"]: (row["n_failed"], row["n_good"]) for row in failed}
    rows = GoldReference.objects.filter(pk__in=found).select_related("item")
    return tuple(
        sorted((AuditRow(gold, *found[gold.pk]) for gold in rows), key=lambda row: (-row.n_failed, row.gold.pk))
    )


def gold_of(project: Project, pk: int) -> GoldReference | None:
    """Return one of the project's references that stand."""
    return _standing(project).filter(pk=pk).select_related("item__project").first()


def groups_with_gold(project: Project) -> set[str]:
    """Return the patients (groups) of which an item is gold."""
    return set(_standing(project).exclude(item__group_key="").values_list("item__group_key", flat=True))


def items_with_gold(keys: Sequence[int]) -> set[int]:
    """Return those of the items that are gold."""
    return set(GoldReference.objects.filter(item__in=keys, retired_at=None).values_list("item", flat=True))


def _standing(project: Project) -> QuerySet[GoldReference]:
    return GoldReference.objects.filter(item__project=project, retired_at=None)


def _answers(project: Project) -> QuerySet[Score]:
    """First answers to gold that stands: right (1) or wrong (0)."""
    return Score.objects.filter(
        item__project=project, about=Score.About.GOLD, metric=RIGHT, replaced_at=None, value__isnull=False,
        first__version=1, first__read_kind__in=["independent", "training"], gold__retired_at=None,
    )  # fmt: skip


def _share(right: int, n: int) -> Estimate:
    return proportion(right, n, unit="answers", method="share of first answers right against this gold")
