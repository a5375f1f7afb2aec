"""One label out of several readings: answers and objects by truth inference or vote, geometry merged. Ties stay ties.

By vote an answer or object stands where more than half of those who were asked gave it; exactly half is a tie. Where
``weights`` hold a judgement of truth inference, that decides, the vote is counted beside it, and where the two differ is
noted. A tied vote is settled only by a judgement that may break ties. Where the vote settled and a judgement objects, that is
a doubt, because the item's posterior speaks of another label. An object's geometry is merged from those who marked
it (``merge_geometry``).

Pure: plain shapes in, frozen results out. Not here: which method settles what (``methods``), keeping the result
(``services``).

References
----------
Armato SG et al. (2011) LIDC-IDRI. Medical Physics 38:915-931 (consensus by share of readers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from labelhub.consensus.merge_geometry import Place, merged_shape
from labelhub.consensus.methods import (
    INFERRED,
    INFERRED_VERSION,
    VOTE,
    VOTE_VERSION,
    Judgement,
    Weights,
    object_stands,
)
from labelhub.formats.shapes import Grid, QuestionSpec, Reading, Shape, Value
from labelhub.numerics.matching import cluster_objects
from labelhub.scoring.compare import Terms
from labelhub.scoring.evidence import SOME, ShapeKey, category_of
from labelhub.scoring.extents import Extents, Size, draws_area, grid_size_of, similarity_table


@dataclass(frozen=True, slots=True)
class Tie:
    """Something that exactly half of the readers say, or on which no majority exists."""

    what: str
    label: str
    votes: int
    readers: int


@dataclass(frozen=True, slots=True)
class Difference:
    """An answer, object or area of which the vote says otherwise than another method, with that method's confidence."""

    what: str
    label: str
    by_vote: str
    by_method: str
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class MergedShape:
    """A settled shape, how many of how many readers had it, and the shapes it was merged from (reading, shape id).

    ``confidence`` is that the object is there: of truth inference, else the share of votes. ``drawn_by`` is how its
    geometry was merged, ``vote_dice`` how alike the voxel vote is (None where it is the vote, or no area).
    """

    shape: Shape
    votes: int
    readers: int
    merged_from: tuple[tuple[int, str], ...]
    confidence: float | None
    drawn_by: str
    vote_dice: float | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """An object that some readers marked and that does not stand: the shapes it was marked by (reading, shape id)."""

    label: str
    medium: int
    marked: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """What the readings say together. Only a result without ``ties`` may be settled.

    ``confidence`` is that of whatever is least sure (the share of readers where the vote settled it); None where one
    reading decided alone. ``differences`` are where the vote says otherwise; ``why`` tells why the method was taken.
    ``doubts`` are where the vote settled although truth inference holds something else likelier.
    ``absent`` are the objects that do not stand, those tied among them.
    """

    shapes: tuple[MergedShape, ...]
    answers: Mapping[str, Value]
    no_finding: bool
    ties: tuple[Tie, ...]
    confidence: float | None
    readers: int
    method: str = VOTE
    version: str = VOTE_VERSION
    why: str = ""
    answer_confidence: Mapping[str, float] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    doubts: tuple[Difference, ...] = ()

    @property
    def doubt(self) -> str:
        """What is settled here although something else is likelier, in words; empty where nothing is."""
        said = [
            f"{entry.what} {entry.label}".strip()
            + f": {entry.by_vote}, but {entry.by_method} is likelier ({entry.confidence:.2f})"
            for entry in self.doubts[:3]
        ]
        return "; ".join(said)

    absent: tuple[Absent, ...] = ()


@dataclass(slots=True)
class _Ballot:
    """Votes as they are counted: shares of what stands, and ties; and what the voters looked at."""

    terms: Terms
    grids: Sequence[Grid]
    extents: Extents
    weights: Weights
    shares: list[float] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    doubts: list[Difference] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)
    answer_confidence: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    is_inferred: bool = False

    def stands(self, label: str, votes: int, readers: int, judgement: Judgement | None) -> float | None:
        """The confidence in an object that stands; None where it does not, or is tied."""
        is_even, by_vote = 2 * votes == readers, 2 * votes > readers
        if judgement is None or judgement.winner is None or (is_even and not judgement.breaks_ties):
            if is_even or (judgement is not None and judgement.winner is None):
                self.ties.append(Tie("object", label, votes, readers))
            self.shares.append(votes / readers if by_vote else 1 - votes / readers)
            return votes / readers if by_vote else None
        self.note(judgement)
        self.shares.append(judgement.confidence)
        is_there = object_stands(judgement, label)
        if is_there != by_vote:
            says = "tied" if is_even else f"{votes} of {readers}"
            self.differences.append(Difference("object", label, says, _stands(is_there), judgement.confidence))
        return judgement.confidence if is_there else None

    def doubt_object(self, label: str, sources: Sequence[ShapeKey], *, is_there: bool) -> None:
        """Note whether truth inference says of these shapes' object otherwise than what was settled."""
        for judgement in self.weights.objecting(sources):
            if judgement.was_given and object_stands(judgement, label) != is_there:
                by_method = _stands(not is_there)
            elif not judgement.was_given:
                by_method = judgement.winner or _stands(is_there=False)
            else:
                continue
            self.doubts.append(Difference("object", label, _stands(is_there), by_method, judgement.confidence))

    def doubt_answer(self, key: str, value: Value) -> None:
        """Note whether truth inference holds another answer likelier than the settled one."""
        judgement = self.weights.answers.get(key)
        if judgement is None or not judgement.objects or judgement.winner in (None, category_of(value)):
            return
        likelier = str(judgement.winner).partition(":")[2]
        self.doubts.append(Difference("answer", key, str(value), likelier, judgement.confidence))

    def doubt_nothing(self) -> None:
        """Note whether truth inference holds it likelier that there is something to mark where nothing was settled."""
        judgement = self.weights.finding
        if judgement is not None and judgement.objects and judgement.winner == SOME:
            says = ("nothing to mark", "something to mark")
            self.doubts.append(Difference("finding", "", *says, judgement.confidence))

    def note(self, judgement: Judgement) -> None:
        """Truth inference settled something, and why."""
        self.is_inferred = True
        self.reasons.setdefault(judgement.method, judgement.why)


def merge_readings(
    readings: Sequence[Reading],
    *,
    terms: Terms,
    grids: Sequence[Grid] = (),
    extents: Extents | None = None,
    weights: Weights | None = None,
) -> Merged:
    """Merge the current readings of one item; without ``weights`` by vote. Raises ``ValueError`` where there is none."""
    if not readings:
        raise ValueError("readings is empty; a label needs at least one reading")
    ballot = _Ballot(terms, grids, Extents() if extents is None else extents, weights or Weights())
    answers = _answers(readings, terms.questions, ballot)
    shapes: list[MergedShape] = []
    for label in terms.labels:
        asked = [i for i, entry in enumerate(readings) if entry.asked_labels is None or label in entry.asked_labels]
        if asked:
            shapes += _merge_class(label, asked, readings, ballot)
    n_empty = sum(entry.is_empty_read for entry in readings)
    no_finding = not shapes and 2 * n_empty > len(readings)
    if no_finding:
        ballot.doubt_nothing()
    if not shapes and not no_finding and not ballot.ties and any(entry.shapes for entry in readings):
        ballot.ties.append(Tie("no object has a majority", "", 0, len(readings)))
    confidence = min(ballot.shares, default=1.0) if len(readings) > 1 else None
    return Merged(
        tuple(shapes), answers, no_finding, tuple(ballot.ties), confidence, len(readings),
        method=INFERRED if ballot.is_inferred else VOTE,
        version=INFERRED_VERSION if ballot.is_inferred else VOTE_VERSION, why=_why(ballot),
        answer_confidence=ballot.answer_confidence, differences=tuple(ballot.differences),
        doubts=tuple(ballot.doubts), absent=tuple(ballot.absent),
    )  # fmt: skip


def _why(ballot: _Ballot) -> str:
    """What settled the item and why, one clause a method; of a vote, why nothing better was taken."""
    if ballot.reasons:
        return "; ".join(f"{method}: {why}" for method, why in ballot.reasons.items())
    every = [*ballot.weights.answers.values(), *ballot.weights.objects.values()]
    return next((judgement.why for judgement in every if not judgement.decides), "")


def _answers(readings: Sequence[Reading], questions: Sequence[QuestionSpec], ballot: _Ballot) -> dict[str, Value]:
    specs = {question.key: question for question in questions if not question.on_shapes}
    keys = dict.fromkeys([*specs, *(key for entry in readings for key in entry.answers)])
    settled: dict[str, Value] = {}
    for key in keys:
        given = [entry.answers[key] for entry in readings if key in entry.answers]
        if not given:
            continue
        value = _settled_value(key, given, specs.get(key), ballot)
        if value is not None:
            settled[key] = value
            ballot.doubt_answer(key, value)
    return settled


def _settled_value(key: str, given: Sequence[Value], spec: QuestionSpec | None, ballot: _Ballot) -> Value | None:
    """The majority's answer; the median of numbers; a free text only where everybody wrote the same."""
    if spec is not None and spec.measure in ("interval", "ratio"):
        numbers = [float(value) for value in given if isinstance(value, int | float)]
        return float(np.median(numbers)) if numbers else None
    names = [category_of(value) for value in given]
    (leader, votes), *others = Counter(names).most_common()
    if spec is None:
        return given[0] if votes == len(given) else None
    is_even = bool(others) and others[0][1] == votes
    judgement = ballot.weights.of_answer(key)
    if judgement is None or judgement.winner not in names or (is_even and not judgement.breaks_ties):
        ballot.shares.append(votes / len(given))
        ballot.answer_confidence[key] = votes / len(given)
        if is_even or (judgement is not None and judgement.winner is None):
            ballot.ties.append(Tie("answer", key, votes, len(given)))
            return None
        return given[names.index(leader)]
    ballot.note(judgement)
    ballot.shares.append(judgement.confidence)
    ballot.answer_confidence[key] = judgement.confidence
    value = given[names.index(judgement.winner)]
    if is_even or judgement.winner != leader:
        says = "tied" if is_even else str(given[names.index(leader)])
        ballot.differences.append(Difference("answer", key, says, str(value), judgement.confidence))
    return value


def _stands(is_there: bool) -> str:
    return "there" if is_there else "not there"


def _merge_class(label: str, asked: Sequence[int], readings: Sequence[Reading], ballot: _Ballot) -> list[MergedShape]:
    found = [(i, shape) for i in asked for shape in readings[i].shapes if shape.label == label]
    merged: list[MergedShape] = []
    for medium in sorted({shape.medium for _, shape in found}):
        here = [(i, shape) for i, shape in found if shape.medium == medium]
        size, spacing = grid_size_of(medium, [shape for _, shape in here], ballot.grids)
        if label in ballot.terms.pooled and all(draws_area(shape) for _, shape in here):
            groups = [here]
        else:
            groups = _same_objects(here, asked, size, ballot)
        for number, group in enumerate(groups, start=1):
            votes = len({i for i, _ in group})
            sources = tuple((i, shape.shape_id) for i, shape in group)
            confidence = ballot.stands(label, votes, len(asked), ballot.weights.of_object(sources))
            ballot.doubt_object(label, sources, is_there=confidence is not None)
            if confidence is None:
                ballot.absent.append(Absent(label, medium, sources))
                continue
            drawn = merged_shape(
                [shape for _, shape in group], [i for i, _ in group], Place(size, spacing, ballot.extents), ballot.terms,
                ballot.weights.offsets.get(label),
            )  # fmt: skip
            shape = drawn.shape
            if shape is None:
                ballot.ties.append(Tie("place of an object", label, votes, len(asked)))
                ballot.absent.append(Absent(label, medium, sources))
                continue
            if drawn.vote_dice is not None:
                ballot.is_inferred = True
                ballot.reasons.setdefault(drawn.method, drawn.why)
                if drawn.vote_dice < 1:
                    says = f"Dice {drawn.vote_dice:.3f}"
                    ballot.differences.append(Difference("area", label, says, drawn.method, confidence))
            named = replace(
                shape, shape_id=f"{label[:40]}-{medium}-{number}", label=label, medium=medium, source="settled",
                attributes=_attributes([shape for _, shape in group], label, ballot),
            )  # fmt: skip
            if drawn.mask is not None:
                ballot.extents.know(named, size, drawn.mask)
            merged.append(MergedShape(named, votes, len(asked), sources, confidence, drawn.method, drawn.vote_dice))
    return merged


def _same_objects(
    here: Sequence[tuple[int, Shape]], asked: Sequence[int], size: Size, ballot: _Ballot
) -> list[list[tuple[int, Shape]]]:
    terms = ballot.terms
    extents = [ballot.extents.of(shape, size) for _, shape in here]
    table = similarity_table(extents, extents, ballot.grids, terms.match_iou, terms.reach, ballot.extents.shared)
    owner = [asked.index(i) for i, _ in here]
    clusters = cluster_objects(table, owner, terms.match_iou, n_raters=len(asked))
    return [[here[member] for member in row if member >= 0] for row in clusters.members]


def _attributes(shapes: Sequence[Shape], label: str, ballot: _Ballot) -> dict[str, Value]:
    settled: dict[str, Value] = {}
    for key in dict.fromkeys(key for shape in shapes for key in shape.attributes):
        given = [shape.attributes[key] for shape in shapes if key in shape.attributes]
        names = [category_of(value) for value in given]
        (leader, votes), *others = Counter(names).most_common()
        if others and others[0][1] == votes:
            ballot.ties.append(Tie("attribute", f"{label}.{key}", votes, len(given)))
        else:
            settled[key] = given[names.index(leader)]
    return settled
