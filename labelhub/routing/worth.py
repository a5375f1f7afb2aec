"""Whom to ask for one more read of an item: what is known of it and of the labelers, given to ``allocation``.

The functions that price and allow an ask are those of the simulation (``allocation.worth_of_asking``,
``may_be_asked``); this module only reads what they need. The unit asked about is the item's least sure one: under the standing
estimates its categories and every labeler's confusions; where nobody estimated raters, or what is least sure is an outline, the
label is right or else wrong in favour of one rival (the case in which a read helps least), and a labeler is right as often as
on gold, shrunk towards all labelers. Not here: the formula (``allocation``), and who is free now (``workflow``).
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from django.db.models import Count, Q, Sum
from django.utils import timezone

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.numerics.label_value import StoppingRule
from labelhub.numerics.results import BoolArray
from labelhub.projects.models import KeptApart, Labeler, Membership, Role
from labelhub.projects.policy import Policy
from labelhub.routing.allocation import Beliefs, may_be_asked, worth_of_asking
from labelhub.routing.gates import STATES
from labelhub.routing.models import Gate
from labelhub.scoring.models import Posterior, Score
from labelhub.scoring.posteriors import Fits, standing_fits
from labelhub.scoring.rows import RIGHT
from labelhub.scoring.truth_fit import belief

# A labeler's own gold weighs as much as all labelers' once they have this many.
PRIOR_GOLD = 10
MOST_LABELERS = 20
# A share of right answers is never taken as certain.
LEAST_ERROR = 0.01
# The rules have decided that one more read is wanted: what is left is from whom.
WANTED = StoppingRule(confidence=1 - 1e-12, least=1, most=1_000_000)


def values_of_next_labelers(item: Item, policy: Policy, *, now: datetime | None = None) -> list[dict[str, float | int]]:
    """Return of whom one more read of the item may be asked, with its worth, best first; empty where nothing is known."""
    row = Posterior.objects.filter(item=item).first()
    if row is None or row.value is None:
        return []
    raters = _raters(item.project_id)
    beliefs = beliefs_of(row, raters, standing_fits(item.project_id)) if raters else None
    if beliefs is None:
        return []
    had = set(Assignment.objects.filter(item=item).values_list("labeler_id", flat=True))
    has_answered = np.array([[key in had for key in raters]])
    is_active = _is_active(item.project_id, raters, policy, now or timezone.now())
    allowed = may_be_asked(has_answered, is_active, _pairs(item.project_id, raters))
    n_reads = np.array([len({rater for unit in row.units for rater in unit["given"]})])
    worth = worth_of_asking(beliefs, n_reads, WANTED, may_ask=allowed)[0]
    order = [place for place in np.argsort(-worth, kind="stable") if np.isfinite(worth[place])][:MOST_LABELERS]
    return [{"labeler": raters[place], "value": round(float(worth[place]), 6)} for place in order]


def beliefs_of(row: Posterior, raters: list[int], fits: Fits) -> Beliefs | None:
    """Return what is believed of the item's least sure unit and of these labelers; None where nothing is known of them."""
    named = next((unit for unit in row.units if unit["name"] == row.worst and unit["topic"] in fits.topics), None)
    fit = None if named is None else fits.topics[named["topic"]]
    if named is not None and fit is not None and fit.is_estimated:
        found = belief(fit, named["given"]).probability
        if set(found) == set(fit.categories):
            tables = [fit.confusion.get(str(key), fit.pooled) for key in raters]
            posterior = np.array([[found[name] for name in fit.categories]])
            return Beliefs(posterior, np.array(tables, dtype=np.float64), np.array(fit.prevalence))
    right = shares_right(row.item.project_id)
    if not right or row.value is None:
        return None
    pooled = sum(k for k, _ in right.values()) / sum(n for _, n in right.values())
    shares = [_shrunk(*right.get(key, (0.0, 0)), pooled) for key in raters]
    confusion = np.array([[[share, 1 - share], [1 - share, share]] for share in shares])
    return Beliefs(np.array([[row.value, 1 - row.value]]), confusion, np.array([0.5, 0.5]))


def shares_right(project_id: int) -> dict[int, tuple[float, int]]:
    """Return each labeler's number of right gold answers and of gold answers, from first planned independent reads."""
    rows = Score.objects.filter(
        item__project_id=project_id, about=Score.About.GOLD, metric=RIGHT, replaced_at=None, value__isnull=False,
        first__version=1, first__read_kind="independent", first__planned_blind=True,
    ).values("first__assignment__labeler").annotate(right=Sum("value"), asked=Count("pk"))  # fmt: skip
    return {row["first__assignment__labeler"]: (float(row["right"]), row["asked"]) for row in rows}


def _raters(project_id: int) -> list[int]:
    """The members who may read blind: an admin sees everybody's labels."""
    members = Membership.objects.filter(project_id=project_id, removed_at=None).exclude(role=Role.ADMIN)
    labelers = Labeler.objects.filter(project_id=project_id, user_id__in=members.values("user_id"))
    return list(labelers.order_by("pk").values_list("pk", flat=True))


def _is_active(project_id: int, raters: list[int], policy: Policy, at: datetime) -> BoolArray:
    """Who is not paused and has room today."""
    facts = Gate.objects.filter(labeler__project_id=project_id).order_by("pk").values_list("labeler_id", "kind")
    paused = {key for key, kind in dict(facts).items() if STATES[kind] == "paused"}
    full: set[int] = set()
    if policy.max_items_a_day:
        morning = at.replace(hour=0, minute=0, second=0, microsecond=0)
        given = Assignment.objects.filter(labeler__in=raters, assigned_by=None).exclude(read_kind="rework")
        today = given.filter(created_at__gte=morning).values("labeler").annotate(n=Count("pk"))
        full = set(today.filter(n__gte=policy.max_items_a_day).values_list("labeler", flat=True))
    return np.array([key not in paused | full for key in raters], dtype=bool)


def _pairs(project_id: int, raters: list[int]) -> tuple[tuple[int, int], ...]:
    """The places of labelers who are kept apart: never both asked about one item."""
    place = {key: number for number, key in enumerate(raters)}
    rows = KeptApart.objects.filter(Q(first__project_id=project_id), ended_at=None).values_list("first", "second")
    return tuple((place[a], place[b]) for a, b in rows if a in place and b in place)


def _shrunk(right: float, asked: int, pooled: float) -> float:
    share = (right + PRIOR_GOLD * pooled) / (asked + PRIOR_GOLD)
    return float(np.clip(share, LEAST_ERROR, 1 - LEAST_ERROR))
