"""What everybody drew on one item, as layers to lay over the picture: readers, model, gold and the settled label.

Every layer is a plain ``Reading``. Hidden from annotators as a whole. Not here: painting (``web.overlays``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np

from labelhub.annotations.plain import readings_of
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.formats.shapes import Grid, Reading
from labelhub.numerics.disagreement import DisagreementMap, disagreement_map
from labelhub.numerics.geometry import PlacedMask
from labelhub.numerics.rasterise import union_of
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


def dispute_of(*, medium: int, grid: Grid, layers: tuple[Layer, ...]) -> DisagreementMap | None:
    """Return how divided the current readers are at each voxel of a medium; None with fewer than two of them.

    Where one calls an object by another class than the rest, its voxels are disputed too: each class is asked alone, and
    the greatest disagreement counts.
    """
    readings = [layer.reading for layer in layers if layer.kind == "reader"]
    labels = sorted({shape.label for reading in readings for shape in reading.shapes if shape.medium == medium})
    if len(readings) < 2 or not labels:
        return None
    maps = [disagreement_map([_area(reading, label, medium, grid) for reading in readings]) for label in labels]
    return reduce(_greatest, [found for found in maps if found.disagreement.size], None)


def _area(reading: Reading, label: str, medium: int, grid: Grid) -> PlacedMask:
    shapes = [one for one in reading.shapes if (one.medium, one.label) == (medium, label) and draws_area(one)]
    if not shapes:
        return PlacedMask(np.zeros((1, 1, 1), dtype=np.bool_), (0, 0, 0))
    extents = Extents()
    return union_of([extents.voxels_of(shape, grid.size) for shape in shapes])


def _greatest(first: DisagreementMap | None, second: DisagreementMap) -> DisagreementMap:
    """Return the greater disagreement of two maps at each voxel, in the box that holds both."""
    if first is None:
        return second
    both = (first, second)
    origin = np.min([one.origin for one in both], axis=0)
    end = np.max([np.add(one.origin, one.disagreement.shape) for one in both], axis=0)
    share, greatest = np.zeros(tuple(end - origin)), np.zeros(tuple(end - origin))
    for one in both:
        window = tuple(
            slice(start - low, start - low + length)
            for start, low, length in zip(one.origin, origin, one.disagreement.shape, strict=True)
        )
        share[window] = np.maximum(share[window], one.share)
        greatest[window] = np.maximum(greatest[window], one.disagreement)
    return DisagreementMap(share, greatest, tuple(int(low) for low in origin), second.n_raters)
