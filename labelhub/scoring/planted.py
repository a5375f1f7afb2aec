"""Whether readers who were shown a draft with a planted error caught it, and how far a labeler leans on drafts.

An error is held against the reading that began from it, over the voxels that it changed: what share of them says what the
model's own draft said there, before the error was planted. From half on it was caught. The catch rate has a Wilson interval
(Jeffreys below 10); whether somebody may go on with drafts is a sequential test. Not here: planting (``predictions.planting``),
who gets drafts (``workflow.drafting``).

References
----------
Wald A (1945) Sequential tests of statistical hypotheses. Ann Math Stat 16:117-186.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of
from labelhub.audit import services as audit
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.formats.shapes import Shape
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.numerics.sequential import SprtPlan, sprt
from labelhub.predictions.drafts import draft_of, planted_shapes
from labelhub.predictions.models import Draft
from labelhub.predictions.planting import CLASS, MISSING
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Labeler, Project
from labelhub.projects.policy import Policy
from labelhub.scoring.extents import Extent, extent_of
from labelhub.scoring.models import DraftsAgain, PlantedAnswer

METHOD = "share of a planted error undone"
VERSION = "1"
CAUGHT_FROM = 0.5
# A mark without area within so many pixels of where one was left out counts as that one, put back.
NEAR_PX = 10.0
# Errors of the sequential test: an attentive labeler loses drafts in at most the first share, one who leans on them keeps
# them in at most the second.
FALSE_ALARM, MISSED = 0.05, 0.10

Size = tuple[int, int, int]


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
    answers: tuple[PlantedAnswer, ...]

    @property
    def is_anchored(self) -> bool:
        """Whether the labeler is to work without drafts."""
        return self.verdict == "pause"


def judge_planted(submission: Submission) -> PlantedAnswer | None:
    """Keep whether the reading caught the error that its draft carried; None where there was none. Once a submission."""
    if submission.read_kind != "assisted":
        return None
    draft = draft_of(submission.assignment)
    if draft is None or draft.arm != Draft.Arm.PLANTED:
        return None
    kind, right, wrong = planted_shapes(draft)
    sizes = {medium.ordinal: grid_of(medium).size for medium in media_of(submission.assignment.item)}
    share = undone_share(kind, right, wrong, reading_of(submission).shapes, sizes[right.medium])
    answer, _ = PlantedAnswer.objects.get_or_create(
        submission=submission,
        defaults={
            "draft": draft, "kind": kind, "undone_share": share, "is_caught": share >= CAUGHT_FROM, "method": METHOD,
            "method_version": VERSION,
        },
    )  # fmt: skip
    return answer


def undone_share(kind: str, right: Shape, wrong: Shape | None, drawn: Sequence[Shape], size: Size) -> float:
    """Return the share, from 0 to 1, of what the error changed that ``drawn`` shows as the model had it.

    ``size`` is the medium's grid ``(z, y, x)``. Marks without area give 0 or 1.
    """
    here = [shape for shape in drawn if shape.medium == right.medium]
    truth = extent_of(right, size)
    if truth.mask is None:
        return float(_is_mark_undone(kind, truth, None if wrong is None else extent_of(wrong, size), here, size))
    planted = None if wrong is None else extent_of(wrong, size).mask
    low, shape = _window([truth.mask, *([] if planted is None else [planted])])
    was, became = _in_window([truth.mask], low, shape), _in_window([planted] if planted else [], low, shape)
    own = _in_window(_masks(here, right.label, size), low, shape)
    if kind == CLASS and wrong is not None:
        other = _in_window(_masks(here, wrong.label, size), low, shape)
        return float((own & ~other)[was].mean())
    changed = was ^ became
    return float((own == was)[changed].mean()) if changed.any() else 1.0


def let_stand(keys: Iterable[int]) -> frozenset[int]:
    """Return which of the submissions let a planted error stand: they speak for nobody."""
    rows = PlantedAnswer.objects.filter(submission__in=list(keys), is_caught=False)
    return frozenset(rows.values_list("submission_id", flat=True))


def errors_that_stood(project: Project) -> frozenset[int]:
    """Return which of the project's submissions let a planted error stand."""
    rows = PlantedAnswer.objects.filter(submission__assignment__item__project=project, is_caught=False)
    return frozenset(rows.values_list("submission_id", flat=True))


def leaning_of(labeler: Labeler, policy: Policy) -> Leaning:
    """Return how far one labeler leans on drafts."""
    return leanings(labeler.project, policy, labeler_ids=[labeler.pk]).get(labeler.pk) or _leaning(
        labeler.pk, (), (), policy
    )


def leanings(project: Project, policy: Policy, *, labeler_ids: Collection[int] | None = None) -> dict[int, Leaning]:
    """Return how far each labeler leans on drafts who was shown a planted error, by labeler id; two queries."""
    rows = PlantedAnswer.objects.filter(submission__assignment__item__project=project)
    again: QuerySet[DraftsAgain] = DraftsAgain.objects.filter(labeler__project=project)
    if labeler_ids is not None:
        rows = rows.filter(submission__assignment__labeler__in=labeler_ids)
        again = again.filter(labeler__in=labeler_ids)
    since = {row.labeler_id: row.at for row in again.order_by("pk")}
    answers: dict[int, list[PlantedAnswer]] = {}
    for row in rows.select_related("submission__assignment__item").order_by("pk"):
        answers.setdefault(row.submission.assignment.labeler_id, []).append(row)
    return {
        key: _leaning(key, tuple(own), [row for row in own if key not in since or row.at > since[key]], policy)
        for key, own in answers.items()
    }


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


def _leaning(key: int, every: Sequence[PlantedAnswer], tested: Sequence[PlantedAnswer], policy: Policy) -> Leaning:
    plan = SprtPlan(policy.draft_catch_good, policy.draft_catch_poor, FALSE_ALARM, MISSED)
    verdict = sprt([row.is_caught for row in tested], plan).verdict if tested else "continue"
    kinds = sorted({row.kind for row in every})
    return Leaning(
        key, _rate(every), {kind: _rate([row for row in every if row.kind == kind]) for kind in kinds}, verdict,
        len(tested), tuple(every),
    )  # fmt: skip


def _rate(rows: Sequence[PlantedAnswer]) -> Estimate:
    return proportion(sum(row.is_caught for row in rows), len(rows), unit="planted errors", method="catch rate")


def _is_mark_undone(kind: str, right: Extent, wrong: Extent | None, drawn: Sequence[Shape], size: Size) -> bool:
    if right.place is None:
        return True
    places = [(shape.label, extent.place) for shape in drawn if (extent := extent_of(shape, size)).place is not None]
    own = [place for label, place in places if label == right.shape.label and place is not None]
    if kind == MISSING or wrong is None or wrong.place is None:
        return _nearest(own, right.place) <= NEAR_PX
    if kind == CLASS:
        others = [place for label, place in places if label == wrong.shape.label and place is not None]
        return _nearest(own, right.place) <= min(NEAR_PX, _nearest(others, right.place))
    return _nearest(own, right.place) <= _nearest(own, wrong.place)


def _nearest(places: Sequence[tuple[float, float, float]], to: tuple[float, float, float]) -> float:
    return min((float(np.linalg.norm(np.subtract(place, to))) for place in places), default=float("inf"))


def _masks(shapes: Sequence[Shape], label: str, size: Size) -> list[PlacedMask]:
    extents = [extent_of(shape, size) for shape in shapes if shape.label == label]
    return [extent.mask for extent in extents if extent.mask is not None]


def _window(masks: Sequence[PlacedMask]) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    low = np.min([mask.origin for mask in masks], axis=0)
    high = np.max([np.add(mask.origin, mask.voxels.shape) for mask in masks], axis=0)
    return low, tuple(int(side) for side in high - low)


def _in_window(masks: Sequence[PlacedMask], low: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The masks together, cut to the window that begins at ``low``."""
    found = np.zeros(shape, dtype=np.bool_)
    for mask in masks:
        start = np.subtract(mask.origin, low)
        begin, end = np.maximum(start, 0), np.minimum(start + mask.voxels.shape, shape)
        if (begin < end).all():
            to = tuple(slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
            part = tuple(slice(int(a - s), int(b - s)) for a, b, s in zip(begin, end, start, strict=True))
            found[to] |= mask.voxels[part]
    return found
