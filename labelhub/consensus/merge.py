"""One label out of several readings: answers and objects by majority, geometry merged. Ties are found and named, never broken.

An answer or object stands where more than half of those who were asked gave it; exactly half is a tie. An object's geometry
is merged from those who marked it (``merge_geometry``).

Pure: plain shapes in, frozen results out. Not here: weights by skill, and keeping the result (``services``).

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
from labelhub.formats.shapes import Grid, QuestionSpec, Reading, Shape, Value
from labelhub.numerics.matching import cluster_objects
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents, Size, draws_area, grid_size_of, similarity_table

METHOD = "majority vote and object merge"
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Tie:
    """Something that exactly half of the readers say, or on which no majority exists."""

    what: str
    label: str
    votes: int
    readers: int


@dataclass(frozen=True, slots=True, eq=False)
class MergedShape:
    """A settled shape, how many of how many readers had it, and the shapes it was merged from (reading, shape id)."""

    shape: Shape
    votes: int
    readers: int
    merged_from: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """What the readings say together. Only a result without ``ties`` may be settled.

    ``confidence`` is the share of readers behind whatever is least sure; None where one reading decided alone.
    """

    shapes: tuple[MergedShape, ...]
    answers: Mapping[str, Value]
    no_finding: bool
    ties: tuple[Tie, ...]
    confidence: float | None
    readers: int
    method: str = METHOD
    version: str = VERSION


@dataclass(slots=True)
class _Ballot:
    """Votes as they are counted: shares of what stands, and ties; and what the voters looked at."""

    terms: Terms
    grids: Sequence[Grid]
    extents: Extents
    shares: list[float] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)

    def stands(self, what: str, label: str, votes: int, readers: int) -> bool:
        if 2 * votes == readers:
            self.ties.append(Tie(what, label, votes, readers))
        if 2 * votes <= readers:
            self.shares.append(1 - votes / readers)
            return False
        self.shares.append(votes / readers)
        return True


def merge_readings(
    readings: Sequence[Reading], *, terms: Terms, grids: Sequence[Grid] = (), extents: Extents | None = None
) -> Merged:
    """Merge the current readings of one item. Raises ``ValueError`` where there is none."""
    if not readings:
        raise ValueError("readings is empty; a label needs at least one reading")
    ballot = _Ballot(terms, grids, Extents() if extents is None else extents)
    answers = _answers(readings, terms.questions, ballot)
    shapes: list[MergedShape] = []
    for label in terms.labels:
        asked = [i for i, entry in enumerate(readings) if entry.asked_labels is None or label in entry.asked_labels]
        if asked:
            shapes += _merge_class(label, asked, readings, ballot)
    n_empty = sum(entry.is_empty_read for entry in readings)
    no_finding = not shapes and 2 * n_empty > len(readings)
    if not shapes and not no_finding and not ballot.ties and any(entry.shapes for entry in readings):
        ballot.ties.append(Tie("no object has a majority", "", 0, len(readings)))
    confidence = min(ballot.shares, default=1.0) if len(readings) > 1 else None
    return Merged(tuple(shapes), answers, no_finding, tuple(ballot.ties), confidence, len(readings))


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
    return settled


def _settled_value(key: str, given: Sequence[Value], spec: QuestionSpec | None, ballot: _Ballot) -> Value | None:
    """The majority's answer; the median of numbers; a free text only where everybody wrote the same."""
    if spec is not None and spec.measure in ("interval", "ratio"):
        numbers = [float(value) for value in given if isinstance(value, int | float)]
        return float(np.median(numbers)) if numbers else None
    names = [_named(value) for value in given]
    (leader, votes), *others = Counter(names).most_common()
    if spec is None:
        return given[0] if votes == len(given) else None
    ballot.shares.append(votes / len(given))
    if others and others[0][1] == votes:
        ballot.ties.append(Tie("answer", key, votes, len(given)))
        return None
    return given[names.index(leader)]


def _named(value: Value) -> str:
    return "|".join(sorted(value)) if isinstance(value, tuple) else f"{type(value).__name__}:{value}"


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
            if not ballot.stands("object", label, votes, len(asked)):
                continue
            place = Place(size, spacing, ballot.extents)
            shape = merged_shape([shape for _, shape in group], [i for i, _ in group], place, ballot.terms)
            if shape is None:
                ballot.ties.append(Tie("place of an object", label, votes, len(asked)))
                continue
            named = replace(
                shape, shape_id=f"{label[:40]}-{medium}-{number}", label=label, medium=medium, source="settled",
                attributes=_attributes([shape for _, shape in group], label, ballot),
            )  # fmt: skip
            sources = tuple((i, shape.shape_id) for i, shape in group)
            merged.append(MergedShape(named, votes, len(asked), sources))
    return merged


def _same_objects(
    here: Sequence[tuple[int, Shape]], asked: Sequence[int], size: Size, ballot: _Ballot
) -> list[list[tuple[int, Shape]]]:
    terms = ballot.terms
    extents = [ballot.extents.of(shape, size) for _, shape in here]
    table = similarity_table(extents, extents, ballot.grids, terms.match_iou, terms.reach)
    owner = [asked.index(i) for i, _ in here]
    clusters = cluster_objects(table, owner, terms.match_iou, n_raters=len(asked))
    return [[here[member] for member in row if member >= 0] for row in clusters.members]


def _attributes(shapes: Sequence[Shape], label: str, ballot: _Ballot) -> dict[str, Value]:
    settled: dict[str, Value] = {}
    for key in dict.fromkeys(key for shape in shapes for key in shape.attributes):
        given = [shape.attributes[key] for shape in shapes if key in shape.attributes]
        names = [_named(value) for value in given]
        (leader, votes), *others = Counter(names).most_common()
        if others and others[0][1] == votes:
            ballot.ties.append(Tie("attribute", f"{label}.{key}", votes, len(given)))
        else:
            settled[key] = given[names.index(leader)]
    return settled
