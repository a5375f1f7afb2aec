"""What labeling and reviewing cost so far, and what drafts saved, at what an hour of the work costs.

What was measured is counted, each reading at the price that held when it was handed in. Readings by people here whose time is
not known are taken at the mean of those whose time is, and only that part has an interval, over patients. What no price or no
time is known of is "not known", never 0. Imported readings cost nothing here. The database adds up, so that a view of the page
reads no row of work by itself. Not here: the time that drafts save (``draft_effects``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db.models import Case, CharField, Count, IntegerField, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, NullIf

from labelhub.analytics.draft_effects import DraftEffect
from labelhub.annotations.models import Submission
from labelhub.numerics.bootstrap import Resampling, ratio_estimate
from labelhub.numerics.results import Estimate, undefined
from labelhub.projects.models import PriceVersion, Project
from labelhub.projects.prices import Prices
from labelhub.projects.selectors import price_versions
from labelhub.reviews.error_models import DeskTime

METHOD, VERSION = "measured active time at the price of its day", "1"
COUNTED: Final = "it is counted, not estimated"
SEED: Final = 20_261_130
HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Amounts in ``currency``. ``n_untimed`` readings have no measured time and are taken at the mean of the others.

    ``version`` and ``history`` are the prices as they were given; None and nothing where nobody gave any.
    """

    prices: Prices
    currency: str
    labeling: Estimate
    reviewing: Estimate
    saved: Estimate
    n_untimed: int
    version: int
    history: tuple[tuple[PriceVersion, Prices], ...]

    @property
    def suffix(self) -> str:
        """What follows an amount on a page."""
        return f" {self.currency}" if self.currency else ""


@dataclass(frozen=True, slots=True)
class _Work:
    """Rows of work, the column of when it was done, and what an hour of it cost from when on."""

    rows: QuerySet[Any]
    at: str
    item: str
    known: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class _Period:
    """What was done while one price held: how many rows, of how many the time is known, and the sum of those."""

    price: float | None
    n: int
    n_timed: int
    seconds: float


def project_cost(project: Project, effect: DraftEffect) -> Cost:
    """Return what the project's work cost so far, and what its drafts saved: four queries, however much was done."""
    history = tuple(price_versions(project))
    prices = history[-1][1] if history else Prices()
    labeling, reviewing = _labeling(project, history), _reviewing(project, history)
    read, reviewed = _periods(labeling), _periods(reviewing)
    currencies = sorted({own.currency for _, own in history if own.is_known})
    mixed = f"prices were given in {' and in '.join(currencies)}, which do not add up" if len(currencies) > 1 else ""
    return Cost(
        prices=prices,
        # Who takes prices back gives no currency; what was spent at them stays in theirs.
        currency=currencies[0] if len(currencies) == 1 else prices.currency,
        labeling=_spent(labeling, read, "readings", "labeling", mixed),
        reviewing=_spent(reviewing, reviewed, "items reviewed", "reviewing", mixed),
        saved=_saved(effect.saved_h, prices),
        n_untimed=sum(one.n - one.n_timed for one in read),
        version=history[-1][0].number if history else 0,
        history=history,
    )


def _labeling(project: Project, history: Sequence[tuple[PriceVersion, Prices]]) -> _Work:
    known = [(version.created_at, prices.labeling) for version, prices in history if prices.labeling is not None]
    rows = Submission.objects.filter(assignment__item__project=project, assignment__labeler__user__isnull=False)
    return _Work(rows, "submitted_at", "assignment__item", known)


def _reviewing(project: Project, history: Sequence[tuple[PriceVersion, Prices]]) -> _Work:
    known = [(version.created_at, prices.reviewing) for version, prices in history if prices.reviewing is not None]
    return _Work(DeskTime.objects.filter(item__project=project), "beat_at", "item", known)


def _periods(work: _Work) -> list[_Period]:
    """What was done at each price. Before anybody gave one, the first that somebody gave holds."""
    newest_first = [
        When(**{f"{work.at}__gte": since}, then=Value(number)) for number, (since, _) in enumerate(work.known)
    ][::-1]
    held = Case(*newest_first, default=Value(0), output_field=IntegerField())
    found = work.rows.annotate(held=held).values("held").order_by()
    sums = found.annotate(n=Count("pk"), n_timed=Count("active_s"), seconds=Sum("active_s"))
    return [
        _Period(work.known[one["held"]][1] if work.known else None, one["n"], one["n_timed"], one["seconds"] or 0.0)
        for one in sums
        if one["n"]
    ]


def _spent(work: _Work, periods: Sequence[_Period], unit: str, name: str, mixed: str) -> Estimate:
    """The sum over all rows: what was timed as it was, what was not at the mean, whose interval is the sum's."""
    n, n_timed = sum(one.n for one in periods), sum(one.n_timed for one in periods)
    method = METHOD if n == n_timed else f"{METHOD}; {n - n_timed} of {n} at the mean time of the others"
    reason = mixed or _why_not(n, n_timed, name, is_priced=bool(work.known))
    if reason:
        return undefined(reason, n=n_timed, unit=unit, method=method, version=VERSION)
    known = sum(one.seconds * (one.price or 0.0) / HOUR_S for one in periods)
    bare = Estimate(known, np.nan, np.nan, n=n_timed, unit=unit, method=method, version=VERSION)
    if n == n_timed:
        return replace(bare, interval_reason=COUNTED)
    mean = _mean_time(work, unit)
    rate = sum((one.n - one.n_timed) * (one.price or 0.0) / HOUR_S for one in periods)
    return replace(
        mean, value=known + rate * mean.value, low=known + rate * mean.low, high=known + rate * mean.high,
        standard_error=rate * mean.standard_error, method=method, version=VERSION,
    )  # fmt: skip


def _mean_time(work: _Work, unit: str) -> Estimate:
    """The mean over rows whose time is known, resampled over patients: their sums and counts say all that is needed."""
    group = Coalesce(NullIf(f"{work.item}__group_key", Value("")), f"{work.item}__code", output_field=CharField())
    timed = work.rows.filter(active_s__isnull=False).annotate(group=group).values("group").order_by("group")
    sums = np.array(list(timed.annotate(seconds=Sum("active_s"), n=Count("pk")).values_list("seconds", "n")))
    resampling = Resampling(np.random.default_rng(SEED), group_unit="patients or items", kind="percentile")
    return ratio_estimate(sums[:, 0], sums[:, 1], resampling, unit=unit, n=int(sums[:, 1].sum()))


def _why_not(n: int, n_timed: int, name: str, *, is_priced: bool) -> str:
    if not n:
        return f"no {name} was done here yet"
    if not n_timed:
        return f"the time of no {name} is known"
    return "" if is_priced else f"nobody said what an hour of {name} costs"


def _saved(saved_h: Estimate, prices: Prices) -> Estimate:
    """The hours that drafts saved at today's price of labeling."""
    method = f"{saved_h.method}, at today's price"
    if prices.labeling is None:
        reason = "nobody said what an hour of labeling costs"
        return undefined(reason, n=saved_h.n, unit=saved_h.unit, method=method, version=VERSION)
    rate = prices.labeling
    return replace(
        saved_h, value=saved_h.value * rate, low=saved_h.low * rate, high=saved_h.high * rate,
        standard_error=saved_h.standard_error * rate, method=method, version=VERSION,
    )  # fmt: skip
