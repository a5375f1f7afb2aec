"""Reading stored scores. Hidden from annotators: nothing of this may reach a page, a file or an order of theirs."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler
from labelhub.scoring.models import Score
from labelhub.scoring.rows import AGREEMENT, RIGHT, SIMILARITY

# Ids in one query: far below what any database takes.
_CHUNK = 2_000


def current_scores(item: Item) -> QuerySet[Score]:
    """Return the scores of the item that stand now."""
    return (
        Score.objects.filter(item=item, replaced_at=None).select_related("first", "second", "prediction").order_by("pk")
    )


def item_agreement(item: Item, *, metric: str = AGREEMENT) -> Score | None:
    """Return the item's agreement between counted readings, with its n or the reason why there is none."""
    return current_scores(item).filter(about=Score.About.ITEM, metric=metric, label="").first()


def pair_similarities(item: Item) -> dict[tuple[int, int], float | None]:
    """Return the similarity of each two compared readings by their ids, the smaller first; None where undefined."""
    rows = current_scores(item).filter(about=Score.About.PAIR, metric=SIMILARITY, label="")
    return {(row.first_id or 0, row.second_id or 0): row.value for row in rows}


def scores_of_submission(submission: Submission) -> QuerySet[Score]:
    """Return every standing score that the reading takes part in: with others, with gold, with a model."""
    rows = Score.objects.filter(Q(first=submission) | Q(second=submission), replaced_at=None)
    return rows.select_related("first", "second", "gold", "prediction").order_by("pk")


def gold_results(labeler: Labeler) -> QuerySet[Score]:
    """Return right or wrong against gold of the labeler's counted readings, oldest first: the base of their accuracy."""
    return Score.objects.filter(
        about=Score.About.GOLD, metric=RIGHT, replaced_at=None, value__isnull=False,
        first__assignment__labeler=labeler, first__version=1, first__read_kind="independent", first__planned_blind=True,
    ).select_related("item", "first").order_by("first__submitted_at", "pk")  # fmt: skip


def reader_overlap(items: Sequence[int], label: str) -> dict[int, float]:
    """Return, for each of the items, the mean Dice of its readers two by two on a class: what people reach among themselves."""
    found: dict[int, list[float]] = {}
    for start in range(0, len(items), _CHUNK):
        rows = Score.objects.filter(
            item__in=items[start : start + _CHUNK], about=Score.About.PAIR, metric="dice", label=label, replaced_at=None
        )
        for item, value in rows.exclude(value=None).values_list("item_id", "value"):
            found.setdefault(item, []).append(float(value or 0))
    return {item: sum(values) / len(values) for item, values in found.items()}
