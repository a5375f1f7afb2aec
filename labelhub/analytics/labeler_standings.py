"""How each labeler of a project stands: gold accuracy raw and shrunk, reviews, first passes, work, and their gate.

By name and after shrinkage, never by rank. Read with few queries, whatever the number of labelers. Not here: agreement with
others, which comes from the kept panel (``selectors``), the gate's facts (``routing.gates``), what a page looks like (``web``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from django.db.models import (
    BooleanField,
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from labelhub.analytics.labeler_evidence import CAME_BACK, FIRST_SETTLED, SENT_BACK, work_key
from labelhub.analytics.selectors import Standing, kept_standing
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import rater_key
from labelhub.assignments.models import HELD, Assignment
from labelhub.assignments.selectors import FILLING
from labelhub.catalog.models import Item
from labelhub.numerics.means import clustered_mean
from labelhub.numerics.proportions import proportion
from labelhub.numerics.rater_models import Shrinkage, shrunken_shares
from labelhub.numerics.results import NAN, Estimate, undefined
from labelhub.projects.models import Labeler, Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.reviews.desk_time import TimeAtDesk, with_desk_time
from labelhub.reviews.error_models import Appraisal
from labelhub.reviews.models import Decision
from labelhub.reviews.selectors import counted
from labelhub.routing.gate_plan import plan_from, reference_among
from labelhub.routing.gate_trace import Trace
from labelhub.routing.gates import RESTARTS, course_of, facts_in, state_after
from labelhub.routing.models import Gate
from labelhub.scoring.gold_answers import GoldAnswer, gold_answers
from labelhub.scoring.panel_rows import LabelerRow, Measured
from labelhub.scoring.versions import mixed, under_of

GREY_WIDTH = 0.2
# Of the panel's numbers about a labeler and the others, the one that heads the table, the first that there is.
HEADLINES = ("Dice with others", "equal answers with others", "marks shared with others")
# The counts of assignments that a labeler's row shows.
_COUNTED: Mapping[str, Sequence[str]] = {"open": HELD, "skipped": ("skipped",), "expired": ("expired",)}


@dataclass(frozen=True, slots=True)
class LabelerStanding:
    """One labeler. ``came_back`` and ``reviewed`` are codes of items; ``wrong`` those whose gold they missed.

    ``better`` is the probability that their true accuracy is above the policy's target. Times are provisional and kept
    apart: ``active_s`` of labeling, ``rework_s`` of work that came back, ``desk`` of reviewing.
    ``gate`` is testing, cleared, proposed or paused, and empty for imported raters, who have no gate.
    """

    labeler: Labeler
    n_submitted: int
    n_open: int
    n_skipped: int
    n_expired: int
    row: LabelerRow | None
    gold: Measured
    shrunk: Measured
    better: Measured
    agreement: Measured | None
    first_pass: Measured
    review: Measured
    wrong: tuple[str, ...]
    active_s: float
    n_timed: int
    rework_s: float
    n_reworked: int
    desk: TimeAtDesk
    gate: str
    trace: Trace
    facts: tuple[Gate, ...]

    @property
    def n_pauses(self) -> int:
        """How often they were paused."""
        return len(self._pauses)

    @property
    def last_paused_at(self) -> datetime | None:
        """When their last pause began."""
        return self._pauses[-1].at if self._pauses else None

    @property
    def paused_over(self) -> tuple[str, ...]:
        """The codes of the gold items that each pause looked back on: answered before it, since they were last resumed."""
        found: dict[str, None] = {}
        for pause in self._pauses:
            before = [fact.at for fact in self.facts if fact.kind in RESTARTS and fact.at < pause.at]
            since = before[-1] if before else None
            answers = [answer for answer in self.trace.answers if answer.at <= pause.at]
            found |= dict.fromkeys(answer.code for answer in answers if since is None or answer.at > since)
        return tuple(found)

    @property
    def in_stretch(self) -> tuple[str, ...]:
        """The codes of the gold items of the test or watch in which they are now."""
        last = self.trace.last
        if last is None:
            return ()
        return tuple(answer.code for answer in self.trace.answers[last.first : last.first + len(last.heights)])

    @property
    def _pauses(self) -> tuple[Gate, ...]:
        return tuple(fact for fact in self.facts if fact.kind == Gate.Kind.PAUSED)


@dataclass(frozen=True, slots=True)
class Standings:
    """All labelers by name, the panel their agreement comes from, and what the numbers were shrunk towards."""

    rows: tuple[LabelerStanding, ...]
    standing: Standing | None
    policy: Policy
    shrinkage: Shrinkage


def standings_of(project: Project) -> Standings:
    """Return how every labeler of the project stands; nine queries."""
    _, policy = current_policy(project)
    standing = kept_standing(project)
    found = list(_labelers_with_counts(project))
    answers, facts = gold_answers(project), facts_in(project)
    work, judged = _work(project), _judged(project)
    right = [sum(answer.is_right for answer in answers.get(labeler.pk, ())) for labeler in found]
    n = [len(answers.get(labeler.pk, ())) for labeler in found]
    shrinkage = shrunken_shares(right, n)
    panel_rows = {row.rater: row for row in standing.panel.labelers} if standing is not None else {}
    better = shrinkage.probability_above(policy.gold_target)
    rows = tuple(
        _standing(
            labeler, policy, answers.get(labeler.pk, ()), facts.get(labeler.pk, ()),
            work.get(labeler.pk, _NO_WORK), judged.get(labeler.pk, ()), panel_rows.get(rater_key(labeler)),
            (shrinkage.estimate(place), float(better[place])), _at_desk(labeler),
        )
        for place, labeler in enumerate(found)
    )  # fmt: skip
    marked = tuple(
        _marked(row, answers.get(row.labeler.pk, ()), work.get(row.labeler.pk, _NO_WORK).under) for row in rows
    )
    return Standings(marked, standing, policy, shrinkage)


def _marked(row: LabelerStanding, answers: Sequence[GoldAnswer], work: Sequence[str]) -> LabelerStanding:
    """Mark the numbers in which work under several versions of the rules stands together."""
    on_gold, of_work = mixed(answer.under for answer in answers), mixed(work)
    return replace(
        row, gold=replace(row.gold, versions=on_gold), shrunk=replace(row.shrunk, versions=on_gold),
        better=replace(row.better, versions=on_gold), first_pass=replace(row.first_pass, versions=of_work),
        review=replace(row.review, versions=of_work),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Work:
    """Sums over a labeler's submissions, and the versions of the rules that they were made under."""

    n: int
    active_s: float
    n_timed: int
    n_first_settled: int
    rework_s: float = 0.0
    n_reworked: int = 0
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Judged:
    """A reviewer's judgement of a submission of the labeler."""

    submission_id: int
    code: str
    group: str
    is_settled: bool
    is_rejected: bool
    is_first: bool
    came_back: bool
    score: int | None


_NO_WORK = _Work(0, 0.0, 0, 0)


def _standing(
    labeler: Labeler, policy: Policy, answers: Sequence[GoldAnswer], facts: Sequence[Gate], work: _Work,
    judged: Sequence[_Judged], row: LabelerRow | None, shrunk: tuple[Estimate, float],
    desk: TimeAtDesk,
) -> LabelerStanding:  # fmt: skip
    key = f"labeler-{labeler.pk}"
    codes = tuple(answer.code for answer in answers)
    wrong = tuple(answer.code for answer in answers if not answer.is_right)
    raw = proportion(len(codes) - len(wrong), len(codes), unit="gold items", method="right on gold")
    accuracy, above = shrunk
    if not codes:
        accuracy = undefined("no gold answers yet", n=0, unit="gold items", method=accuracy.method, version="1")
    trace = course_of(answers, facts, partial(plan_from, policy, reference_among(set(), {}, policy)))
    return LabelerStanding(
        labeler=labeler, n_submitted=work.n, n_open=labeler.n_open, n_skipped=labeler.n_skipped,  # type: ignore[attr-defined]
        n_expired=labeler.n_expired, row=row,  # type: ignore[attr-defined]
        gold=_measured(f"{key}.gold", "gold accuracy", raw, codes, policy.min_gold),
        shrunk=_measured(f"{key}.shrunk", "gold accuracy, shrunk", accuracy, codes, policy.min_gold),
        better=_measured(f"{key}.better", "above the target", _probability(above, len(codes), policy), codes, policy.min_gold),
        agreement=_headline(row), wrong=wrong,
        first_pass=_first_pass(labeler, work, judged, policy), review=_review(key, judged, policy),
        active_s=work.active_s, n_timed=work.n_timed, rework_s=work.rework_s, n_reworked=work.n_reworked, desk=desk,
        gate=state_after(facts) if labeler.user_id is not None else "", trace=trace, facts=tuple(facts),
    )  # fmt: skip


def _measured(key: str, name: str, estimate: Estimate, items: tuple[str, ...], least: int) -> Measured:
    """Grey below the stated minimum, or where the interval is wider than 0.2."""
    is_wide = np.isfinite(estimate.width) and estimate.width > GREY_WIDTH
    return Measured(key, name, estimate, items, is_grey=estimate.n < least or bool(is_wide))


def _probability(value: float, n: int, policy: Policy) -> Estimate:
    method = f"probability that the true accuracy is above {policy.gold_target:g}, beta-binomial"
    if not n:
        return undefined("no gold answers yet", n=0, unit="gold items", method=method, version="1")
    reason = "a probability says itself how sure it is"
    return Estimate(value, NAN, NAN, n=n, unit="gold items", method=method, version="1", interval_reason=reason)


def _headline(row: LabelerRow | None) -> Measured | None:
    numbers = row.agreement if row is not None else ()
    defined = {measured.name: measured for measured in numbers if measured.estimate.is_defined}
    return next((defined[name] for name in HEADLINES if name in defined), None)


def _first_pass(labeler: Labeler, work: _Work, judged: Sequence[_Judged], policy: Policy) -> Measured:
    """First answers on items that are settled, or that came back: the share that never came back nor was rejected.

    The items behind it are looked up when it is opened (``labeler_evidence``): they would be most of the project's.
    """
    rejected = {
        entry.submission_id: entry for entry in judged if entry.is_rejected and entry.is_first and not entry.came_back
    }
    n_back, n_back_settled = labeler.n_back, labeler.n_back_settled  # type: ignore[attr-defined]
    n_rejected_settled = sum(entry.is_settled for entry in rejected.values())
    n = work.n_first_settled + (n_back - n_back_settled) + (len(rejected) - n_rejected_settled)
    passed = max(work.n_first_settled - n_back_settled - n_rejected_settled, 0)
    estimate = proportion(
        passed, max(n, passed), unit="first answers that were decided", method="accepted as first given"
    )
    return _measured(work_key(labeler, "first-pass"), "first-pass acceptance", estimate, (), policy.min_items)


def _review(key: str, judged: Sequence[_Judged], policy: Policy) -> Measured:
    scored = [entry for entry in judged if entry.score is not None]
    estimate = clustered_mean(
        [float(entry.score or 0) for entry in scored], [entry.group for entry in scored], unit="reviews with a score",
        method="mean of the reviewers' scores, 0 to 10",
    )  # fmt: skip
    # A mean of scores lies where scores lie, and so does its interval.
    estimate = replace(estimate, low=max(estimate.low, 0.0), high=min(estimate.high, 10.0))
    codes = tuple(dict.fromkeys(entry.code for entry in scored))
    return Measured(f"{key}.review", "reviewers' mean score", estimate, codes, is_grey=estimate.n < policy.min_items)


def _at_desk(labeler: Any) -> TimeAtDesk:
    return TimeAtDesk(labeler.n_desk, labeler.desk_s)


def _labelers_with_counts(project: Project) -> QuerySet[Any]:
    own = Assignment.objects.filter(labeler=OuterRef("pk"))
    back = own.filter(SENT_BACK)
    counts = {f"n_{name}": _count(own.filter(state__in=states)) for name, states in _COUNTED.items()}
    found: QuerySet[Any] = (
        with_desk_time(Labeler.objects.filter(project=project))
        .select_related("user")
        .annotate(**counts, n_back=_count(back), n_back_settled=_count(back.filter(item__state=Item.State.SETTLED)))
        .order_by("name", "pk")
    )
    return found


def _count(rows: QuerySet[Assignment]) -> Coalesce:
    counted = rows.order_by().values("labeler").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0, output_field=IntegerField())


def _work(project: Project) -> Mapping[int, _Work]:
    rows = (
        Submission.objects.filter(assignment__item__project=project)
        .order_by()
        .values_list("assignment__labeler_id", "ontology__number", "guideline__number")
        .annotate(n=Count("pk"), active=Sum("active_s", filter=~CAME_BACK), timed=Count("active_s", filter=~CAME_BACK))
        .annotate(settled=Count("pk", filter=FIRST_SETTLED), again=Sum("active_s", filter=CAME_BACK))
        .annotate(n_again=Count("active_s", filter=CAME_BACK))
    )
    found: dict[int, _Work] = {}
    for key, ontology, guideline, n, active, timed, settled, again, n_again in rows:
        had = found.get(key, _NO_WORK)
        found[key] = _Work(
            had.n + n, had.active_s + (active or 0.0), had.n_timed + timed, had.n_first_settled + settled,
            had.rework_s + (again or 0.0), had.n_reworked + n_again,
            (*had.under, under_of(ontology, guideline)),
        )  # fmt: skip
    return found


def _judged(project: Project) -> Mapping[int, tuple[_Judged, ...]]:
    """Return the reviewers' judgements by the labeler whose work they are about, oldest first.

    A panel's votes count once it has decided: until then they are nobody's to see.
    """
    returned = Assignment.objects.filter(follows=OuterRef("submission__assignment"), read_kind="rework")
    columns = (
        "submission__assignment__labeler_id", "submission_id", "item__code", "item__group_key", "item__state",
        "submission__version", "submission__read_kind", "score", "pk", "judged", "came_back",
    )  # fmt: skip
    decided = counted(Decision.objects.filter(item__project=project)).annotate(
        judged=F("verdict"), came_back=Exists(returned)
    )
    # Said of a reading that was neither accepted nor returned.
    appraised = Appraisal.objects.filter(item__project=project).annotate(
        judged=Value("", output_field=CharField()), came_back=Value(value=False, output_field=BooleanField())
    )
    rows = decided.values_list(*columns).union(appraised.values_list(*columns), all=True).order_by("pk")
    found: dict[int, list[_Judged]] = {}
    for labeler_id, submission_id, code, group, state, version, kind, score, _, verdict, came_back in rows:
        entry = _Judged(
            submission_id, code, group or code, state == Item.State.SETTLED, verdict == Decision.Verdict.REJECT,
            version == 1 and kind in FILLING, bool(came_back), score,
        )  # fmt: skip
        found.setdefault(labeler_id, []).append(entry)
    return {key: tuple(entries) for key, entries in found.items()}
