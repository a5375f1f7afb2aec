"""What comparing and merging one item's readings needs, loaded once: plain readings, grids, and the extents of shapes.

Scoring, the posterior and the merge look at the same shapes; each shape is read and filled once. Submissions never change,
so the newest readings are remembered between two steps of the same process, up to a bounded number of shapes and voxels.
Not here: any number.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.formats.shapes import Grid, Reading, Shape
from labelhub.projects.lineage import Translation
from labelhub.projects.selectors import translations_of
from labelhub.scoring.compare import Terms
from labelhub.scoring.extents import Extents, Known
from labelhub.scoring.versions import translated

# A reading with its filled shapes is remembered up to these totals; the one used longest ago goes first.
MOST_VOXELS = 64 << 20
MOST_SHAPES = 20_000

Key: TypeAlias = tuple[uuid.UUID, uuid.UUID]


class Loaded:
    """One item under one set of terms. Lives as long as one step."""

    def __init__(self, item: Item, terms: Terms) -> None:
        self.item, self.terms = item, terms
        self._readings: dict[int, Reading] = {}
        self._grids: list[Grid] | None = None
        self._translations: dict[int, Translation] | None = None
        self.extents = Extents()

    @property
    def grids(self) -> list[Grid]:
        """The grid of each medium of the item."""
        if self._grids is None:
            self._grids = [grid_of(medium) for medium in media_of(self.item)]
        return self._grids

    def readings(self, submissions: Sequence[Submission]) -> list[Reading]:
        """Return the submissions as plain readings, in their order; only those not yet known are read."""
        missing = [entry for entry in dict.fromkeys(submissions) if entry.pk not in self._readings]
        unknown: list[Submission] = []
        for submission in missing:
            found = _MEMORY.get(_key(submission))
            if found is None:
                unknown.append(submission)
            else:
                self._take(submission, found)
        for submission, reading in zip(unknown, readings_of(unknown) if unknown else [], strict=True):
            self._take(submission, _MEMORY.keep(_key(submission), reading))
        return [self._readings[entry.pk] for entry in submissions]

    def _take(self, submission: Submission, kept: _Kept) -> None:
        """Take a reading as it is, or as what it says under the present classes."""
        reading = kept.reading
        if self.terms.ontology and reading.ontology != self.terms.ontology:
            if self._translations is None:
                self._translations = translations_of(self.item.project)
            reading = translated(reading, self._translations)
        self._readings[submission.pk] = reading
        if reading.shapes is kept.reading.shapes:
            self.extents.keep_in(kept.extents, reading.shapes)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    reading: Reading
    n_voxels: int
    extents: Known = field(default_factory=dict)


class _Memory:
    """The readings used last, by :func:`_key`."""

    def __init__(self) -> None:
        self._rows: OrderedDict[Key, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._n_shapes = self._n_voxels = 0

    def get(self, key: Key) -> _Kept | None:
        with self._lock:
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
            return row

    def keep(self, key: Key, reading: Reading) -> _Kept:
        kept = _Kept(reading, sum(_n_voxels(shape) for shape in reading.shapes))
        with self._lock:
            if key in self._rows or kept.n_voxels > MOST_VOXELS or len(reading.shapes) > MOST_SHAPES:
                return kept
            self._rows[key] = kept
            self._n_shapes += len(reading.shapes)
            self._n_voxels += kept.n_voxels
            while self._n_shapes > MOST_SHAPES or self._n_voxels > MOST_VOXELS:
                _, dropped = self._rows.popitem(last=False)
                self._n_shapes -= len(dropped.reading.shapes)
                self._n_voxels -= dropped.n_voxels
        return kept


def forget_all() -> None:
    """Forget every remembered reading: for trials that empty the database and draw the same ids again."""
    global _MEMORY  # noqa: PLW0603 - the memory is the process's own
    _MEMORY = _Memory()


def _key(submission: Submission) -> Key:
    """The work and the request: a request's id alone is the client's, who may send it for several images.

    A row's number would not do: after a rollback another submission gets it.
    """
    return submission.assignment_id, submission.request_id


def _n_voxels(shape: Shape) -> int:
    """At most so many voxels does a shape hold once it is filled."""
    own = 0 if shape.mask is None else shape.mask.voxels.size
    for region in shape.regions:
        width, height = np.ptp(region.points, axis=0) if len(region.points) else (0.0, 0.0)
        own += int((width + 1) * (height + 1))
    return own


_MEMORY = _Memory()
