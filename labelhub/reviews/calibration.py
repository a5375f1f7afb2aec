"""How reviewers' judgements hold: overturned on a second look, and right against gold. Each with n, interval and its items.

*Overturned*: of the judgements that somebody judged again, the share that did not hold. Three things count: a decision that was
drawn and that another reviewer made again, blind; a return whose author disputed it, decided by a third reader's blind reading
or by another reviewer; and a reading that another reviewer judged afterwards, who may have seen the first judgement. Each
judgement counts once, by the last of them, and a blind one before others. *Right on gold*: of the judgements of items with
gold, placed among the others or met among them, the share that settles or accepts what is right by gold and returns what is
not; what gold cannot judge is left out. *Like oneself*: of one's own decisions that came back after a time, the share that came
out the same. Nobody sees the gold, or an earlier decision, of an item before they judged it. Votes of
a panel count once it has decided.

Not here: who may see it (a reviewer their own, admins all), and labelers' numbers (``scoring``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import OuterRef, Subquery

from labelhub.accounts.models import User
from labelhub.catalog.models import Item
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project
from labelhub.reviews.models import Decision, DisputeOutcome
from labelhub.reviews.reviewer_tests import Kind as TestKind
from labelhub.reviews.reviewer_tests import results_of
from labelhub.reviews.selectors import counted
from labelhub.reviews.tickets import Kind
from labelhub.scoring.models import Score
from labelhub.scoring.rows import RIGHT

Verdict = Decision.Verdict


@dataclass(frozen=True, slots=True)
class Tested:
    """One judgement that was put to a test: of which item, what it was, by what, and whether it held."""

    item: Item
    verdict: str
    by: str
    held: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the judgements of one reviewer hold. ``again``, ``gold`` and ``own`` are the judgements behind each number."""

    n_judged: int
    overturned: Estimate
    right_on_gold: Estimate
    like_oneself: Estimate
    again: tuple[Tested, ...]
    gold: tuple[Tested, ...]
    own: tuple[Tested, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.n_judged or self.again or self.gold or self.own)


def calibration_of(user: User, projects: Sequence[Project]) -> Calibration:
    """Return how the judgements of ``user`` in these projects hold. Six queries, however many there are."""
    return calibrations(projects, [user.pk])[user.pk]


def calibrations(projects: Sequence[Project], reviewers: Iterable[int]) -> dict[int, Calibration]:
    """Return how the judgements of each of these people in these projects hold."""
    wanted = list(reviewers)
    rows = list(
        counted(Decision.objects.filter(item__project__in=projects, reviewer__in=wanted))
        .select_related("item__project")
        .order_by("pk")
    )
    again, gold = _judged_again(rows), _on_gold(rows)
    blind = _blind(projects)
    return {
        key: _calibration([row for row in rows if row.reviewer_id == key], again, gold, blind.get(key, _Blind()))
        for key in wanted
    }


@dataclass(frozen=True, slots=True)
class _Blind:
    """What tests that were placed say of one reviewer."""

    n_judged: int = 0
    again: tuple[Tested, ...] = ()
    gold: tuple[Tested, ...] = ()
    own: tuple[Tested, ...] = ()


def _blind(projects: Sequence[Project]) -> dict[int, _Blind]:
    """What placed tests came to, by whose judgement they say something of: one query."""
    found: dict[int, _Blind] = {}
    for row in results_of(projects):
        test = row.test
        mine = found.get(test.reviewer_id, _Blind())
        found[test.reviewer_id] = replace(mine, n_judged=mine.n_judged + 1)
        if row.held is None:
            continue
        verdict = row.choice if row.choice in (*Verdict.values, "ambiguous") else "settled"
        if test.kind == TestKind.AGAIN and test.decided_by_id is not None:
            first = found.get(test.decided_by_id, _Blind())
            tested = Tested(test.item, "settled", "another reviewer, blind", row.held)
            found[test.decided_by_id] = replace(first, again=(*first.again, tested))
        elif test.kind == TestKind.GOLD:
            tested = Tested(test.item, verdict, "gold", row.held)
            mine = found[test.reviewer_id]
            found[test.reviewer_id] = replace(mine, gold=(*mine.gold, tested))
        elif test.kind == TestKind.OWN:
            tested = Tested(test.item, verdict, "yourself, later", row.held)
            mine = found[test.reviewer_id]
            found[test.reviewer_id] = replace(mine, own=(*mine.own, tested))
    return found


def _calibration(
    rows: Sequence[Decision], again: dict[int, Tested], gold: dict[int, bool], blind: _Blind
) -> Calibration:
    # A reading that somebody judged several times counts by their last word.
    last = {row.submission_id: row for row in rows}.values()
    blindly = {entry.item.pk for entry in blind.again}
    seen = [again[row.pk] for row in last if row.pk in again and row.item_id not in blindly]
    tested = (*blind.again, *seen)
    placed = {entry.item.pk for entry in blind.gold}
    met = [
        Tested(row.item, row.verdict, "gold", (row.verdict == Verdict.ACCEPT) == gold[row.submission_id])
        for row in last
        if row.submission_id in gold and row.item_id not in placed
    ]
    known = (*blind.gold, *met)
    return Calibration(
        n_judged=len(rows) + blind.n_judged,
        overturned=proportion(
            sum(not entry.held for entry in tested), len(tested), unit="judgements judged again", method="overturned judgements"
        ),
        right_on_gold=proportion(
            sum(entry.held for entry in known), len(known), unit="judgements on gold", method="judgements right on gold"
        ),
        like_oneself=proportion(
            sum(entry.held for entry in blind.own), len(blind.own), unit="own decisions made again",
            method="own decisions that came out the same",
        ),
        again=tested,
        gold=known,
        own=blind.own,
    )  # fmt: skip


def _judged_again(rows: Sequence[Decision]) -> dict[int, Tested]:
    """The judgements that somebody judged again, by their id."""
    found: dict[int, Tested] = {}
    by_submission = {row.pk: row.submission_id for row in rows}
    later: dict[int, list[Decision]] = {}
    for other in counted(Decision.objects.filter(submission__in=set(by_submission.values()))).order_by("pk"):
        later.setdefault(other.submission_id, []).append(other)
    for row in rows:
        after = [
            one for one in later.get(row.submission_id, ()) if one.pk > row.pk and one.reviewer_id != row.reviewer_id
        ]
        if after:
            found[row.pk] = Tested(row.item, row.verdict, "another reviewer", after[-1].verdict == row.verdict)
    newest = DisputeOutcome.objects.filter(dispute=OuterRef("dispute")).order_by("-pk").values("pk")[:1]
    outcomes = DisputeOutcome.objects.filter(dispute__ticket__decision__in=list(by_submission), pk=Subquery(newest))
    by_key = {row.pk: row for row in rows}
    for outcome in outcomes.select_related("dispute__ticket"):
        key = outcome.dispute.ticket.decision_id
        if key is not None and outcome.kind in (Kind.UPHELD, Kind.REFUTED):
            how = "a third reader" if outcome.read_id is not None else "another reviewer"
            found[key] = Tested(by_key[key].item, by_key[key].verdict, how, outcome.kind == Kind.REFUTED)
    return found


def _on_gold(rows: Sequence[Decision]) -> dict[int, bool]:
    """Whether each judged reading is right by its item's gold, where that is known."""
    keys = {row.submission_id for row in rows}
    scores = Score.objects.filter(first__in=keys, about=Score.About.GOLD, metric=RIGHT, replaced_at=None)
    return {row.first_id: row.value > 0.5 for row in scores if row.first_id is not None and row.value is not None}
