"""Which method settles what, and why: the project's default (truth inference, STAPLE, calibrated outlines) or the vote.

Answers and objects are judged by the estimates that ``scoring`` keeps of the project's raters; the vote is counted beside
them and where the two differ is kept. The vote alone settles where raters cannot be told apart: below three readings, on
too few units, where the estimate looks degenerate, or where gold says that the vote is right more often. Where it settles
what truth inference holds less likely that is a doubt, and no label is accepted in doubt without a reviewer. Painted areas of
three or more readers are settled by STAPLE, by gold-calibrated fusion where the rule of ``numerics.fusion_calibration``
holds for everyone who painted them; outlines, boxes and points by the merge of ``merge_geometry``.

Pure. Not here: estimating (``scoring.truth_fit``), merging (``merge``, ``merge_areas``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from labelhub.formats.shapes import Value
from labelhub.numerics.fusion_calibration import RaterOffset
from labelhub.numerics.results import NAN
from labelhub.scoring.evidence import FINDING, NOTHING, OBJECTS, ShapeKey, category_of, question_topic
from labelhub.scoring.outline_offsets import Offsets
from labelhub.scoring.posteriors import Judged
from labelhub.scoring.truth_fit import BY_VOTE, Belief, TopicFit

VOTE, VOTE_VERSION = "majority vote and object merge", "2"
INFERRED, INFERRED_VERSION = "truth inference and object merge", "1"

# With fewer readings of the item a majority is everybody: nobody's skill can outweigh another's.
LEAST_READERS = 3
# Skill that was learnt from fewer units moves no label.
LEAST_UNITS = 30


@dataclass(frozen=True, slots=True)
class Judgement:
    """What truth inference says of one answer or object: its category (None at a tie) and how sure.

    ``decides`` is whether it settles, else the vote does; ``why`` says so in a sentence. ``breaks_ties``: a tied vote may
    be settled by it, which needs a calibrated confidence of at least the policy's ``posterior``. ``objects``: where the vote
    settles otherwise that is reason to ask a reviewer, because the item's posterior is that of the ``winner``.
    ``was_given`` is whether anybody gave the winner.
    """

    winner: str | None
    confidence: float
    decides: bool
    why: str
    method: str
    breaks_ties: bool = False
    objects: bool = False
    was_given: bool = True


@dataclass(frozen=True, slots=True)
class Weights:
    """The judgements of one item by question and by shape (position of the reading, shape id); empty: the vote settles.

    ``finding`` is that of whether anything is to be marked, where nobody marked an object. ``offsets[label]`` are those of the
    readers by position, where calibrated fusion is on for everybody.
    """

    answers: Mapping[str, Judgement] = field(default_factory=dict)
    objects: Mapping[ShapeKey, Judgement] = field(default_factory=dict)
    offsets: Mapping[str, Mapping[int, RaterOffset]] = field(default_factory=dict)
    why_areas: Mapping[str, str] = field(default_factory=dict)
    finding: Judgement | None = None

    def of_answer(self, key: str) -> Judgement | None:
        """The judgement that settles the question, if one does."""
        found = self.answers.get(key)
        return found if found is not None and found.decides else None

    def of_object(self, shapes: Sequence[ShapeKey]) -> Judgement | None:
        """The judgement that settles the object which these shapes are, if one does."""
        found = next((self.objects[key] for key in shapes if key in self.objects), None)
        return found if found is not None and found.decides else None

    def objecting(self, shapes: Sequence[ShapeKey]) -> list[Judgement]:
        """The different judgements of these shapes that are reason to ask where something else is settled."""
        found = dict.fromkeys(self.objects[key] for key in shapes if key in self.objects)
        return [judgement for judgement in found if judgement.objects and judgement.winner is not None]


def weigh(judged: Judged, labelers: Sequence[int], *, least_confidence: float, calibration_items: int) -> Weights:
    """Choose for each answer and object of one item whether truth inference settles it; ``labelers`` by reading."""
    answers: dict[str, Judgement] = {}
    objects: dict[ShapeKey, Judgement] = {}
    finding: Judgement | None = None
    for unit, believed in zip(judged.units, judged.beliefs, strict=True):
        n_readers = sum(said is not None for said in unit.given)
        fit = judged.fits.topics.get(unit.topic)
        found = judgement_of(
            fit, believed, n_readers, least_confidence=least_confidence, calibration_items=calibration_items
        )
        found = replace(found, was_given=found.winner in unit.given)
        if unit.topic == OBJECTS:
            objects |= dict.fromkeys(unit.shapes, found)
        elif unit.topic == question_topic(unit.name):
            answers[unit.name] = found
        elif unit.topic == FINDING:
            finding = found
    offsets, why_areas = {}, {}
    for label, entry in judged.fits.offsets.items():
        why_areas[label] = entry.why
        if entry.is_on:
            offsets[label] = _offsets_of(entry, labelers)
    return Weights(answers, objects, offsets, why_areas, None if objects else finding)


def judgement_of(
    fit: TopicFit | None, believed: Belief, n_readers: int, *, least_confidence: float, calibration_items: int
) -> Judgement:
    """Whether truth inference settles a unit of ``n_readers`` answers, and why."""
    why = _why_vote(fit, n_readers)
    if why or fit is None:
        return Judgement(
            believed.winner, believed.confidence, decides=False, why=why, method=VOTE,
            objects=_is_relied_on(fit, calibration_items),
        )  # fmt: skip
    is_calibrated = fit.n_known >= max(calibration_items, 1)
    return Judgement(
        believed.winner, believed.confidence, decides=True, why=f"{fit.n_units} units; {fit.why}", method=fit.chosen,
        breaks_ties=is_calibrated and believed.confidence >= least_confidence, objects=True,
    )  # fmt: skip


def category_says(judgement: Judgement, value: Value) -> bool:
    """Whether the judgement is for this answer."""
    return judgement.winner == category_of(value)


def object_stands(judgement: Judgement, label: str) -> bool:
    """Whether the judgement is that an object of this class is there."""
    return judgement.winner == label != NOTHING


def _why_vote(fit: TopicFit | None, n_readers: int) -> str:
    """Why the vote settles; empty where truth inference does."""
    if n_readers < LEAST_READERS:
        return f"{n_readers} of at least {LEAST_READERS} readings, so everybody must agree"
    if fit is None:
        return "the project's raters were not estimated yet"
    if fit.chosen == BY_VOTE or not fit.is_estimated:
        return fit.why
    if fit.n_units < LEAST_UNITS:
        return f"raters are known from {fit.n_units} of at least {LEAST_UNITS} units"
    return ""


def _is_relied_on(fit: TopicFit | None, calibration_items: int) -> bool:
    """Whether routing may accept by the item's posterior, or raters are known well enough to settle by."""
    is_calibrated = (0 if fit is None else fit.n_known) >= calibration_items
    return is_calibrated or (fit is not None and fit.is_estimated and fit.n_units >= LEAST_UNITS)


def _offsets_of(entry: Offsets, labelers: Sequence[int]) -> dict[int, RaterOffset]:
    """The known offsets by position of the reading."""
    found: dict[int, RaterOffset] = {}
    for place, labeler in enumerate(labelers):
        key = str(labeler)
        if key in entry.offset and key in entry.noise:
            found[place] = RaterOffset(
                place,
                1,
                entry.offset[key],
                NAN,
                NAN,
                entry.noise[key],
                NAN,
                NAN,
                entry.n_masks,
                entry.n_patients,
                0,
                0.95,
            )
    return found
