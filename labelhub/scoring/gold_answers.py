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
from labelhub.scoring.versions import under_of

EQUAL = "equal"
# The numbers of a comparison with gold that an answer is counted by.
COUNTED = (RIGHT, "dice", "surface-dice", EQUAL)
# Kinds of gold that judge; training gold teaches.
JUDGING = (GoldReference.Kind.EXAM, GoldReference.Kind.HIDDEN)


@dataclass(frozen=True, slots=True)
class GoldAnswer:
    """One first answer on a gold item: which submission, of which item and group, when, and whether it was right.

    ``dice`` and ``surface`` (surface Dice at the policy's tolerance) are means over the classes with an area in the answer or
    the gold, None without any; ``asks`` says that the gold answers questions too, which no outline tells.
    """

    submission_id: int
    item_id: int
    code: str
    group_key: str
    at: datetime
    is_right: bool
    # The versions of ontology and instructions that it was made under, in words.
    under: str = ""
    dice: float | None = None
    surface: float | None = None
    asks: bool = False


def gold_answers(project: Project, *, labeler_ids: Collection[int] | None = None) -> dict[int, tuple[GoldAnswer, ...]]:
    """Return each labeler's answers on gold by labeler id, oldest first; one query. ``labeler_ids``: of these alone."""
    rows = Score.objects.filter(
        item__project=project, about=Score.About.GOLD, metric__in=COUNTED, replaced_at=None, value__isnull=False,
        gold__retired_at=None, gold__kind__in=JUDGING, first__version=1, first__read_kind="independent",
        first__planned_blind=True,
    ).exclude(item__state=Item.State.EXCLUDED)  # fmt: skip
    if labeler_ids is not None:
        rows = rows.filter(first__assignment__labeler__in=labeler_ids)
    whose: dict[int, tuple[int, int, str, str, datetime, str]] = {}
    numbers: dict[int, dict[str, list[float]]] = {}
    for submission_id, labeler_id, item_id, code, group, at, metric, label, value, ontology, guideline in rows.order_by(
        "first__submitted_at", "first_id"
    ).values_list(
        "first_id", "first__assignment__labeler_id", "item_id", "item__code", "item__group_key", "first__submitted_at",
        "metric", "label", "value", "first__ontology__number", "first__guideline__number",
    ):  # fmt: skip
        whose[submission_id] = (labeler_id, item_id, code, group, at, under_of(ontology, guideline))
        if metric != RIGHT or not label:
            numbers.setdefault(submission_id, {}).setdefault(metric, []).append(float(value or 0.0))
    found: dict[int, list[GoldAnswer]] = {}
    seen: set[tuple[int, str]] = set()
    for submission_id, (labeler_id, item_id, code, group, at, under) in whose.items():
        # An item of no known patient stands for itself.
        unit, told = (labeler_id, group or f"item:{item_id}"), numbers.get(submission_id, {})
        if RIGHT in told and unit not in seen:
            seen.add(unit)
            answer = GoldAnswer(
                submission_id, item_id, code, group, at, told[RIGHT][0] == 1.0, under, _mean(told.get("dice")),
                _mean(told.get("surface-dice")), asks=EQUAL in told,
            )  # fmt: skip
            found.setdefault(labeler_id, []).append(answer)
    return {key: tuple(answers) for key, answers in found.items()}


def reader_dice(project: Project, labeler_ids: Collection[int]) -> dict[int, tuple[tuple[int, int, float], ...]]:
    """Return how alike these labelers' outlines of each gold item are: item id -> (labeler, labeler, Dice); one query.

    First versions of planned independent reads on gold in use; the mean over classes with an area in either.
    """
    gold = GoldReference.objects.filter(item__project=project, retired_at=None, kind__in=JUDGING)
    given = {"version": 1, "read_kind": "independent", "planned_blind": True, "assignment__labeler__in": labeler_ids}
    rows = Score.objects.filter(
        item__in=gold.values("item"), about=Score.About.PAIR, metric="dice", replaced_at=None, value__isnull=False,
        **{f"{side}__{name}": value for side in ("first", "second") for name, value in given.items()},
    ).values_list("item_id", "first__assignment__labeler_id", "second__assignment__labeler_id", "value")  # fmt: skip
    values: dict[tuple[int, int, int], list[float]] = {}
    for item_id, first, second, value in rows:
        values.setdefault((item_id, first, second), []).append(float(value or 0.0))
    found: dict[int, list[tuple[int, int, float]]] = {}
    for (item_id, first, second), dice in values.items():
        found.setdefault(item_id, []).append((first, second, sum(dice) / len(dice)))
    return {key: tuple(pairs) for key, pairs in found.items()}


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def judged_on_gold(item: Item) -> frozenset[int]:
    """Return the ids of the submissions of the item that stand compared with its gold."""
    rows = Score.objects.filter(item=item, about=Score.About.GOLD, metric=RIGHT, replaced_at=None)
    return frozenset(pk for pk in rows.values_list("first_id", flat=True) if pk is not None)


def planned_gold(project: Project) -> tuple[int, int]:
    """Return how many gold items in use judge labelers, and how many independent units (patients) they make up."""
    rows = GoldReference.objects.filter(item__project=project, retired_at=None, kind__in=JUDGING)
    units = list(rows.exclude(item__state=Item.State.EXCLUDED).values_list("item_id", "item__group_key"))
    return len(units), len({group or f"item:{item_id}" for item_id, group in units})
