"""A labeler's answers on gold as the gate and their accuracy use them: one a patient, first versions, in the order given.

Only first versions of planned independent reads on hidden and exam gold count, and only gold that is in use: what was
retired or excluded drops out, and everything that rests on it is computed again. Of several gold items of one patient a
labeler's first counts alone, because the others would not be independent of it. Not here: what follows (``routing.gates``).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from labelhub.catalog.models import Item
from labelhub.projects.models import Project
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import RIGHT

# Kinds of gold that judge; training gold teaches.
JUDGING = (GoldReference.Kind.EXAM, GoldReference.Kind.HIDDEN)


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """One first answer on a gold item: which submission, of which item and group, when, and whether it was right."""

    submission_id: int
    item_id: int
    code: str
    group_key: str
    at: datetime
    is_right: bool


def gold_answers(project: Project, *, labeler_ids: Collection[int] | None = None) -> dict[int, tuple[GoldAnswer, ...]]:
    """Return each labeler's answers on gold by labeler id, oldest first; one query. ``labeler_ids``: of these alone."""
    rows = Score.objects.filter(
        item__project=project, about=Score.About.GOLD, metric=RIGHT, label="", replaced_at=None, value__isnull=False,
        gold__retired_at=None, gold__kind__in=JUDGING, first__version=1, first__read_kind="independent",
        first__planned_blind=True,
    ).exclude(item__state=Item.State.EXCLUDED)  # fmt: skip
    if labeler_ids is not None:
        rows = rows.filter(first__assignment__labeler__in=labeler_ids)
    found: dict[int, list[GoldAnswer]] = {}
    seen: set[tuple[int, str]] = set()
    for labeler_id, submission_id, item_id, code, group, at, value in rows.order_by(
        "first__submitted_at", "first_id"
    ).values_list(
        "first__assignment__labeler_id", "first_id", "item_id", "item__code", "item__group_key", "first__submitted_at",
        "value",
    ):  # fmt: skip
        # An item of no known patient stands for itself.
        unit = (labeler_id, group or f"item:{item_id}")
        if unit not in seen:
            seen.add(unit)
            found.setdefault(labeler_id, []).append(GoldAnswer(submission_id, item_id, code, group, at, value == 1.0))
    return {key: tuple(answers) for key, answers in found.items()}


def judged_on_gold(item: Item) -> frozenset[int]:
    """Return the ids of the submissions of the item that stand compared with its gold."""
    rows = Score.objects.filter(item=item, about=Score.About.GOLD, metric=RIGHT, replaced_at=None)
    return frozenset(pk for pk in rows.values_list("first_id", flat=True) if pk is not None)


def planned_gold(project: Project) -> tuple[int, int]:
    """Return how many gold items in use judge labelers, and how many independent units (patients) they make up."""
    rows = GoldReference.objects.filter(item__project=project, retired_at=None, kind__in=JUDGING)
    units = list(rows.exclude(item__state=Item.State.EXCLUDED).values_list("item_id", "item__group_key"))
    return len(units), len({group or f"item:{item_id}" for item_id, group in units})
