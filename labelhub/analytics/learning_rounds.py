"""Rounds of learning side by side: what each trained version gained over the one before, and over one that learned by lot.

A round is what a version learned beyond the version that it goes on from: the earlier one with the most labels of which it
holds all. What the new labels were chosen by is on record with their batch. Both comparisons are made on gold that neither
version learned from, item by item, with an interval over patients. A gain over the version before is that of more labels,
whatever chose them; only a version that learned as many chosen by lot tells what the choice itself brought. Where there is
none, that is said.

References
----------
Lüth CT et al. (2023) Navigating the pitfalls of active learning evaluation. NeurIPS (compare with a lot, on the same held-out
data).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from labelhub.analytics.gold_scores import OnGold, on_gold_of
from labelhub.assignments.models import BatchItem
from labelhub.jobs.models import Job
from labelhub.numerics.bootstrap import Resampling, mean_estimate
from labelhub.numerics.results import Estimate, undefined
from labelhub.predictions.models import ModelVersion, TrainedItem
from labelhub.predictions.selectors import models_of
from labelhub.projects.models import Project

SEED: Final = 20_261_130
METHOD, VERSION = "mean difference of the similarity with gold, item by item", "1"
BY_LOT: Final = "by lot"
QUEUE: Final = "in the order of the queue"
_BY_JOB: Final = "job:"
# A version that learned by lot stands beside one that learned at most this many times more or fewer new labels.
_ALIKE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Round:
    """One trained version: what it goes on from, what is new in it and how that was chosen (words and items, most first).

    ``gain`` is over ``before``, ``over_lot`` over ``lot``, which goes on from the same version with labels chosen by lot.
    """

    model: ModelVersion
    before: ModelVersion | None
    n_new: int
    chosen: tuple[tuple[str, int], ...]
    gain: Estimate
    lot: ModelVersion | None
    over_lot: Estimate


def learning_rounds(project: Project) -> list[Round]:
    """Return the project's rounds, the newest first; nothing before a second version was trained. Five queries."""
    models = [model for model in reversed(models_of(project)) if model.release_number is not None]
    if len(models) < 2:
        return []
    learned: dict[int, set[int]] = {model.pk: set() for model in models}
    for key, item in TrainedItem.objects.filter(model__in=models).values_list("model", "item"):
        learned[key].add(item)
    words, on_gold = _choices(project), on_gold_of(models)
    before = {model.pk: _before(model, models[:place], learned) for place, model in enumerate(models)}
    new = {model.pk: learned[model.pk] - (learned[own.pk] if (own := before[model.pk]) else set()) for model in models}
    chosen = {key: Counter(words.get(item, QUEUE) for item in items).most_common() for key, items in new.items()}
    rounds = []
    for model in reversed(models):
        lot = _lot(model, models, before, new, chosen)
        rounds.append(
            Round(
                model, before[model.pk], len(new[model.pk]), tuple(chosen[model.pk]),
                _compared(before[model.pk], model, on_gold, "it is the first that goes on from nothing"), lot,
                _compared(lot, model, on_gold, _why_no_lot(model, before, chosen)),
            )
        )  # fmt: skip
    return rounds


def _before(
    model: ModelVersion, earlier: Sequence[ModelVersion], learned: Mapping[int, set[int]]
) -> ModelVersion | None:
    """The version that this one goes on from: of those whose labels it all holds, and more, the one with the most."""
    inside = [one for one in earlier if learned[one.pk] < learned[model.pk]]
    return max(inside, key=lambda one: (len(learned[one.pk]), one.pk), default=None)


def _lot(
    model: ModelVersion, models: Sequence[ModelVersion], before: Mapping[int, ModelVersion | None],
    new: Mapping[int, set[int]], chosen: Mapping[int, Sequence[tuple[str, int]]],
) -> ModelVersion | None:  # fmt: skip
    """The version that learned about as many labels by lot, on top of the same one."""
    own = before[model.pk]
    if own is None or _mostly(chosen[model.pk]) == BY_LOT:
        return None
    size = len(new[model.pk])
    alike = [
        one
        for one in models
        if one.pk != model.pk
        and before[one.pk] == own
        and _mostly(chosen[one.pk]) == BY_LOT
        and size / _ALIKE <= len(new[one.pk]) <= size * _ALIKE
    ]
    return min(alike, key=lambda one: (abs(len(new[one.pk]) - size), -one.pk), default=None)


def _why_no_lot(
    model: ModelVersion, before: Mapping[int, ModelVersion | None], chosen: Mapping[int, Sequence[tuple[str, int]]]
) -> str:
    if before[model.pk] is None:
        return "it is the first that goes on from nothing"
    if _mostly(chosen[model.pk]) == BY_LOT:
        return "it learned by lot itself"
    return "no version learned about as many labels by lot, on top of the same one"


def _mostly(chosen: Sequence[tuple[str, int]]) -> str:
    """By what more than half of the new labels were chosen; nothing where no way has as many."""
    total = sum(n for _, n in chosen)
    return chosen[0][0] if chosen and 2 * chosen[0][1] > total else ""


def _compared(
    other: ModelVersion | None, model: ModelVersion, on_gold: Mapping[int, OnGold], why_none: str
) -> Estimate:
    """How much nearer to gold the version is than another, on gold items that both looked at and neither learned from."""
    if other is None:
        return undefined(why_none, n=0, unit="items", method=METHOD, version=VERSION)
    mine, theirs = on_gold.get(model.pk, {}), on_gold.get(other.pk, {})
    both = sorted(mine.keys() & theirs.keys())
    if not both:
        reason = "there is no gold that both looked at and neither learned from"
        return undefined(reason, n=0, unit="items", method=METHOD, version=VERSION)
    resampling = Resampling(
        np.random.default_rng(SEED), groups=np.array([mine[code][1] for code in both]), group_unit="patients or items",
        kind="percentile",
    )  # fmt: skip
    differences = [mine[code][0] - theirs[code][0] for code in both]
    return mean_estimate(differences, resampling, unit="items", method=METHOD, version=VERSION)


def _choices(project: Project) -> dict[int, str]:
    """By what an item came first, for items of batches that a job chose: one query for the batches, one for the jobs."""
    rows = list(
        BatchItem.objects.filter(batch__project=project, batch__created_by__startswith=_BY_JOB).values_list(
            "item", "batch__created_by"
        )
    )
    keys = {by: int(number) for _, by in rows if (number := by.removeprefix(_BY_JOB)).isdigit()}
    jobs = Job.objects.in_bulk(set(keys.values()))
    words = {by: _words(jobs[key]) for by, key in keys.items() if key in jobs}
    return {item: words[by] for item, by in rows if by in words}


def _words(job: Job) -> str:
    strategy, method = str(job.arguments.get("strategy", "")), str((job.result or {}).get("method", ""))
    if method.startswith(BY_LOT) or strategy in {"random", "foreground-random"}:
        return BY_LOT
    return method if strategy == "recommended" and method else strategy or QUEUE
