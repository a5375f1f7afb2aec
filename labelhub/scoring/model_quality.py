"""How believable a reading's masks are to a model that kept its probabilities: a quality for each class, and where it objects.

A pixel's number is the probability of what the reading says of it: of the class inside its area, of anything else outside. The
quality is their softmin; the model *objects* where that number is below a tenth, and is in *doubt* where it is between a tenth
and nine tenths. Objection and doubt are different things: the first asks for a look at the label, the second for more labels.
Not here: the similarity of shapes (``compare``), and what follows (``routing``).

References
----------
Lad V, Mueller J (2023) Estimating label quality and errors in semantic segmentation data via any model. arXiv 2307.05080.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.shapes import Grid, Reading
from labelhub.numerics import label_quality
from labelhub.numerics.label_quality import softmin_score, suspect_regions
from labelhub.numerics.rasterise import on_grid, union_of
from labelhub.predictions.predictor import PixelMap
from labelhub.scoring.extents import Extents, draws_area

METHOD, VERSION = label_quality.METHOD, label_quality.VERSION
QUALITY, OBJECTED, DOUBTED = "label-quality", "objected", "doubted"
# What the model holds a drawn place to be: ``label`` is "given>held", held empty for background.
HELD_TO_BE = "held-to-be"
# Below this probability of the given label the model objects; from here to its complement it is in doubt.
OBJECTS_BELOW: Final = 0.1
# Of what it objects to, pieces of fewer voxels are left out.
LEAST_VOXELS: Final = 10


@dataclass(frozen=True, slots=True)
class Objection:
    """A connected place where the model gives the reading's label less than a tenth.

    ``size`` is in the unit of its class quality; ``box`` is ``((z0, z1), (y0, y1), (x0, x1))`` in voxels, ends excluded.
    """

    medium: int
    n_voxels: int
    size: float
    weight: float
    box: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """One class of a reading beside a model: its softmin quality (NaN: the model kept no map of it), and where it objects.

    ``objected`` and ``doubted`` are sizes in ``unit`` (mm², mm³, or px where the spacing is not known).
    """

    label: str
    quality: float
    n_voxels: int
    objected: float
    doubted: float
    unit: str
    objections: tuple[Objection, ...]


def qualities(
    reading: Reading, maps: Mapping[int, Sequence[PixelMap]], grids: Sequence[Grid], extents: Extents | None = None
) -> tuple[ClassQuality, ...]:
    """Return the quality of each class that the reading was asked for and the model kept a map of.

    ``maps`` are by medium. Of several media the worst quality counts; sizes are added up.
    """
    known = extents if extents is not None else Extents()
    labels = sorted({entry.label for own in maps.values() for entry in own if entry.kind == "probability"})
    asked = [label for label in labels if reading.asked_labels is None or label in reading.asked_labels]
    found = []
    for label in asked:
        parts = [
            _on_medium(reading, label, medium, entry, grids[medium], known)
            for medium, own in maps.items()
            for entry in own
            if entry.kind == "probability" and entry.label == label and medium < len(grids)
        ]
        if parts:
            found.append(_together(label, parts))
    return tuple(found)


def beliefs(
    reading: Reading, maps: Mapping[int, Sequence[PixelMap]], grids: Sequence[Grid], extents: Extents | None = None
) -> dict[tuple[str, str], float]:
    """Return for each class that the reading drew what the model holds that place to be: mean probabilities, by (given, held).

    The rest, up to 1, is held for background, under the empty name. Of several places and media their mean over voxels.
    """
    known = extents if extents is not None else Extents()
    sums: dict[tuple[str, str], float] = {}
    counts: dict[str, int] = {}
    for medium, own in maps.items():
        likely = {entry.label: entry.values for entry in own if entry.kind == "probability"}
        if not likely or medium >= len(grids):
            continue
        size = next(iter(likely.values())).shape
        for given in {shape.label for shape in reading.shapes if shape.medium == medium and shape.label in likely}:
            drawn = [s for s in reading.shapes if s.label == given and s.medium == medium and draws_area(s)]
            inside = on_grid(union_of([known.voxels_of(shape, grids[medium].size) for shape in drawn]), size)
            n = int(np.count_nonzero(inside)) if drawn else 0
            if not n:
                continue
            counts[given] = counts.get(given, 0) + n
            for held, values in likely.items():
                sums[given, held] = sums.get((given, held), 0.0) + float(values[inside].sum()) / 255.0
    found = {key: total / counts[key[0]] for key, total in sums.items()}
    for given in counts:
        classes = sum(value for (one, _), value in found.items() if one == given)
        found[given, ""] = max(0.0, 1.0 - classes)
    return found


def worst(found: Sequence[ClassQuality]) -> float | None:
    """Return the lowest quality of the classes; None where there is none."""
    values = [entry.quality for entry in found if not math.isnan(entry.quality)]
    return min(values, default=None)


def _on_medium(
    reading: Reading, label: str, medium: int, entry: PixelMap, grid: Grid, extents: Extents
) -> ClassQuality:
    given = _given_probability(reading, label, medium, entry, grid, extents)
    voxel, unit = _voxel(grid)
    suspects = suspect_regions(given, below=OBJECTS_BELOW, min_voxels=LEAST_VOXELS)
    objections = tuple(
        Objection(
            medium, region.n_voxels, region.n_voxels * voxel, region.doubt,
            tuple((int(part.start), int(part.stop)) for part in region.box),
        )
        for region in suspects.regions
    )  # fmt: skip
    n_doubted = int(np.count_nonzero((given >= OBJECTS_BELOW) & (given <= 1 - OBJECTS_BELOW)))
    return ClassQuality(
        label, softmin_score(given), given.size, float(np.count_nonzero(suspects.map)) * voxel, n_doubted * voxel, unit,
        objections,
    )  # fmt: skip


def _given_probability(
    reading: Reading, label: str, medium: int, entry: PixelMap, grid: Grid, extents: Extents
) -> NDArray[np.float64]:
    """The probability of what the reading says, voxel by voxel."""
    drawn = [shape for shape in reading.shapes if shape.label == label and shape.medium == medium and draws_area(shape)]
    likely = entry.values.astype(np.float64) / 255.0 * entry.most
    if not drawn:
        return 1.0 - likely
    inside = on_grid(union_of([extents.voxels_of(shape, grid.size) for shape in drawn]), entry.values.shape)
    return np.where(inside, likely, 1.0 - likely)


def _together(label: str, parts: Sequence[ClassQuality]) -> ClassQuality:
    return ClassQuality(
        label, min(part.quality for part in parts), sum(part.n_voxels for part in parts),
        sum(part.objected for part in parts), sum(part.doubted for part in parts), parts[0].unit,
        tuple(sorted((one for part in parts for one in part.objections), key=lambda one: -one.weight)),
    )  # fmt: skip


def _voxel(grid: Grid) -> tuple[float, str]:
    if grid.spacing_mm is None:
        return 1.0, "px"
    z, y, x = grid.spacing_mm
    return (z * y * x, "mm³") if grid.size[0] > 1 else (y * x, "mm²")
