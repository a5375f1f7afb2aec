"""What one more read of an item is worth, from whom: the fall of the expected share of wrong labels.

The label is right with the item's posterior or else wrong, all of it in favour of one rival: the case in which a further
read helps least. A labeler is right as often as on gold, shrunk towards all labelers. Not here: the formula
(``numerics.label_value``), and who is free (``workflow``).
"""

from __future__ import annotations

import numpy as np
from django.db.models import Count, Sum

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.numerics.label_value import values_by_rater
from labelhub.projects.models import Labeler, Membership
from labelhub.scoring.models import Score
from labelhub.scoring.rows import RIGHT

# A labeler's own gold weighs as much as all labelers' once they have this many.
PRIOR_GOLD = 10
MOST_LABELERS = 20
# A share of right answers is never taken as certain.
LEAST_ERROR = 0.01


def values_of_next_labelers(item: Item, posterior: float | None) -> list[dict[str, float | int]]:
    """Return the members who never had the item with what their read is worth, best first; empty where nothing is known."""
    if posterior is None:
        return []
    right = shares_right(item.project_id)
    free = _who_never_had(item)
    if not right or not free:
        return []
    pooled = sum(k for k, _ in right.values()) / sum(n for _, n in right.values())
    shares = [_shrunk(*right.get(key, (0.0, 0)), pooled) for key in free]
    confusions = [[[share, 1 - share], [1 - share, share]] for share in shares]
    values = values_by_rater([[posterior, 1 - posterior]], confusions)[0]
    order = np.argsort(-values, kind="stable")[:MOST_LABELERS]
    return [{"labeler": free[place], "value": round(float(values[place]), 6)} for place in order]


def shares_right(project_id: int) -> dict[int, tuple[float, int]]:
    """Return each labeler's number of right gold answers and of gold answers, from first planned independent reads."""
    rows = Score.objects.filter(
        item__project_id=project_id, about=Score.About.GOLD, metric=RIGHT, replaced_at=None, value__isnull=False,
        first__version=1, first__read_kind="independent", first__planned_blind=True,
    ).values("first__assignment__labeler").annotate(right=Sum("value"), asked=Count("pk"))  # fmt: skip
    return {row["first__assignment__labeler"]: (float(row["right"]), row["asked"]) for row in rows}


def _who_never_had(item: Item) -> list[int]:
    members = Membership.objects.filter(project_id=item.project_id, removed_at=None).values("user_id")
    had = Assignment.objects.filter(item=item).values("labeler_id")
    labelers = Labeler.objects.filter(project_id=item.project_id, user_id__in=members).exclude(pk__in=had)
    return list(labelers.order_by("pk").values_list("pk", flat=True))


def _shrunk(right: float, asked: int, pooled: float) -> float:
    share = (right + PRIOR_GOLD * pooled) / (asked + PRIOR_GOLD)
    return float(np.clip(share, LEAST_ERROR, 1 - LEAST_ERROR))
