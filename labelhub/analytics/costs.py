"""What labeling and reviewing cost so far, and what drafts saved, at what an hour of the work costs.

What was measured is counted, each reading at the price that held when it was handed in. Readings by people here whose time is
not known are taken at the mean of those whose time is, and only that part has an interval, over patients. What no price or no
time is known of is "not known", never 0. Imported readings cost nothing here. Not here: the time that drafts save
(``draft_effects``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from labelhub.analytics.draft_effects import DraftEffect
from labelhub.annotations.models import Submission
from labelhub.numerics.bootstrap import Resampling, mean_estimate
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
    """Amounts in ``prices.currency``. ``n_untimed`` readings have no measured time and are taken at the mean of the others.

    ``version`` and ``history`` are the prices as they were given; None and nothing where nobody gave any.
    """

    prices: Prices
    labeling: Estimate
    reviewing: Estimate
    saved: Estimate
    n_untimed: int
    version: int
    history: tuple[tuple[PriceVersion, Prices], ...]


@dataclass(frozen=True, slots=True)
class _Timed:
    group: str
    seconds: float | None
    price: float | None


def project_cost(project: Project, effect: DraftEffect) -> Cost:
    """Return what the project's work cost so far, and what its drafts saved: three queries."""
    history = tuple(price_versions(project))
    prices = history[-1][1] if history else Prices()
    readings, desks = _readings(project, history), _desks(project, history)
    currencies = sorted({own.currency for _, own in history if own.is_known})
    mixed = f"prices were given in {' and in '.join(currencies)}, which do not add up" if len(currencies) > 1 else ""
    return Cost(
        prices=prices,
        labeling=_spent(readings, "readings", "labeling", mixed),
        reviewing=_spent(desks, "items reviewed", "reviewing", mixed),
        saved=_saved(effect.saved_h, prices),
        n_untimed=sum(row.seconds is None for row in readings),
        version=history[-1][0].number if history else 0,
        history=history,
    )


def _readings(project: Project, history: Sequence[tuple[PriceVersion, Prices]]) -> list[_Timed]:
    known = [(version.created_at, prices.labeling) for version, prices in history if prices.labeling is not None]
    rows = Submission.objects.filter(
        assignment__item__project=project, assignment__labeler__user__isnull=False
    ).values_list("submitted_at", "active_s", "assignment__item__group_key", "assignment__item__code")
    return [_Timed(group or code, seconds, _held(known, at)) for at, seconds, group, code in rows.order_by("pk")]


def _desks(project: Project, history: Sequence[tuple[PriceVersion, Prices]]) -> list[_Timed]:
    known = [(version.created_at, prices.reviewing) for version, prices in history if prices.reviewing is not None]
    rows = DeskTime.objects.filter(item__project=project).values_list(
        "beat_at", "active_s", "item__group_key", "item__code"
    )
    return [_Timed(group or code, float(seconds), _held(known, at)) for at, seconds, group, code in rows.order_by("pk")]


def _held(known: Sequence[tuple[datetime, float]], at: datetime) -> float | None:
    """The price that held at a time; before anybody gave one, the first that somebody gave."""
    earlier = [price for since, price in known if since <= at]
    return earlier[-1] if earlier else (known[0][1] if known else None)


def _spent(rows: Sequence[_Timed], unit: str, work: str, mixed: str) -> Estimate:
    """The sum over all rows: what was timed as it was, what was not at the mean, whose interval is the sum's."""
    timed = [row for row in rows if row.seconds is not None]
    n_untimed = len(rows) - len(timed)
    method = METHOD if not n_untimed else f"{METHOD}; {n_untimed} of {len(rows)} at the mean time of the others"
    reason = mixed or _why_not(rows, timed, work)
    if reason:
        return undefined(reason, n=len(timed), unit=unit, method=method, version=VERSION)
    known = sum((row.seconds or 0.0) * (row.price or 0.0) / HOUR_S for row in timed)
    bare = Estimate(known, np.nan, np.nan, n=len(timed), unit=unit, method=method, version=VERSION)
    if not n_untimed:
        return replace(bare, interval_reason=COUNTED)
    groups = np.array([row.group for row in timed])
    resampling = Resampling(
        np.random.default_rng(SEED), groups=groups, group_unit="patients or items", kind="percentile"
    )
    mean = mean_estimate([row.seconds or 0.0 for row in timed], resampling, unit=unit)
    rate = sum((row.price or 0.0) / HOUR_S for row in rows if row.seconds is None)
    return replace(
        mean, value=known + rate * mean.value, low=known + rate * mean.low, high=known + rate * mean.high,
        standard_error=rate * mean.standard_error, method=method, version=VERSION,
    )  # fmt: skip


def _why_not(rows: Sequence[_Timed], timed: Sequence[_Timed], work: str) -> str:
    if not rows:
        return f"no {work} was done here yet"
    if not timed:
        return f"the time of no {work} is known"
    if any(row.price is None for row in rows):
        return f"nobody said what an hour of {work} costs"
    return ""


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
