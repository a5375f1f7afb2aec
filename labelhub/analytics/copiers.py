"""Labelers found copying are kept apart as soon as the project is measured: the queue gives the two no item together.

Finding them is enough, and an admin may let them together again. What was known then keeps them apart no more: only three
further items do, with the same outlines, that one of the two handed in afterwards. Not here: who copies
(``scoring.panel_copies``), and what being kept apart does (``workflow.queue``).
"""

from __future__ import annotations

from datetime import datetime

from labelhub.analytics.cases import CopyingPair, copying_pairs
from labelhub.annotations.models import Submission
from labelhub.projects.models import Project
from labelhub.projects.teams import keep_apart, lifted_pairs, pairs_apart
from labelhub.scoring.panel_plain_rows import LEAST_IDENTICAL
from labelhub.scoring.panel_rows import Panel

BY = "system"
# Of so many items the codes are kept.
MOST_ITEMS = 200


def keep_copiers_apart(project: Project, panel: Panel) -> None:
    """Keep each pair apart that the panel found copying, unless it is or its evidence was lifted. Writes ``pair.kept_apart``.

    Readings that were not made independently of one another show nothing: the two may have been shown the same outlines.
    """
    found = copying_pairs(project, panel) if panel.source.is_independent else ()
    if not found:
        return
    apart = set(pairs_apart(project).values_list("first", "second"))
    lifted = lifted_pairs(project)
    for pair in found:
        key = (min(pair.first.pk, pair.second.pk), max(pair.first.pk, pair.second.pk))
        if key in apart or (key in lifted and _n_items_since(pair, lifted[key]) < LEAST_IDENTICAL):
            continue
        keep_apart(
            first=pair.first, second=pair.second, reason=f"Found copying: {pair.evidence}", by=BY,
            evidence={
                "identical": pair.n_identical, "compared": pair.n_compared, "n_items": len(pair.items),
                "items": list(pair.items[:MOST_ITEMS]),
            },
        )  # fmt: skip


def _n_items_since(pair: CopyingPair, lifted_at: datetime) -> int:
    """Return on how many of the pair's items one of the two handed their first version in after the pair was let together."""
    rows = Submission.objects.filter(
        assignment__labeler__in=[pair.first, pair.second], assignment__item__code__in=pair.items, version=1,
        submitted_at__gt=lifted_at,
    )  # fmt: skip
    return rows.values("assignment__item").distinct().count()
