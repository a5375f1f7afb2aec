"""What showing a model's draft does: the time it saves, how much of it is handed in as it came, who catches planted errors.

Who asked for a draft and got none was drawn in secret, so the two arms are alike but for the draft, and the ratio of their
mean times needs no adjustment. Intervals resample the highest known group. Not here: what is shown to whom
(``workflow.drafting``), one labeler's leaning (``scoring.helped``).

References
----------
Fisher RA (1935) The Design of Experiments. Oliver and Boyd; chapter 2: a drawn lot makes a comparison fair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.numerics.bootstrap import Resampling, bootstrap_interval, mean_estimate
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate, FloatArray, undefined
from labelhub.predictions.models import SEEN_ARMS, Draft
from labelhub.projects.models import Project
from labelhub.scoring.helped import first_answers
from labelhub.scoring.models import HelpedReading

METHOD, VERSION = "active time, drafts drawn by lot", "1"
SEED: Final = 20_261_130


@dataclass(frozen=True, slots=True)
class Arms:
    """How often each thing happened when somebody asked: shown, shown with a planted error, withheld by lot, or no draft.

    ``other`` counts drafts that were withheld for a reason of the person or the work (exam, leaning, kind of reading).
    """

    asked: int = 0
    shown: int = 0
    planted: int = 0
    compared: int = 0
    other: int = 0
    none: int = 0


@dataclass(frozen=True, slots=True)
class DraftEffect:
    """What drafts do in a project. Times are seconds a reading; ``speed_up`` is the mean time without over that with.

    ``unchanged`` is the share of drafts that were handed in to the last voxel as they came, ``near`` the mean similarity of
    reading and draft, ``caught`` the share of planted errors that were undone. ``stood`` are items where one was not.
    """

    arms: Arms
    with_draft: Estimate
    without: Estimate
    speed_up: Estimate
    saved_h: Estimate
    unchanged: Estimate
    near: Estimate
    caught: Estimate
    stood: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Timed:
    group: str
    is_shown: bool
    active_s: float


def draft_effect(project: Project) -> DraftEffect:
    """Return what drafts did in the project so far: four queries."""
    helped = first_answers(
        HelpedReading.objects.filter(submission__assignment__item__project=project)
        .select_related("submission__assignment__item")
        .order_by("pk")
    )
    arms, timed = _arms(project), _timed(project)
    with_draft, without = (_mean_time([row for row in timed if row.is_shown is is_shown]) for is_shown in (True, False))
    planted = [row for row in helped if row.kind]
    plain = [row for row in helped if not row.kind]
    items = [row.submission.assignment.item for row in plain]
    groups = np.array([item.group_key or item.code for item in items])
    near = [np.nan if row.similarity is None else row.similarity for row in plain]
    return DraftEffect(
        arms=arms, with_draft=with_draft, without=without, speed_up=_speed_up(timed), saved_h=_saved(timed, arms),
        unchanged=_share(sum(row.is_unchanged for row in plain), len(plain), "drafts handed in", "unchanged to the voxel"),
        near=mean_estimate(near, _resampling(groups), unit="readings", method="similarity of reading and draft"),
        caught=_share(sum(bool(row.is_caught) for row in planted), len(planted), "planted errors", "catch rate"),
        stood=tuple(dict.fromkeys(row.submission.assignment.item.code for row in planted if not row.is_caught)),
    )  # fmt: skip


def _arms(project: Project) -> Arms:
    rows = Counter(Draft.objects.filter(assignment__item__project=project).values_list("arm", "why"))
    compared = rows["withheld", "compared"]
    return Arms(
        asked=sum(rows.values()), shown=rows["shown", ""], planted=rows["planted", ""], compared=compared,
        other=sum(n for (arm, _), n in rows.items() if arm == "withheld") - compared, none=rows["none", ""],
    )  # fmt: skip


def _timed(project: Project) -> list[_Timed]:
    """First readings whose author asked for a draft, in the two arms that are alike but for it."""
    asked = {
        row["assignment_id"]: row["arm"] in SEEN_ARMS
        for row in Draft.objects.filter(assignment__item__project=project, arm="shown").values("assignment_id", "arm")
    } | dict.fromkeys(
        Draft.objects.filter(assignment__item__project=project, why="compared").values_list("assignment_id", flat=True),
        False,
    )
    rows = Submission.objects.filter(assignment__in=list(asked), version=1, active_s__gt=0)
    found = rows.values_list("assignment_id", "assignment__item__group_key", "assignment__item__code", "active_s")
    return [
        _Timed(group or code, asked[key], float(seconds or 0.0)) for key, group, code, seconds in found.order_by("pk")
    ]


def _mean_time(rows: Sequence[_Timed]) -> Estimate:
    groups = np.array([row.group for row in rows])
    return mean_estimate(
        [row.active_s for row in rows], _resampling(groups), unit="readings", method="mean active time"
    )


def _columns(rows: Sequence[_Timed]) -> FloatArray:
    """Seconds and readings with a draft, seconds and readings without: what both statistics are made of."""
    return np.array(
        [(row.active_s, 1, 0, 0) if row.is_shown else (0, 0, row.active_s, 1) for row in rows], dtype=np.float64
    ).reshape(-1, 4)


def _speed_up(rows: Sequence[_Timed]) -> Estimate:
    def ratio(sums: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (sums[:, 2] / sums[:, 3]) / (sums[:, 0] / sums[:, 1])
        return np.where(np.isfinite(value), value, np.nan)

    return _compared(rows, ratio, "mean time without a draft over that with one")


def _saved(rows: Sequence[_Timed], arms: Arms) -> Estimate:
    """Hours saved by the drafts that were shown: their number times the difference of the mean times."""

    def hours(sums: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = arms.shown * (sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]) / 3600
        return np.where(np.isfinite(value), value, np.nan)

    return _compared(rows, hours, "drafts shown times the difference of the mean times, hours")


def _compared(rows: Sequence[_Timed], statistic: object, method: str) -> Estimate:
    n = len(rows)
    arms = {row.is_shown for row in rows}
    if len(arms) < 2:
        return undefined("no reading in one of the two arms", n=n, unit="readings", method=method, version=VERSION)
    columns = _columns(rows)
    assert callable(statistic)
    value = float(statistic(columns.sum(axis=0)[None])[0])
    bare = Estimate(value, np.nan, np.nan, n=n, unit="readings", method=method, version=VERSION)
    return bare.with_interval(
        bootstrap_interval(columns, statistic, _resampling(np.array([row.group for row in rows])))
    )


def _share(n_of: int, n: int, unit: str, method: str) -> Estimate:
    return replace(proportion(n_of, n, unit=unit, method=method), version=VERSION)


def _resampling(groups: np.ndarray) -> Resampling:
    return Resampling(np.random.default_rng(SEED), groups=groups, group_unit="patients or items", kind="percentile")
