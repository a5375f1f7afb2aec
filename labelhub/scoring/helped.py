"""Readings whose authors were shown a model's draft: how near they stayed to it, and how far a labeler leans on drafts.

The catch rate is the share of planted errors that a labeler undid, with a Wilson interval (Jeffreys below 10); whether they
may go on with drafts is a sequential test. Not here: what is planted (``predictions.planting``), how an error is held against
a reading (``planted``), who gets drafts (``workflow.drafting``).

References
----------
Wald A (1945) Sequential tests of statistical hypotheses. Ann Math Stat 16:117-186.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of
from labelhub.audit import services as audit
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.formats.shapes import Reading
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.numerics.sequential import SprtPlan, sprt
from labelhub.predictions.drafts import draft_behind, planted_shapes, shown_reading
from labelhub.predictions.models import SEEN_ARMS, Draft
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Project
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.scoring.compare import compare
from labelhub.scoring.models import DraftsAgain, HelpedReading
from labelhub.scoring.planted import CAUGHT_FROM, undone_share
from labelhub.scoring.services import terms_of

METHOD = "reading against the draft it began from"
VERSION = "1"
# Errors of the sequential test: an attentive labeler loses drafts in at most the first share, one who leans on them keeps
# them in at most the second.
FALSE_ALARM, MISSED = 0.05, 0.10


class AgainProblem(DomainError):
    """Drafts cannot be given back: nobody said why."""

    code = "drafts-again"
    status = 400


@dataclass(frozen=True, slots=True)
class Leaning:
    """How far a labeler leans on drafts: the share of planted errors that they caught, by kind too, and what follows.

    ``verdict`` is that of the sequential test since drafts were last given back: ``pause`` means no drafts for them.
    ``answers`` are the submissions behind the number, oldest first.
    """

    labeler_id: int
    caught: Estimate
    by_kind: Mapping[str, Estimate]
    verdict: str
    n_tested: int
    answers: tuple[HelpedReading, ...]

    @property
    def is_anchored(self) -> bool:
        """Whether the labeler is to work without drafts."""
        return self.verdict == "pause"


def judge_helped(submission: Submission, policy: Policy) -> HelpedReading | None:
    """Keep how near the reading stayed to the draft that its author was shown; None where they were shown none.

    Once a submission. Where the draft carried a planted error, it is held against the reading.
    """
    draft = draft_behind(submission.assignment)
    if draft is None or draft.arm not in SEEN_ARMS:
        return None
    earlier = HelpedReading.objects.filter(submission=submission).first()
    if earlier is not None:
        return earlier
    grids = [grid_of(medium) for medium in media_of(submission.assignment.item)]
    drawn, shown = reading_of(submission), shown_reading(draft)
    compared = compare(drawn, shown, terms=terms_of(read_ontology(submission.ontology.content), policy), grids=grids)
    kind, share = "", None
    if draft.arm == Draft.Arm.PLANTED:
        kind, right, wrong = planted_shapes(draft)
        share = undone_share(kind, right, wrong, drawn.shapes, grids[right.medium].size)
    return HelpedReading.objects.create(
        submission=submission, draft=draft, similarity=None if math.isnan(compared.similarity) else compared.similarity,
        is_unchanged=is_the_same(drawn, shown), kind=kind, undone_share=share,
        is_caught=None if share is None else share >= CAUGHT_FROM, method=METHOD, method_version=VERSION,
    )  # fmt: skip


def is_the_same(drawn: Reading, shown: Reading) -> bool:
    """Whether the reading holds the draft's shapes, all of them, and no other, to the voxel and the corner."""
    return _marks(drawn) == _marks(shown)


def leaning_of(labeler: Labeler, policy: Policy) -> Leaning:
    """Return how far one labeler leans on drafts."""
    return leanings(labeler.project, policy, labeler_ids=[labeler.pk]).get(labeler.pk) or _leaning(
        labeler.pk, (), (), policy
    )


def leanings(project: Project, policy: Policy, *, labeler_ids: Collection[int] | None = None) -> dict[int, Leaning]:
    """Return how far each labeler leans on drafts who was shown a planted error, by labeler id; two queries."""
    rows = HelpedReading.objects.filter(submission__assignment__item__project=project).exclude(kind="")
    again: QuerySet[DraftsAgain] = DraftsAgain.objects.filter(labeler__project=project)
    if labeler_ids is not None:
        rows = rows.filter(submission__assignment__labeler__in=labeler_ids)
        again = again.filter(labeler__in=labeler_ids)
    since = {row.labeler_id: row.at for row in again.order_by("pk")}
    answers: dict[int, list[HelpedReading]] = {}
    # What was handed in first says who looked; mending the same work later is no further draft.
    for row in first_answers(rows.select_related("submission__assignment__item").order_by("pk")):
        answers.setdefault(row.submission.assignment.labeler_id, []).append(row)
    return {
        key: _leaning(key, tuple(own), [row for row in own if key not in since or row.at > since[key]], policy)
        for key, own in answers.items()
    }


def first_answers(rows: Iterable[HelpedReading]) -> list[HelpedReading]:
    """Return of each draft the reading that was handed in first; ``rows`` are oldest first."""
    found: dict[int, HelpedReading] = {}
    for row in rows:
        found.setdefault(row.draft_id, row)
    return list(found.values())


def give_drafts_again(*, labeler: Labeler, by: User, reason: str) -> DraftsAgain:
    """Let the labeler have drafts again; the test begins anew. Writes ``drafts.given_again``. Raises :class:`AgainProblem`."""
    if not reason.strip():
        raise AgainProblem("Say why. Nothing was changed.")
    with transaction.atomic():
        row = DraftsAgain.objects.create(labeler=labeler, by=by, reason=reason.strip()[:300])
        audit.append(
            project_id=labeler.project_id, kind="drafts.given_again", actor=f"user:{by.pk}",
            subject=f"labeler:{labeler.pk}", facts={"again": row.pk},
        )  # fmt: skip
    return row


def _leaning(key: int, every: Sequence[HelpedReading], tested: Sequence[HelpedReading], policy: Policy) -> Leaning:
    plan = SprtPlan(policy.draft_catch_good, policy.draft_catch_poor, FALSE_ALARM, MISSED)
    verdict = sprt([bool(row.is_caught) for row in tested], plan).verdict if tested else "continue"
    kinds = sorted({row.kind for row in every})
    return Leaning(
        key, _rate(every), {kind: _rate([row for row in every if row.kind == kind]) for kind in kinds}, verdict,
        len(tested), tuple(every),
    )  # fmt: skip


def _rate(rows: Sequence[HelpedReading]) -> Estimate:
    return proportion(sum(bool(row.is_caught) for row in rows), len(rows), unit="planted errors", method="catch rate")


def _marks(reading: Reading) -> Counter[tuple[object, ...]]:
    """Everything that is drawn, as values that are equal where the drawing is: ids, sources and empty margins are left out."""
    found: Counter[tuple[object, ...]] = Counter()
    for shape in reading.shapes:
        if shape.mask is not None:
            places = np.argwhere(shape.mask.voxels) + np.asarray(shape.mask.origin)
            found[shape.medium, shape.label, "mask", places.tobytes()] += 1
        for region in shape.regions:
            corners = np.round(region.points, 3).tobytes()
            found[shape.medium, shape.label, region.kind, region.z, region.rotation_deg, corners] += 1
    return found
