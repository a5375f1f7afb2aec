"""What everybody drew on one item, as layers to lay over the picture: readers, model, gold and the settled label.

Every layer is a plain ``Reading``. Hidden from annotators as a whole. Not here: painting (``web.overlays``).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labelhub.annotations.plain import readings_of
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.formats.shapes import Grid, Reading
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.object_merge import vote_map
from labelhub.numerics.rasterise import union_of
from labelhub.numerics.results import FloatArray
from labelhub.predictions.plain import reading_of as reading_of_prediction
from labelhub.predictions.selectors import newest_prediction
from labelhub.projects.permissions import NotFound
from labelhub.scoring.extents import Extents, draws_area
from labelhub.scoring.models import GoldReference
from labelhub.scoring.reads import reads_of

Kind = Literal["reader", "gold", "model", "settled", "earlier"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One set of shapes with whose it is. ``key`` names it in addresses."""

    key: str
    kind: Kind
    name: str
    reading: Reading


def layers_of(item: Item) -> tuple[Layer, ...]:
    """Return the item's layers: current readers in their order, then gold, model, settled label, and earlier versions."""
    gold = GoldReference.objects.filter(item=item, retired_at=None).select_related("submission").first()
    reads = reads_of(item)
    current = list(reads.current)
    extra = [gold.submission] if gold is not None else []
    known = {submission.pk for submission in (*current, *extra)}
    earlier = [submission for submission in reads.every if submission.pk not in known]
    readings = readings_of([*current, *extra, *earlier])
    layers = [
        Layer(f"s{submission.pk}", "reader", submission.assignment.labeler.name, reading)
        for submission, reading in zip(current, readings, strict=False)
    ]
    if gold is not None:
        layers.append(Layer(f"s{gold.submission_id}", "gold", "Gold", readings[len(current)]))
    prediction = newest_prediction(item)
    if prediction is not None:
        layers.append(Layer(f"m{prediction.pk}", "model", prediction.model.name, reading_of_prediction(prediction)))
    settlement = current_settlement(item)
    if settlement is not None:
        settled = readings_of_settlements([settlement])[0]
        layers.append(Layer(f"c{settlement.number}", "settled", "Settled label", settled))
    for submission, reading in zip(earlier, readings[len(known) :], strict=True):
        name = f"{submission.assignment.labeler.name}, version {submission.version}"
        layers.append(Layer(f"s{submission.pk}", "earlier", name, reading))
    return tuple(layers)


def layer_named(item: Item, key: str) -> Layer:
    """Return one layer of the item. Raises ``NotFound``."""
    layer = next((layer for layer in layers_of(item) if layer.key == key), None)
    if layer is None:
        raise NotFound("This item has no such layer any more. Load the page again.")
    return layer


@dataclass(frozen=True, slots=True, eq=False)
class Dispute:
    """How divided the current readers are at each voxel of a medium: of each class its ``votes`` and where these begin.

    Where one calls an object by another class than the rest, its voxels are disputed too: each class is asked alone, and
    the greatest disagreement counts.
    """

    votes: tuple[tuple[NDArray[np.unsignedinteger], tuple[int, ...]], ...]
    n_readers: int

    @property
    def divided(self) -> FloatArray:
        """``4 p (1 - p)`` by how many voted for it: 0 where all are alike, 1 where half stand against half."""
        share = np.arange(self.n_readers + 1) / self.n_readers
        return 4 * share * (1 - share)

    def by_plane(self) -> dict[int, float]:
        """The disagreement on each plane that somebody marked, all classes added up, in voxels."""
        found: dict[int, float] = {}
        for votes, (first, *_) in self.votes:
            for count in range(1, self.n_readers):
                n_voxels = np.count_nonzero(votes == count, axis=(1, 2)) * self.divided[count]
                for z, n in enumerate(n_voxels.tolist(), start=first):
                    found[z] = found.get(z, 0.0) + n
        return found

    def worst(self) -> tuple[float, int]:
        """The greatest disagreement of a plane, and the first plane that has it; 0 where all readers agree."""
        most, z = max(((n, -z) for z, n in self.by_plane().items()), default=(0.0, 0))
        return most, -z

    def heat(self, z: int, step: int = 1) -> tuple[FloatArray, tuple[int, int]] | None:
        """The disagreement on plane ``z`` from 0 to 1, and its first row and column; None where nobody marked it.

        With a ``step`` one number stands for so many rows and columns, the greatest in them.
        """
        here = [(v[z - low[0]], low[1:]) for v, low in self.votes if 0 <= z - low[0] < len(v)]
        if not here:
            return None
        top, left = np.min([low for _, low in here], axis=0).tolist()
        bottom, right = np.max([np.add(low, votes.shape) for votes, low in here], axis=0).tolist()
        # p (1 - p) in whole numbers until the end: those for plus those against, multiplied.
        most = np.zeros((-(-(bottom - top) // step), -(-(right - left) // step)), dtype=np.uint32)
        for votes, (y, x) in here:
            columns = _blocks(x - left, votes.shape[1], step)
            across = slice(columns[0][0], columns[-1][0] + 1)
            # A step larger than one is that of a large picture, which is not held a second time in a wider type.
            bands = [(y - top, slice(None))] if step == 1 else _blocks(y - top, votes.shape[0], step)
            for block, rows in bands:
                divided = np.multiply(votes[rows], self.n_readers - votes[rows], dtype=np.uint32)
                if step > 1:
                    starts = [own.start for _, own in columns]
                    divided = np.maximum.reduceat(divided.max(axis=0, keepdims=True), starts, axis=1)
                part = most[block : block + divided.shape[0], across]
                np.maximum(part, divided, out=part)
        return most * (4 / self.n_readers**2), (top, left)


def dispute_of(*, medium: int, grid: Grid, layers: tuple[Layer, ...]) -> Dispute | None:
    """Return how divided the current readers are on a medium; None with fewer than two of them, or where nothing is marked."""
    readings = [layer.reading for layer in layers if layer.kind == "reader"]
    labels = sorted({shape.label for reading in readings for shape in reading.shapes if shape.medium == medium})
    if len(readings) < 2 or not labels:
        return None
    found = [vote_map([_area(reading, label, medium, grid) for reading in readings]) for label in labels]
    found = [(votes, origin) for votes, origin in found if votes.size]
    return Dispute(tuple(found), len(readings)) if found else None


def _blocks(start: int, n: int, step: int) -> list[tuple[int, slice]]:
    """The blocks of ``step`` in which ``n`` places from ``start`` on lie: the number of each, and which of the places."""
    edges = [0, *range(step - start % step, n, step), n]
    return [((start + low) // step, slice(low, high)) for low, high in itertools.pairwise(edges)]


def _area(reading: Reading, label: str, medium: int, grid: Grid) -> PlacedMask:
    shapes = [one for one in reading.shapes if (one.medium, one.label) == (medium, label) and draws_area(one)]
    if not shapes:
        return PlacedMask(np.zeros((1, 1, 1), dtype=np.bool_), (0, 0, 0))
    extents = Extents()
    return union_of([extents.voxels_of(shape, grid.size) for shape in shapes])
