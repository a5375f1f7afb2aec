"""Which test a project's gold can carry beyond right and wrong: partial credit for outlines, difficulty for classes.

Pure: gold answers in, the plan of a test out, or a sentence why it cannot be. Both need readers whose answers tell what may be
asked of anybody: credit is measured by what reference readers reach with each other on the same item, difficulty by how all
other labelers fared on it; the labeler who is judged is left out of both. Not here: the rates (``gate_plan``), and running a
test (``gate_trace``).

References
----------
Birnbaum A (1968) in Lord & Novick, Statistical Theories of Mental Test Scores (the two-parameter logistic model).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from labelhub.numerics.difficulty import MIN_LABELS, adjusted_accuracy
from labelhub.numerics.graded_sprt import fixed_size_by_difficulty, fixed_size_of_scores
from labelhub.numerics.results import FloatArray
from labelhub.projects.policy import Policy
from labelhub.routing.gate_trace import GatePlan, credit_of
from labelhub.scoring.gold_answers import GoldAnswer

# Item -> how alike two reference readers' outlines of it are: (labeler, labeler, Dice).
Pairs = Mapping[int, Sequence[tuple[int, int, float]]]

# Fewer earned than these tell neither their mean nor their spread well enough for a test.
LEAST_CREDITS = 30
# Outlines of readers who all earn full credit have no spread; a labeler's have.
LEAST_SPREAD = 0.1
LEAST_POOR_CREDIT = 0.05
# A chance is never taken as nearer to certainty than this, and a good labeler's is above a poor one's by at least that.
LEAST_ERROR, LEAST_GAP = 0.02, 0.01
_SKILLS = (-12.0, 12.0)


@dataclass(frozen=True, slots=True)
class Graded:
    """The plan of a graded test, or None and ``why`` not. ``earned`` are those of the reference readers."""

    plan: GatePlan | None
    why: str
    earned: tuple[float, ...] = ()


def has_outlines(answers: Mapping[int, Sequence[GoldAnswer]]) -> bool:
    """Whether most gold answers are about areas."""
    given = [answer.dice is not None for own in answers.values() for answer in own]
    return bool(given) and sum(given) * 2 >= len(given)


def by_credit(
    plain: GatePlan, policy: Policy, answers: Mapping[int, Sequence[GoldAnswer]], pairs: Pairs, readers: Collection[int]
) -> Graded:
    """Return the test on partial credit: ``good`` and spread from reference readers, each judged by the others.

    ``poor`` lies below by as much as the policy's two rates differ. ``readers`` leave out who is judged.
    """
    tops = {item: top for item, found in pairs.items() if (top := _top(found, readers)) is not None}
    earned: dict[int, list[float]] = {}
    for reader in readers:
        others = set(readers) - {reader}
        for answer in answers.get(reader, ()):
            top = _top(pairs.get(answer.item_id, ()), others)
            if top is not None:
                earned.setdefault(reader, []).append(credit_of(answer, top))
    values = np.array([value for own in earned.values() for value in own])
    least = max(policy.min_gold, LEAST_CREDITS)
    if len(values) < least:
        return Graded(
            None,
            f"partial credit needs {least} gold outlines of reference readers that two other reference readers drew too, "
            f"and there are {len(values)}",
        )
    good, spread = float(values.mean()), max(float(values.std(ddof=1)), LEAST_SPREAD)
    poor = good - (policy.gate_good - policy.gate_poor)
    if poor < LEAST_POOR_CREDIT:
        return Graded(None, f"reference readers earn a mean credit of {good:.2f} only on this gold: look at it")
    fixed = fixed_size_of_scores(good=good, bad=poor, spread=spread, rates=plain.rates)
    plan = replace(
        plain, good=round(good, 4), poor=round(poor, 4), spread=round(spread, 4), kind="credit", fixed=fixed,
        source="reference readers", n_reference=len(values), usual=round(float(np.median(list(tops.values()))), 4),
        items=tuple((item, round(top, 4), 0.0) for item, top in sorted(tops.items())),
        why=f"{len(earned)} reference readers drew {len(values)} gold outlines that others of them drew too",
    )  # fmt: skip
    return Graded(plan, plan.why, tuple(np.round(values, 4).tolist()))


def by_difficulty(
    plain: GatePlan, policy: Policy, answers: Mapping[int, Sequence[GoldAnswer]], *, judged_id: int | None
) -> Graded:
    """Return the test with the chances of a good and a poor labeler on each gold item, from how the others fared on it.

    Good and poor are the skills at which the mean chance over these items is the plan's two rates.
    """
    others = sorted(key for key, own in answers.items() if own and key != judged_id)
    given: dict[int, dict[int, bool]] = {}
    for place, key in enumerate(others):
        for answer in answers[key]:
            given.setdefault(answer.item_id, {})[place] = answer.is_right
    items = sorted(item for item, own in given.items() if len(own) >= MIN_LABELS)
    if len(items) < policy.min_gold:
        return Graded(
            None,
            f"the difficulty of {len(items)} gold items can be told ({MIN_LABELS} answers of others or more), and "
            f"{policy.min_gold} are needed",
        )
    right = np.full((len(items), len(others)), np.nan)
    for row, item in enumerate(items):
        for place, is_right in given[item].items():
            right[row, place] = is_right
    if np.nanmin(right) == np.nanmax(right):
        return Graded(None, "all answers of the others on gold are alike, so that no item is harder than another")
    found = adjusted_accuracy(right)
    good = _chances(found.discrimination, found.difficulty, plain.good)
    poor = np.minimum(_chances(found.discrimination, found.difficulty, plain.poor), good - LEAST_GAP)
    plan = replace(
        plain, kind="difficulty", fixed=fixed_size_by_difficulty(good, poor, plain.rates),
        items=tuple(
            (item, round(float(a), 4), round(float(b), 4)) for item, a, b in zip(items, good, poor, strict=True)
        ),
        why=f"{len(others)} other labelers' answers tell the difficulty of {len(items)} gold items",
    )  # fmt: skip
    return Graded(plan, plan.why)


def _chances(discrimination: FloatArray, difficulty: FloatArray, mean: float) -> FloatArray:
    """The chance on each item of a labeler whose mean chance over all of them is ``mean``."""

    def beyond(skill: float) -> float:
        return float(expit(discrimination * (skill - difficulty)).mean()) - mean

    skill = brentq(beyond, *_SKILLS) if beyond(_SKILLS[0]) < 0 < beyond(_SKILLS[1]) else 0.0
    return np.asarray(np.clip(expit(discrimination * (skill - difficulty)), LEAST_ERROR + LEAST_GAP, 1 - LEAST_ERROR))


def _top(found: Sequence[tuple[int, int, float]], readers: Collection[int]) -> float | None:
    """The median Dice between these readers on one item; None where no two of them drew it."""
    values = [dice for first, second, dice in found if first in readers and second in readers]
    return float(np.median(values)) if values else None
