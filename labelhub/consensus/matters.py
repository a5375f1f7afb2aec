"""What a reviewer has to decide about an item, point by point: each *matter* is one thing that its readers do not say alike.

- *area*: a region of a picture where painted or outlined classes differ by more than the policy's tolerance from the label
  that the readers give together (``numerics.disputes``); what lies nearer is one thin band, settled by that label;
- *object*: a box, point or line that not everybody marked, or that was called by different classes;
- *answer*, *attribute*: a question that was answered differently.

Pure: plain readings and their merged label in, frozen results out. A matter is known by a ``key`` made of what is in dispute,
so that an answer stays with its region when the item is looked at again. Not here: what was decided (``adjudicated``), who
may decide (``workflow.adjudicating``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from labelhub.consensus.area_matters import Ground, ground_of
from labelhub.consensus.merge import Merged, MergedShape
from labelhub.formats.shapes import Grid, Reading, Shape, Value
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_disputes import object_disputes
from labelhub.scoring.compare import Terms
from labelhub.scoring.evidence import category_of
from labelhub.scoring.extents import Extents, grid_size_of, similarity_table

METHOD, VERSION = "matters in dispute", "1"

Kind = Literal["area", "object", "answer", "attribute"]


@dataclass(frozen=True, slots=True)
class Says:
    """What somebody says about a matter: classes with their share of it, or one value; silent where they were not asked."""

    shares: tuple[tuple[str, float], ...] = ()
    value: str = ""
    is_silent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Matter:
    """One thing to decide. ``says[reader]``; ``consensus`` is None where the readers are tied and say nothing together.

    ``place`` is ``(z, y, x)`` on ``medium``, ``box`` its first voxel and the one after its last, ``size`` in ``unit``;
    ``region`` holds the voxels of an area. ``things`` are places in ``ItemMatters.things``; ``name`` is the question.
    """

    key: str
    kind: Kind
    says: tuple[Says, ...]
    consensus: Says | None
    medium: int | None = None
    place: tuple[float, float, float] | None = None
    box: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    size: float | None = None
    unit: str = ""
    region: PlacedMask | None = None
    things: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """One object (or one region of a painted class): who marked it with which shapes, and what stands of it."""

    label: str
    medium: int
    marked: Mapping[int, tuple[Shape, ...]]
    settled: MergedShape | None


@dataclass(frozen=True, slots=True, eq=False)
class ItemMatters:
    """All matters of an item, areas first and the largest of them first, and what they were found in."""

    matters: tuple[Matter, ...]
    readings: tuple[Reading, ...]
    merged: Merged
    things: tuple[Thing, ...]
    grounds: Mapping[int, Ground]
    grids: Sequence[Grid]
    extents: Extents
    terms: Terms
    by_key: Mapping[str, Matter] = field(default_factory=dict)

    @property
    def n_readers(self) -> int:
        """How many readings there are."""
        return len(self.readings)

    def painted(self, medium: int) -> frozenset[str]:
        """The classes of a medium whose voxels are compared."""
        ground = self.grounds.get(medium)
        return frozenset() if ground is None else frozenset(ground.labels)


def matters_of(
    readings: Sequence[Reading], merged: Merged, *, terms: Terms, grids: Sequence[Grid], extents: Extents
) -> ItemMatters:
    """Find what the readers of one item do not say alike.

    Parameters
    ----------
    readings : sequence of Reading
        The current ones, in the order in which ``merged`` was made of them.
    merged : Merged
        What they say together; its ties become matters without a consensus.
    terms, grids, extents
        As in ``merge_readings``.
    """
    things = _things_of(readings, merged)
    media = sorted({thing.medium for thing in things})
    grounds = {}
    for medium in media:
        shapes = [shape for entry in readings for shape in entry.shapes]
        size, spacing = grid_size_of(medium, shapes, grids)
        ground = ground_of(
            medium, readings, [entry.shape for entry in merged.shapes], size=size, spacing_mm=spacing, terms=terms,
            extents=extents,
        )  # fmt: skip
        if ground is not None:
            grounds[medium] = ground
    found = [*_areas(grounds), *_objects(readings, things, grounds, grids, terms, extents)]
    found += _answers(readings, merged, terms)
    found += _attributes(readings, things)
    return ItemMatters(
        tuple(found), tuple(readings), merged, things, grounds, grids, extents, terms,
        by_key={matter.key: matter for matter in found},
    )  # fmt: skip


def _things_of(readings: Sequence[Reading], merged: Merged) -> tuple[Thing, ...]:
    shapes = [{shape.shape_id: shape for shape in entry.shapes} for entry in readings]

    def marked(sources: Sequence[tuple[int, str]]) -> dict[int, tuple[Shape, ...]]:
        by_reader: dict[int, list[Shape]] = {}
        for reader, shape_id in sources:
            by_reader.setdefault(reader, []).append(shapes[reader][shape_id])
        return {reader: tuple(own) for reader, own in by_reader.items()}

    standing = [Thing(s.shape.label, s.shape.medium, marked(s.merged_from), s) for s in merged.shapes]
    return (*standing, *(Thing(one.label, one.medium, marked(one.marked), None) for one in merged.absent))


def _areas(grounds: Mapping[int, Ground]) -> list[Matter]:
    found = []
    for medium, ground in grounds.items():
        for region, shares in zip(ground.disputes.regions, ground.shares(), strict=True):
            mask = ground.placed(region)
            low = mask.origin
            z, y, x = (int(start + n) for start, n in zip(low, mask.voxels.shape, strict=True))
            found.append(
                Matter(
                    key=_area_key(medium, mask), kind="area", medium=medium,
                    says=tuple(
                        Says(own, is_silent=silent)
                        for own, silent in zip(shares[:-1], region.is_silent.tolist(), strict=True)
                    ),
                    consensus=Says(shares[-1]), place=ground.place_of(region),
                    box=((low[0], low[1], low[2]), (z, y, x)), size=region.size, unit=ground.disputes.unit,
                    region=mask,
                )
            )  # fmt: skip
    return sorted(found, key=lambda matter: -(matter.size or 0.0))


def _objects(
    readings: Sequence[Reading],
    things: Sequence[Thing],
    grounds: Mapping[int, Ground],
    grids: Sequence[Grid],
    terms: Terms,
    extents: Extents,
) -> list[Matter]:
    """Boxes, points and lines: those that not everybody asked has, or that have several classes."""
    found: list[Matter] = []
    for medium in sorted({thing.medium for thing in things}):
        painted = frozenset(grounds[medium].labels) if medium in grounds else frozenset()
        here = [
            (number, reader, shape)
            for number, thing in enumerate(things)
            if thing.medium == medium and thing.label not in painted
            for reader, own in thing.marked.items()
            for shape in own
        ]
        if not here:
            continue
        shapes = [shape for _, _, shape in here]
        size, spacing = grid_size_of(medium, shapes, grids)
        known = [extents.of(shape, size) for shape in shapes]
        corners = np.array([_corners(extent.place, extent.box, extent.mask) for extent in known])
        alike = similarity_table(known, known, grids, terms.match_iou, terms.reach, extents.shared)
        disputes = object_disputes(
            alike, [reader for _, reader, _ in here], [terms.labels.index(shape.label) for shape in shapes], corners,
            n_readers=len(readings), threshold=terms.match_iou, asked=[_asked(entry, terms) for entry in readings],
        )  # fmt: skip
        for dispute in disputes.disputes:
            marked = {here[m][1]: here[m] for m in dispute.members.tolist() if m >= 0}
            numbers = tuple(sorted({number for number, _, _ in marked.values()}))
            standing = [things[number].label for number in numbers if things[number].settled is not None]
            is_tied = any(tied(things[number], readings) for number in numbers) and not standing
            ids = sorted(f"{reader}:{shape.shape_id}" for _, reader, shape in marked.values())
            area = float(dispute.size) * (1.0 if spacing is None else spacing[1] * spacing[2])
            z, y, x = dispute.centre
            found.append(
                Matter(
                    key=_key("object", medium, *ids), kind="object", medium=medium,
                    says=tuple(
                        Says(value=marked[r][2].label if r in marked else "", is_silent=bool(dispute.is_silent[r]))
                        for r in range(len(readings))
                    ),
                    consensus=None if is_tied else Says(value=", ".join(sorted(set(standing)))),
                    place=(z, y, x), box=(_whole(dispute.low), _beyond(dispute.high)),
                    size=area or None, unit="mm²" if spacing is not None else "px", things=numbers,
                )
            )  # fmt: skip
    return found


def tied(thing: Thing, readings: Sequence[Reading]) -> bool:
    """Whether exactly half of those who were asked marked the thing."""
    asked = [entry for entry in readings if entry.asked_labels is None or thing.label in entry.asked_labels]
    return 2 * len(thing.marked) == len(asked)


def _answers(readings: Sequence[Reading], merged: Merged, terms: Terms) -> list[Matter]:
    texts = {spec.key: spec for spec in terms.questions if not spec.on_shapes}
    found = []
    for name in dict.fromkeys(key for entry in readings for key in entry.answers):
        given = {reader: entry.answers[name] for reader, entry in enumerate(readings) if name in entry.answers}
        if len({category_of(value) for value in given.values()}) < 2:
            continue
        spec = texts.get(name)
        settled = merged.answers.get(name)
        # A number is settled by the median, and free text only where all wrote the same.
        if spec is not None and spec.measure in ("interval", "ratio") and settled is not None:
            continue
        says = tuple(
            Says(value=shown(given[reader])) if reader in given else Says(is_silent=True)
            for reader in range(len(readings))
        )
        consensus = None if settled is None else Says(value=shown(settled))
        found.append(Matter(key=_key("answer", name), kind="answer", says=says, consensus=consensus, name=name))
    return found


def _attributes(readings: Sequence[Reading], things: Sequence[Thing]) -> list[Matter]:
    """Attributes of a standing object on which readers are tied; a majority settles all others."""
    found = []
    for number, thing in enumerate(things):
        if thing.settled is None:
            continue
        names = dict.fromkeys(name for own in thing.marked.values() for shape in own for name in shape.attributes)
        for name in names:
            if name in thing.settled.shape.attributes:
                continue
            given = {r: own[0].attributes[name] for r, own in thing.marked.items() if name in own[0].attributes}
            if len({category_of(value) for value in given.values()}) < 2:
                continue
            says = tuple(
                Says(value=shown(given[reader])) if reader in given else Says(is_silent=True)
                for reader in range(len(readings))
            )
            found.append(
                Matter(
                    key=_key("attribute", thing.settled.shape.shape_id, name), kind="attribute", says=says,
                    consensus=None, medium=thing.medium, things=(number,), name=name,
                )
            )  # fmt: skip
    return found


def shown(value: Value) -> str:
    """An answer in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _asked(reading: Reading, terms: Terms) -> frozenset[int] | None:
    if reading.asked_labels is None:
        return None
    return frozenset(terms.labels.index(label) for label in reading.asked_labels if label in terms.labels)


def _corners(
    place: tuple[float, float, float] | None, box: tuple[float, float, float, float] | None, mask: PlacedMask | None
) -> list[list[float]]:
    """Low and high corner of an extent as ``(z, y, x)``."""
    z, y, x = place or (0.0, 0.0, 0.0)
    if box is not None:
        return [[z, box[1], box[0]], [z + 1, box[3], box[2]]]
    if mask is not None:
        high = np.add(mask.origin, mask.voxels.shape)
        return [[float(at) for at in mask.origin], [float(at) for at in high]]
    return [[z, y, x], [z + 1, y, x]]


def _whole(at: Sequence[float]) -> tuple[int, int, int]:
    z, y, x = (int(np.floor(one)) for one in at)
    return max(z, 0), max(y, 0), max(x, 0)


def _beyond(at: Sequence[float]) -> tuple[int, int, int]:
    z, y, x = (int(np.ceil(one)) for one in at)
    return z, y + 1, x + 1


def _area_key(medium: int, mask: PlacedMask) -> str:
    """The voxels themselves, wherever the window lies in which they were found."""
    return _key("area", medium, mask.origin, mask.voxels.shape, np.packbits(mask.voxels).tobytes().hex())


def _key(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]
