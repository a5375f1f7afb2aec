"""A small predictor without any training: smooth, threshold, clean, split into components. It stands in for a network.

Each class has its own settings (:class:`ClassSettings`); a class without settings is one the model does not know. The result
depends on pixels and settings alone. scipy is enough for all of it but the threshold, so scikit-image is imported on use:
it takes a third of a second that a web process need not pay.

References
----------
Otsu N (1979) A threshold selection method from gray-level histograms. IEEE Trans SMC 9:62-66.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.formats.shapes import Grid, Shape
from labelhub.predictions.objects import shapes_in
from labelhub.predictions.predictor import Seen
from labelhub.projects.errors import DomainError
from labelhub.projects.ontology import LabelClass, Ontology

NAME: Final = "classical-threshold"
VERSION: Final = "1"


class SettingsProblem(DomainError):
    """A parameter of the model is unknown or impossible."""

    code = "model-settings"


@dataclass(frozen=True, slots=True)
class ClassSettings:
    """How one class is found.

    ``polarity`` says whether the object is brighter or darker than what is around it. ``threshold`` is ``otsu`` (one for
    the medium), ``local`` (each pixel against its surroundings of ``window`` pixels, plus ``offset``) or ``value``.
    ``channel`` is one of a colour image, or -1 for the mean of all. Sizes are in pixels (voxels in a volume).
    """

    polarity: str = "bright"
    threshold: str = "otsu"
    value: float = 0.0
    offset: float = 0.0
    window: int = 51
    sigma: float = 1.0
    channel: int = -1
    min_size: int = 16
    max_size: int = 0
    fill_holes: bool = True


class ClassicalPredictor:
    """Finds each class of its settings by smoothing, thresholding and connected components; 2-D and 3-D alike."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.settings = {label: read_settings(label, entry) for label, entry in parameters.get("classes", {}).items()}

    def predict(self, pixels: NDArray[Any], grid: Grid, ontology: Ontology) -> Seen:
        """Say where each known class is. Masks for areas, boxes and points where the class is drawn so."""
        del grid
        shapes: list[Shape] = []
        confidences: dict[str, float] = {}
        known = [entry for entry in ontology.classes if entry.key in self.settings]
        for entry in known:
            for number, (shape, confidence) in enumerate(_find(pixels, entry, self.settings[entry.key]), start=1):
                named = Shape(f"{entry.key[:40]}-{number}", entry.key, shape.regions, shape.mask, source="model")
                shapes.append(named)
                confidences[named.shape_id] = confidence
        return Seen(tuple(shapes), confidences, asked_labels=tuple(entry.key for entry in known))


def read_settings(label: str, entry: Mapping[str, Any]) -> ClassSettings:
    """Return the settings in a document. Raises :class:`SettingsProblem` naming what is wrong."""
    known = {field.name for field in fields(ClassSettings)}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise SettingsProblem(
            f"Class {label!r}: unknown settings {', '.join(unknown)}. Known: {', '.join(sorted(known))}."
        )
    settings = ClassSettings(**entry)
    for name, allowed in (("polarity", ("bright", "dark")), ("threshold", ("otsu", "local", "value"))):
        if getattr(settings, name) not in allowed:
            raise SettingsProblem(
                f"Class {label!r}: {name} is {getattr(settings, name)!r}; allowed: {', '.join(allowed)}."
            )
    if settings.sigma < 0 or settings.window < 3 or settings.min_size < 1:
        raise SettingsProblem(f"Class {label!r}: sigma is at least 0, window at least 3, min_size at least 1.")
    return settings


def _find(pixels: NDArray[Any], entry: LabelClass, settings: ClassSettings) -> list[tuple[Shape, float]]:
    values = _smoothed(pixels, settings)
    limit = _threshold(values, settings)
    mask = values > limit
    if settings.fill_holes:
        mask = np.stack([ndimage.binary_fill_holes(plane) for plane in mask])
    # How far above the threshold an object lies, against the spread of the whole picture.
    excess = np.abs(values - limit) / (float(values.std()) or 1.0)
    found = shapes_in(
        mask, entry, lambda box, own: _confidence(excess[box][own]), min_size=settings.min_size, max_size=settings.max_size
    )  # fmt: skip
    return [(shape, confidence) for shape, confidence, _, _ in found]


def _smoothed(pixels: NDArray[Any], settings: ClassSettings) -> NDArray[np.float32]:
    values = pixels.astype(np.float32)
    if values.ndim == 4:
        values = (
            values.mean(axis=3) if settings.channel < 0 else values[..., min(settings.channel, values.shape[3] - 1)]
        )
    if settings.sigma > 0:
        depth = settings.sigma if values.shape[0] > 1 else 0.0
        values = ndimage.gaussian_filter(values, sigma=(depth, settings.sigma, settings.sigma))
    return -values if settings.polarity == "dark" else values


def _threshold(values: NDArray[np.float32], settings: ClassSettings) -> Any:
    if settings.threshold == "value":
        return -settings.value if settings.polarity == "dark" else settings.value
    if settings.threshold == "local":
        depth = settings.window if values.shape[0] > 1 else 1
        around = ndimage.uniform_filter(values, size=(min(depth, values.shape[0]), settings.window, settings.window))
        return around + settings.offset
    if float(values.min()) == float(values.max()):
        return float("inf")
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values)) + settings.offset


def _confidence(excess: NDArray[np.float32]) -> float:
    """From 0 (on the threshold) towards 1 (far above it); a rank, not a probability."""
    return float(1.0 - np.exp(-float(excess.mean())))
