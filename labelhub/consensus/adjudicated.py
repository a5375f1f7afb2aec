"""The label of an item out of a reviewer's answers: region by region, object by object, with where each part comes from.

Outside all disputed regions, and where a matter is answered with *consensus*, the readers' common label stands as it is.
Within a region the chosen reader's voxels take its place, object by object, so that an outline that is no part of the dispute
is not touched; an ambiguous region belongs to the reserved class ``ignore`` and to nothing else. A shape that comes out
exactly as somebody drew it keeps their geometry. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from labelhub.consensus.matters import ItemMatters, Matter, Thing
from labelhub.consensus.merge import MergedShape
from labelhub.consensus.merge_geometry import outlines_of
from labelhub.consensus.placed import (
    are_equal,
    clear,
    cropped,
    frame_around,
    grown,
    meets,
    n_shared,
    overlap_of,
    paste,
    window_of,
)
from labelhub.formats.shapes import Region, Shape, Value
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.rasterise import shape_mask, union_of
from labelhub.scoring.extents import Size, grid_size_of

METHOD, VERSION = "adjudication by region", "1"
# The class of what is ignored, in settlements and in the files of a release. No ontology has it.
IGNORE = "ignore"

Choice = Literal["reader", "consensus", "drawn", "ambiguous"]
CHOICES: tuple[Choice, ...] = ("reader", "consensus", "drawn", "ambiguous")


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A drawn outline that adds the voxels within it to a class, or takes them away (from all classes where none is named)."""

    mode: Literal["add", "erase"]
    label: str
    z: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """How a reviewer decided one matter. What is *drawn* starts from ``reader``, or from the consensus where that is None."""

    key: str
    choice: Choice
    reader: int | None = None
    strokes: tuple[Stroke, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One shape of the adjudicated label, and what it is made of."""

    shape: Shape
    votes: int
    readers: int
    merged_from: tuple[tuple[int, str], ...]
    drawn_by: str
    is_touched: bool

    def as_merged(self) -> MergedShape:
        """The part as a settled shape; how sure it is nobody can say of what one person decided."""
        return MergedShape(self.shape, self.votes, self.readers, self.merged_from, None, self.drawn_by)


@dataclass(frozen=True, slots=True, eq=False)
class Adjudicated:
    """The label as far as it is decided. ``open`` are the matters that nobody has answered; ``changed`` counts, matter by
    matter, the voxels that are not the consensus's. ``outdated`` are answers that belong to no matter any more.
    """

    parts: tuple[Part, ...]
    answers: Mapping[str, Value]
    open: tuple[Matter, ...]
    changed: Mapping[str, int]
    outdated: tuple[Answer, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is marked."""
        return not self.parts


def adjudicate(found: ItemMatters, answers: Sequence[Answer]) -> Adjudicated:
    """Put the label together. Of several answers to one matter the last counts; what is open stays with the consensus."""
    last = {answer.key: answer for answer in answers}
    decided = [(matter, last[matter.key]) for matter in found.matters if matter.key in last]
    bench = _Bench(found)
    for matter, answer in decided:
        if matter.kind == "area":
            bench.decide_area(matter, answer)
        elif matter.kind == "object":
            bench.decide_object(matter, answer)
        elif matter.kind == "attribute":
            bench.decide_attribute(matter, answer)
    return Adjudicated(
        parts=tuple(bench.parts()),
        answers=_answers(found, decided),
        open=tuple(matter for matter in found.matters if matter.key not in last),
        changed=bench.changed,
        outdated=tuple(answer for key, answer in last.items() if key not in found.by_key),
    )


def _answers(found: ItemMatters, decided: Sequence[tuple[Matter, Answer]]) -> dict[str, Value]:
    settled = dict(found.merged.answers)
    for matter, answer in decided:
        if matter.kind != "answer":
            continue
        if answer.choice == "ambiguous":
            settled.pop(matter.name, None)
        elif answer.choice == "reader" and answer.reader is not None:
            settled[matter.name] = found.readings[answer.reader].answers[matter.name]
    return settled


class _Bench:
    """The label while it is put together: only what an answer touches is taken apart into voxels."""

    def __init__(self, found: ItemMatters) -> None:
        self.found = found
        self.changed: dict[str, int] = {}
        self._frames: dict[int, PlacedMask] = {}
        self._touched: set[int] = set()
        self._new: list[tuple[str, int, PlacedMask]] = []
        self._replaced: dict[int, Shape | None] = {}
        self._attributes: dict[int, dict[str, Value]] = {}
        self._added: list[Part] = []
        self._ignored: list[tuple[int, PlacedMask]] = []
        self._sizes: dict[int, Size] = {}

    def decide_area(self, matter: Matter, answer: Answer) -> None:
        """Give the region's voxels to what was chosen, thing by thing."""
        region, medium = matter.region, matter.medium
        if region is None or medium is None:
            return
        changed = 0
        if answer.choice != "consensus" and not (answer.choice == "drawn" and answer.reader is None):
            for number in self._things_at(medium, region):
                changed += self._take(number, region, self._chosen(number, answer))
        if answer.choice == "ambiguous":
            self._ignored.append((medium, region))
        for stroke in answer.strokes if answer.choice == "drawn" else ():
            changed += self._draw(medium, region, stroke)
        self.changed[matter.key] = changed

    def decide_object(self, matter: Matter, answer: Answer) -> None:
        """Put the chosen reader's object in the place of all that stands there; an ambiguous one becomes *ignore*."""
        if answer.choice == "consensus" or matter.medium is None:
            return
        marked = [shape for n in matter.things for own in self.found.things[n].marked.values() for shape in own]
        standing = [n for n in matter.things if self.found.things[n].settled is not None]
        for number in standing:
            self._replaced[number] = None
        self.changed[matter.key] = len(standing)
        if answer.choice == "ambiguous":
            shape = replace(marked[0], label=IGNORE, attributes={"was": marked[0].label}, source="settled")
            self._added.append(Part(shape, 0, self.found.n_readers, (), "declared ambiguous", is_touched=True))
            return
        for number in matter.things:
            for shape in self.found.things[number].marked.get(-1 if answer.reader is None else answer.reader, ()):
                source = ((answer.reader or 0, shape.shape_id),)
                votes = len(self.found.things[number].marked)
                named = replace(shape, shape_id=f"{shape.label[:40]}-{matter.medium}-r{number}", source="settled")
                self._added.append(Part(named, votes, self.found.n_readers, source, "as drawn", is_touched=True))

    def decide_attribute(self, matter: Matter, answer: Answer) -> None:
        """Give a standing object the chosen reader's attribute; an ambiguous one has none."""
        if answer.choice != "reader" or answer.reader is None:
            return
        for number in matter.things:
            for shape in self.found.things[number].marked.get(answer.reader, ()):
                self._attributes.setdefault(number, {})[matter.name] = shape.attributes[matter.name]

    def parts(self) -> list[Part]:
        """Return the shapes of the label, those that nothing touched as they stood."""
        found = []
        for number, thing in enumerate(self.found.things):
            part = self._part(number, thing)
            if part is not None:
                found.append(part)
        found += self._added
        for place, (label, medium, mask) in enumerate(self._new):
            shape = self._shape_of(
                mask, Shape(f"{label[:40]}-{medium}-n{place}", label, medium=medium), is_outline=False
            )
            if shape is not None:
                found.append(Part(shape, 0, self.found.n_readers, (), "drawn by the reviewer", is_touched=True))
        for medium in dict.fromkeys(medium for medium, _ in self._ignored):
            mask = union_of([region for at, region in self._ignored if at == medium])
            shape = self._shape_of(
                mask, Shape(f"ignore-{medium}", IGNORE, medium=medium), is_outline=self._is_outlined(medium)
            )
            if shape is not None:
                found.append(Part(shape, 0, self.found.n_readers, (), "declared ambiguous", is_touched=True))
        return found

    def _part(self, number: int, thing: Thing) -> Part | None:
        settled = thing.settled
        attributes = self._attributes.get(number, {})
        sources = tuple((r, s.shape_id) for r, own in thing.marked.items() for s in own)
        if number in self._replaced:
            return None
        if number not in self._touched or (settled is not None and self._is_as_settled(number, settled)):
            if settled is None:
                return None
            shape = replace(settled.shape, attributes={**settled.shape.attributes, **attributes})
            return Part(shape, settled.votes, settled.readers, settled.merged_from, settled.drawn_by, bool(attributes))
        model = settled.shape if settled is not None else next(own[0] for own in thing.marked.values())
        base: Shape = replace(
            model, shape_id=model.shape_id if settled is not None else f"{thing.label[:40]}-{thing.medium}-r{number}",
            attributes={**model.attributes, **attributes}, source="settled",
        )  # fmt: skip
        is_outline = all(s.mask is None for own in thing.marked.values() for s in own)
        drawn = self._as_somebody_drew(number, base) or self._shape_of(
            self._frames[number], base, is_outline=is_outline
        )
        readers = settled.readers if settled is not None else self.found.n_readers
        return None if drawn is None else Part(drawn, len(thing.marked), readers, sources, METHOD, is_touched=True)

    def _is_as_settled(self, number: int, settled: MergedShape) -> bool:
        return are_equal(
            self._frames[number], self.found.extents.voxels_of(settled.shape, self._size(settled.shape.medium))
        )

    def _as_somebody_drew(self, number: int, base: Shape) -> Shape | None:
        """The geometry of the one shape whose voxels these are exactly."""
        thing = self.found.things[number]
        for own in thing.marked.values():
            if len(own) == 1 and are_equal(self._frames[number], self._voxels(own[0])):
                return replace(base, regions=own[0].regions, mask=own[0].mask)
        return None

    def _shape_of(self, mask: PlacedMask, base: Shape, *, is_outline: bool) -> Shape | None:
        region = cropped(mask)
        if region is None:
            return None
        outlines = outlines_of(region) if is_outline else None
        if outlines is not None:
            return replace(base, regions=outlines, mask=None)
        return replace(base, regions=(), mask=region)

    def _is_outlined(self, medium: int) -> bool:
        here = [
            s for thing in self.found.things if thing.medium == medium for own in thing.marked.values() for s in own
        ]
        return bool(here) and all(shape.mask is None for shape in here)

    def _things_at(self, medium: int, region: PlacedMask) -> list[int]:
        painted = self.found.painted(medium)
        return [
            number
            for number, thing in enumerate(self.found.things)
            if thing.medium == medium and thing.label in painted and meets(self._frame(number), region)
        ]

    def _frame(self, number: int) -> PlacedMask:
        """The voxels of a thing as they stand now, in the box around all that anybody marked of it."""
        if number not in self._frames:
            thing = self.found.things[number]
            marked = [self._voxels(shape) for own in thing.marked.values() for shape in own]
            standing = [] if thing.settled is None else [self._voxels(thing.settled.shape)]
            frame = frame_around([*marked, *standing])
            for mask in standing:
                paste(frame, mask)
            self._frames[number] = frame
        return self._frames[number]

    def _chosen(self, number: int, answer: Answer) -> list[PlacedMask]:
        if answer.choice == "ambiguous" or answer.reader is None:
            return []
        return [self._voxels(shape) for shape in self.found.things[number].marked.get(answer.reader, ())]

    def _take(self, number: int, region: PlacedMask, chosen: Sequence[PlacedMask]) -> int:
        """Within the region the thing is what was chosen; return how many voxels that changes."""
        frame = self._frame(number)
        window, part = window_of(frame, region)
        if window is None or part is None:
            return 0
        # A frame may be as large as the picture: only where the region lies is it looked at.
        z, y, x = (start + side.start for start, side in zip(frame.origin, window, strict=True))
        given = PlacedMask(np.zeros(part.shape, dtype=np.bool_), (z, y, x))
        for mask in chosen:
            paste(given, mask)
        now = frame.voxels[window]
        changes = int(np.count_nonzero((now != given.voxels) & part))
        if changes:
            self._touched.add(number)
            np.copyto(now, given.voxels, where=part)
        return changes

    def _draw(self, medium: int, region: PlacedMask, stroke: Stroke) -> int:
        drawn = shape_mask(
            (Region("polygon", np.asarray(stroke.points, dtype=np.float64), z=stroke.z),), self._size(medium)
        )
        inside = overlap_of(drawn, region)
        if inside is None:
            return 0
        here = [
            number
            for number, thing in enumerate(self.found.things)
            if thing.medium == medium and thing.label in self.found.painted(medium)
            and (not stroke.label or thing.label == stroke.label)
        ]  # fmt: skip
        if stroke.mode == "erase":
            changed = sum(self._take(number, inside, []) for number in here if meets(self._frame(number), inside))
            for _, _, mask in (entry for entry in self._new if not stroke.label or entry[0] == stroke.label):
                changed += clear(mask, inside)
            return changed
        near = [(n_shared(self._around(number), inside), number) for number in here]
        most, number = max(near, default=(0, -1))
        if most:
            frame = grown(self._frame(number), inside)
            before = int(np.count_nonzero(frame.voxels))
            paste(frame, inside)
            self._frames[number] = frame
            self._touched.add(number)
            return int(np.count_nonzero(frame.voxels)) - before
        self._new.append((stroke.label, medium, PlacedMask(inside.voxels.copy(), inside.origin)))
        return int(np.count_nonzero(inside.voxels))

    def _around(self, number: int) -> PlacedMask:
        """All that anybody marked of a thing, and what stands of it now."""
        frame = self._frame(number)
        whole = PlacedMask(frame.voxels.copy(), frame.origin)
        for own in self.found.things[number].marked.values():
            for shape in own:
                paste(whole, self._voxels(shape))
        return whole

    def _voxels(self, shape: Shape) -> PlacedMask:
        return self.found.extents.voxels_of(shape, self._size(shape.medium))

    def _size(self, medium: int) -> Size:
        if medium not in self._sizes:
            shapes = [shape for entry in self.found.readings for shape in entry.shapes]
            self._sizes[medium] = grid_size_of(medium, shapes, self.found.grids)[0]
        return self._sizes[medium]
