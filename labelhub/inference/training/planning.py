"""What a training will do, decided from the labels before anything is learned: classes, spacing, network, folds.

A plan is a document, so that a training whose worker died goes on with the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.inference.training.cases import IGNORED, Label
from labelhub.inference.training.folds import grouped_folds
from labelhub.predictions.architectures import Design, design_of
from labelhub.predictions.preparation import Preparation, read_preparation
from labelhub.predictions.sizing import DataShape, sized_to
from labelhub.predictions.training_settings import TrainingRefused, TrainingSettings

# A map of fewer pixels than this is no object that a person would draw.
_LEAST_PIXELS = {2: 10, 3: 30}


@dataclass(frozen=True, slots=True)
class Plan:
    """Classes that are learned, the network with its patch, how pixels are prepared, and who is held out in which fold."""

    classes: tuple[str, ...]
    design: Design
    patch: tuple[int, ...]
    preparation: Preparation
    fold_of: Mapping[int, int]
    n_groups: int

    @property
    def n_folds(self) -> int:
        """How many folds there are; none where all labels are of one group."""
        return len(set(self.fold_of.values())) if self.n_groups > 1 else 0

    @property
    def outputs(self) -> list[str]:
        """What each map of the network means: the ground first."""
        return ["", *self.classes]

    def to_document(self) -> dict[str, Any]:
        """Return the plan as a JSON-ready dictionary, which :func:`read_plan` reads back."""
        return {
            "classes": list(self.classes), "design": self.design.to_document(), "patch": list(self.patch),
            "preparation": self.preparation.to_document(), "n_groups": self.n_groups,
            "fold_of": {str(item): fold for item, fold in self.fold_of.items()},
        }  # fmt: skip


def make_plan(labels: Sequence[Label], candidates: Sequence[str], settings: TrainingSettings) -> Plan:
    """Return what is to be done with these labels. Raises :class:`TrainingRefused` where nothing can be learned from them."""
    present = set().union(*(label.present for label in labels)) if labels else set()
    classes = tuple(key for number, key in enumerate(candidates, start=1) if number in present)
    if not classes:
        raise TrainingRefused(
            "No label of the release holds an area of a class that is to be learned, on pixels that are here. Nothing was "
            "trained. Settle items with such labels, make a new release, and start again."
        )
    depths = {label.grid.size[0] > 1 for label in labels}
    if depths == {True, False}:
        raise TrainingRefused("The release mixes pictures and volumes. Nothing was trained. Release them apart.")
    spacing = _spacing(labels)
    sizes = np.array([label.grid.size for label in labels], dtype=np.float64)
    if spacing is not None:
        sizes *= np.array([label.grid.spacing_mm for label in labels], dtype=np.float64) / np.array(spacing)
    median = np.maximum(1, np.rint(np.median(sizes, axis=0))).astype(int)
    shape = DataShape((int(median[0]), int(median[1]), int(median[2])), spacing, channels(labels), len(classes))
    sized = sized_to(shape, effort=settings.sizing, dropout=settings.dropout, network=settings.architecture)
    preparation = Preparation(
        spacing_mm=spacing, patch=sized.patch, overlap=0.25, flips=settings.flips and sized.design.dimensions == 2,
        least_pixels=_LEAST_PIXELS[sized.design.dimensions],
        dropout_passes=settings.dropout_passes if settings.dropout else 0,
    )  # fmt: skip
    groups = {label.item: label.group for label in labels}
    items = sorted(groups)
    folds = grouped_folds([groups[item] for item in items], settings.folds, rng=np.random.default_rng(settings.seed))
    return Plan(
        classes, sized.design, sized.patch, preparation, dict(zip(items, folds, strict=True)), len(set(groups.values()))
    )


def read_plan(document: Mapping[str, Any]) -> Plan:
    """Return a stored plan."""
    return Plan(
        tuple(document["classes"]), design_of(document["design"]), tuple(document["patch"]),
        read_preparation(document["preparation"]),
        {int(item): int(fold) for item, fold in document["fold_of"].items()}, int(document["n_groups"]),
    )  # fmt: skip


def renumbered(candidates: Sequence[str], classes: Sequence[str]) -> NDArray[np.uint8]:
    """Return, for each value of a label map over ``candidates``, its value over ``classes``; others become the ground."""
    numbers = np.zeros(256, dtype=np.uint8)
    for number, key in enumerate(candidates, start=1):
        numbers[number] = classes.index(key) + 1 if key in classes else 0
    numbers[IGNORED] = IGNORED
    return numbers


def channels(labels: Sequence[Label]) -> int:
    """Colour where all pictures have it, else grey."""
    return 3 if all(label.medium.channels >= 3 for label in labels) else 1


def _spacing(labels: Sequence[Label]) -> tuple[float, float, float] | None:
    """The median spacing of volumes whose spacing is known; pictures are taken as they are."""
    known = [label.grid.spacing_mm for label in labels if label.grid.spacing_mm is not None]
    if len(known) < len(labels) or labels[0].grid.size[0] == 1:
        return None
    z, y, x = np.median(np.array(known, dtype=np.float64), axis=0).tolist()
    return (z, y, x)
