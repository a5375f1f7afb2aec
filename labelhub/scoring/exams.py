"""The entry exam: where a labeler stands in it, and what was ruled. Judged against exam gold; hidden but for the verdict.

A pass is written down once, so that a gold that is taken out of use later sends nobody back. Not here: which items make an
exam (``gold``), when one is due (``workflow.placement``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from labelhub.audit import services as audit
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Project
from labelhub.projects.policy import Policy
from labelhub.scoring.models import ExamRuling, GoldReference, Score
from labelhub.scoring.rows import RIGHT

Verdict = ExamRuling.Verdict


class RulingProblem(DomainError):
    """The ruling is none of those that there are, or has no reason."""

    code = "ruling-problem"
    status = 400


@dataclass(frozen=True, slots=True)
class ExamStanding:
    """Where a labeler stands: ``n_right`` of ``n_done`` judged exam items of ``n_asked``, and what follows.

    ``standing`` is ``none`` (no exam is asked for), ``open``, ``passed``, ``failed`` or ``refused``.
    """

    labeler: Labeler
    n_asked: int
    n_done: int
    n_right: int
    standing: str
    ruling: ExamRuling | None


def exam_standing(labeler: Labeler, policy: Policy, *, is_unruled: bool = False) -> ExamStanding:
    """Return where the labeler stands in the entry exam that the policy asks for; ``is_unruled`` spares asking for a ruling."""
    return _standings([labeler], policy, {} if is_unruled else _rulings([labeler]))[0]


def may_work(labeler: Labeler, policy: Policy) -> bool:
    """Whether the labeler passed the entry exam, or none is asked."""
    return exam_standing(labeler, policy).standing in ("none", "passed")


def standings(labelers: Sequence[Labeler], policy: Policy) -> list[ExamStanding]:
    """Return where each of the labelers stands: two queries, however many they are."""
    return _standings(labelers, policy, _rulings(labelers) if policy.exam_items else {})


def _rulings(labelers: Sequence[Labeler]) -> dict[int, ExamRuling]:
    rows = ExamRuling.objects.filter(labeler__in=[labeler.pk for labeler in labelers]).order_by("pk")
    return {row.labeler_id: row for row in rows}


def _standings(labelers: Sequence[Labeler], policy: Policy, rulings: Mapping[int, ExamRuling]) -> list[ExamStanding]:
    if not policy.exam_items:
        return [ExamStanding(labeler, 0, 0, 0, "none", None) for labeler in labelers]
    keys = [labeler.pk for labeler in labelers]
    unsure = [key for key in keys if key not in rulings or rulings[key].verdict == Verdict.AGAIN]
    rows = Score.objects.filter(
        about=Score.About.GOLD, metric=RIGHT, replaced_at=None, value__isnull=False, first__version=1,
        first__assignment__labeler__in=unsure, gold__kind=GoldReference.Kind.EXAM,
    ).values_list("first__assignment__labeler", "first__assignment__created_at", "value")  # fmt: skip
    answers: dict[int, list[bool]] = {}
    for key, at, value in rows if unsure else ():
        # Sat again: only what was given out since then counts.
        if key not in rulings or at > rulings[key].at:
            answers.setdefault(key, []).append(value == 1.0)
    return [_standing(labeler, policy, answers.get(labeler.pk, []), rulings.get(labeler.pk)) for labeler in labelers]


def admit(*, standing: ExamStanding) -> None:
    """Write down that the exam was passed. Writes ``exam.passed``."""
    reason = f"{standing.n_right} of {standing.n_done} exam items right."
    _rule(standing.labeler, Verdict.ADMITTED, reason, "system", "exam.passed")


def rule(*, labeler: Labeler, verdict: str, reason: str, by: str) -> ExamRuling:
    """Keep an admin's decision about an exam. Writes ``exam.ruled``. Raises :class:`RulingProblem`."""
    if verdict not in Verdict.values:
        raise RulingProblem(f"{verdict[:20]!r} is no ruling. It is one of {', '.join(Verdict.values)}.")
    if not reason.strip():
        raise RulingProblem("Say why. Nothing was changed.")
    return _rule(labeler, verdict, reason.strip(), by, "exam.ruled")


def n_exam_gold(project: Project) -> int:
    """Return how many items with exam gold the project can give out now."""
    rows = GoldReference.objects.filter(item__project=project, kind=GoldReference.Kind.EXAM)
    return rows.filter(retired_at=None, rested_at=None).exclude(item__state="excluded").count()


def _standing(labeler: Labeler, policy: Policy, right: Sequence[bool], ruling: ExamRuling | None) -> ExamStanding:
    n_done, n_right = len(right), sum(right)
    if ruling is not None and ruling.verdict == Verdict.ADMITTED:
        word = "passed"
    elif ruling is not None and ruling.verdict == Verdict.REFUSED:
        word = "refused"
    elif n_done < policy.exam_items:
        word = "open"
    else:
        word = "passed" if n_right >= policy.exam_pass_share * n_done else "failed"
    return ExamStanding(labeler, policy.exam_items, n_done, n_right, word, ruling)


def _rule(labeler: Labeler, verdict: str, reason: str, by: str, kind: str) -> ExamRuling:
    with transaction.atomic():
        ruling = ExamRuling.objects.create(labeler=labeler, verdict=verdict, reason=reason[:300], decided_by=by[:80])
        audit.append(
            project_id=labeler.project_id, kind=kind, actor=by, subject=f"labeler:{labeler.pk}",
            facts={"ruling": ruling.pk, "verdict": verdict},
        )  # fmt: skip
    return ruling
