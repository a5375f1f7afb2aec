"""The readings behind a labeler's cases: their first reading of an item beside gold, else the settled label, else the others.

A fixed number of queries, however many items. Not here: which cases are clearest (``cases``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from django.db.models import QuerySet

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of
from labelhub.consensus.selectors import readings_of_settlements, standing_settlements
from labelhub.formats.shapes import Grid, Reading, Shape
from labelhub.numerics.fatigue import sessions_of
from labelhub.numerics.geometry import PlacedMask, mask_overlaps
from labelhub.numerics.matching import PairMatch, match_pair
from labelhub.numerics.rasterise import union_of
from labelhub.projects.models import Labeler, Project
from labelhub.scoring.extents import Extent, Extents, Reach, Size, draws_area, grid_size_of, similarity_table
from labelhub.scoring.models import GoldReference, Score


@dataclass(frozen=True, eq=False)
class Compared:
    """A labeler's reading of an item beside what it is compared with; ``against`` names that in words."""

    own_key: str
    own: Reading
    other_keys: tuple[str, ...]
    others: tuple[Reading, ...]
    against: str
    grids: tuple[Grid, ...]
    match_iou: float

    @property
    def other(self) -> Reading:
        """The first of the readings it is compared with."""
        return self.others[0]

    @cached_property
    def size_ratio(self) -> float:
        """How many times as large as theirs all that is marked is; 1 where either marked nothing."""
        own, others = self._sizes[0], float(np.mean(self._sizes[1]))
        return own / others if own and others else 1.0

    @cached_property
    def dice(self) -> float:
        """The mean Dice of all that is marked, whatever its class."""
        own, others, shared = self._sizes
        return float(
            np.mean([2 * both / (own + n) if own + n else 1.0 for n, both in zip(others, shared, strict=True)])
        )

    @cached_property
    def matched(self) -> tuple[tuple[float, str, str], ...]:
        """How alike, the other's class and the own class of each object that both marked."""
        match = self._match
        return tuple(
            (float(alike), self.other.shapes[second].label, self.own.shapes[first].label)
            for first, second, alike in zip(match.first, match.second, match.similarity, strict=True)
        )

    @property
    def n_missed(self) -> int:
        """How many of the other's objects the labeler did not mark."""
        return len(self._match.unmatched_second)

    @property
    def n_added(self) -> int:
        """How many objects the labeler marked where the other has none."""
        return len(self._match.unmatched_first)

    @cached_property
    def n_equal_points(self) -> tuple[int, str]:
        """Of the shapes that are the same in both, how many vertices (of masks: pixels) they have."""
        same = [own for own in self.own.shapes if any(_is_same(own, other) for other in self.other.shapes)]
        vertices = sum(len(region.points) for shape in same for region in shape.regions)
        voxels = sum(int(np.count_nonzero(shape.mask.voxels)) for shape in same if shape.mask is not None)
        return (vertices, "vertices") if vertices else (voxels, "pixels")

    @cached_property
    def _match(self) -> PairMatch:
        extents = Extents()

        def placed(reading: Reading) -> list[Extent]:
            sizes = [grid_size_of(shape.medium, self._every_shape, self.grids)[0] for shape in reading.shapes]
            return [extents.of(shape, size) for shape, size in zip(reading.shapes, sizes, strict=True)]

        table = similarity_table(placed(self.own), placed(self.other), self.grids, self.match_iou, Reach())
        return match_pair(table, self.match_iou)

    @cached_property
    def _sizes(self) -> tuple[float, list[float], list[float]]:
        """How many voxels the labeler marked, how many each other did, and how many both."""
        own, others, shared = 0.0, np.zeros(len(self.others)), np.zeros(len(self.others))
        extents = Extents()
        for medium in sorted({shape.medium for shape in self._every_shape}):
            size, _ = grid_size_of(medium, self._every_shape, self.grids)
            areas = [_area(reading, medium, size, extents) for reading in (self.own, *self.others)]
            both, n_own, n_others = mask_overlaps(areas[:1], areas[1:])
            own, others, shared = own + float(n_own[0]), others + n_others, shared + both[0]
        return own, others.tolist(), shared.tolist()

    @cached_property
    def _every_shape(self) -> tuple[Shape, ...]:
        return tuple(shape for reading in (self.own, *self.others) for shape in reading.shapes)


def compared(
    project: Project,
    labeler: Labeler,
    codes: Sequence[str],
    *,
    match_iou: float = 0.3,
    with_labeler: Labeler | None = None,
) -> list[Compared]:
    """The labeler's first reading of each of these items beside gold, else settled, else others; or beside one labeler's."""
    items = list(Item.objects.filter(project=project, code__in=codes).prefetch_related("media"))
    every = _first_submissions(items)
    asked = {item.code: item for item in items if (item.pk, labeler.pk) in every}
    if with_labeler is None:
        truths = _truths(project, list(asked.values()), every, labeler)
    else:
        truths = {
            item.pk: _Truth((f"s{every[item.pk, with_labeler.pk]}",), with_labeler.name)
            for item in asked.values()
            if (item.pk, with_labeler.pk) in every
        }
    own_keys = {item_id: f"s{pk}" for (item_id, labeler_id), pk in every.items() if labeler_id == labeler.pk}
    readings = _readings([*own_keys.values(), *(key for truth in truths.values() for key in truth.keys)])
    shown = [asked[code] for code in codes if code in asked and asked[code].pk in truths]
    return [
        Compared(
            own_key=own_keys[item.pk],
            own=readings[own_keys[item.pk]],
            other_keys=truth.keys,
            others=(truth.settled,) if truth.settled is not None else tuple(readings[key] for key in truth.keys),
            against=truth.against,
            grids=tuple(grid_of(medium) for medium in item.media.all()),
            match_iou=match_iou,
        )
        for item in shown
        for truth in [truths[item.pk]]
    ]


def places_in_session(project: Project, labeler: Labeler) -> dict[str, int]:
    """Which item of a session each item of the labeler was, from 1; a pause of half an hour begins a new session."""
    rows = Submission.objects.filter(assignment__item__project=project, assignment__labeler=labeler, version=1)
    rows = rows.exclude(pk__in=GoldReference.objects.filter(item__project=project).values("submission_id"))
    timed = sorted((at.timestamp(), code) for code, at in rows.values_list("assignment__item__code", "submitted_at"))
    session = sessions_of([at for at, _ in timed])
    first = {int(number): place for place, number in reversed(list(enumerate(session)))}
    return {code: place - first[int(session[place])] + 1 for place, (_, code) in enumerate(timed)}


def size_differences(project: Project, labeler: Labeler, codes: Sequence[str]) -> dict[str, float]:
    """By item, the greatest stored difference of sizes with gold, else with others; positive: the labeler's is larger."""
    rows = Score.objects.filter(
        item__project=project, item__code__in=codes, metric="volume-difference", value__isnull=False, replaced_at=None
    )
    own, pairs = {"first__assignment__labeler": labeler}, rows.filter(about=Score.About.PAIR)
    with_gold = _signed(rows.filter(about=Score.About.GOLD, **own), 1)
    return with_gold or _signed(pairs.filter(second__assignment__labeler=labeler), -1) | _signed(pairs.filter(**own), 1)


def _signed(rows: QuerySet[Score], sign: int) -> dict[str, float]:
    """The greatest value of each item, whatever its sign, times ``sign``."""
    found: dict[str, float] = {}
    for code, value in rows.values_list("item__code", "value"):
        if value is not None and abs(value) > abs(found.get(code, 0.0)):
            found[code] = sign * value
    return found


def _first_submissions(items: Iterable[Item]) -> dict[tuple[int, int], int]:
    """The first submission of each labeler of each item that was never gold."""
    rows = Submission.objects.filter(assignment__item__in=list(items))
    rows = rows.exclude(pk__in=GoldReference.objects.filter(item__in=list(items)).values("submission_id"))
    first: dict[tuple[int, int], int] = {}
    for item_id, labeler_id, pk in rows.order_by("version", "submitted_at", "pk").values_list(
        "assignment__item_id", "assignment__labeler_id", "pk"
    ):
        first.setdefault((item_id, labeler_id), pk)
    return first


@dataclass(frozen=True, slots=True)
class _Truth:
    """What an item's reading is compared with: layer keys, what they are called, and the settled reading if it is that."""

    keys: tuple[str, ...]
    against: str
    settled: Reading | None = None


def _truths(
    project: Project, asked: Sequence[Item], every: Mapping[tuple[int, int], int], labeler: Labeler
) -> dict[int, _Truth]:
    """Gold where an item has it, else its settled label, else the other readers; items with none of them are left out."""
    references = GoldReference.objects.filter(item__in=asked, retired_at=None)
    found = {row.item_id: _Truth((f"s{row.submission_id}",), "gold") for row in references}
    settlements = list(standing_settlements(project).filter(item__in=[item for item in asked if item.pk not in found]))
    for row, reading in zip(settlements, readings_of_settlements(settlements), strict=True):
        found[row.item_id] = _Truth((f"c{row.number}",), "the settled label", reading)
    others: dict[int, list[str]] = {}
    for (item_id, labeler_id), pk in every.items():
        if labeler_id != labeler.pk:
            others.setdefault(item_id, []).append(f"s{pk}")
    return {item_id: _Truth(tuple(keys), "the other readers") for item_id, keys in others.items()} | found


def _readings(keys: Iterable[str]) -> dict[str, Reading]:
    """The readings of submissions by layer key."""
    wanted = sorted({int(key[1:]) for key in keys if key.startswith("s")})
    rows = readings_of(Submission(pk=pk) for pk in wanted)
    return {f"s{pk}": reading for pk, reading in zip(wanted, rows, strict=True)}


def _area(reading: Reading, medium: int, size: Size, extents: Extents) -> PlacedMask:
    """All that a reading marks on one medium, whatever its class."""
    shapes = [shape for shape in reading.shapes if shape.medium == medium and draws_area(shape)]
    pieces = [mask for shape in shapes if (mask := extents.of(shape, size).mask) is not None]
    return union_of(pieces) if pieces else PlacedMask(np.zeros((1, 1, 1), dtype=np.bool_), (0, 0, 0))


def _is_same(first: Shape, second: Shape) -> bool:
    if (first.medium, first.label, len(first.regions)) != (second.medium, second.label, len(second.regions)):
        return False
    if first.mask is not None and second.mask is not None:
        return first.mask.origin == second.mask.origin and np.array_equal(first.mask.voxels, second.mask.voxels)
    if first.mask is not None or second.mask is not None:
        return False
    pairs = zip(first.regions, second.regions, strict=True)
    return all((one.z, one.kind) == (two.z, two.kind) and np.array_equal(one.points, two.points) for one, two in pairs)
