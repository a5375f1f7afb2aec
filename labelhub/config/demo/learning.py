"""What the demo's network learns from: settled volumes made of the one real brain, their release, and a wrong label after it.

A mirrored, turned and stretched brain is another volume, not another person; each counts as a subject of its own here only so
that something can be held out, and the project's description says so. Two readers then agree on a label that lacks half a
brain: it is settled by their vote, and comes to a reviewer once the trained network has seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.accounts.models import User
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.config.demo.pictures import brain_volumes
from labelhub.formats.shapes import Grid, MaskRegion, Reading, Shape
from labelhub.projects.models import Project
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle
from labelhub.workflow.training_models import start_training

ACTOR: Final = "demo"
# Enough for a brain that stands out from its ground, and about two minutes of two cores.
SETTINGS: Final = {"folds": 2, "epochs": 6, "steps": 6, "patience": 3}


@dataclass(frozen=True, slots=True)
class Made:
    """How a volume is made of the real one: its time point, mirrored or not, turned in the plane, stretched."""

    time: int
    is_mirrored: bool
    turned_deg: float
    stretched: float


LEARNED: Final = (
    Made(time=0, is_mirrored=True, turned_deg=4.0, stretched=1.0),
    Made(time=1, is_mirrored=False, turned_deg=-6.0, stretched=0.95),
    Made(time=0, is_mirrored=False, turned_deg=8.0, stretched=1.05),
    Made(time=1, is_mirrored=True, turned_deg=0.0, stretched=0.92),
)
WRONG: Final = Made(time=1, is_mirrored=True, turned_deg=-3.0, stretched=1.03)


def set_training(project: Project, people: Mapping[str, User], progress: Callable[[int, int, str], None]) -> None:
    """Make the volumes, have them settled and released, start the training, and settle one label that is wrong."""
    total = len(LEARNED) + 1
    for number, made in enumerate(LEARNED, start=1):
        _settled(project, people, made, f"made-{number}", is_wrong=False)
        progress(number, total, "volumes to learn from")
    release = lifecycle.release(
        project=project, formats=["nifti"], note="What the network learns from", by=people["ada"]
    )
    start_training(project=project, release=release, by=people["ada"], settings=SETTINGS)
    _settled(project, people, WRONG, f"made-{total}", is_wrong=True)
    progress(total, total, "volumes to learn from")


def _settled(project: Project, people: Mapping[str, User], made: Made, name: str, *, is_wrong: bool) -> Item:
    pixels, grid = _volume(made)
    low, high = (float(value) for value in np.percentile(pixels, (1, 99.5)))
    item = add_volume(
        project=project, pixels=pixels, grid=grid, window=((low + high) / 2, high - low),
        identity=ItemIdentity(subject=name, study="made of the real volume"), source_id=name, actor=ACTOR,
    )  # fmt: skip
    brain = brain_mask(pixels)
    if is_wrong:
        brain[brain.shape[0] // 2 :] = False
    for username, margin in (("elena", 0), ("omar", 1)):
        reading = mask_reading(brain, item.code, username, margin)
        lifecycle.record_reading(item=item, labeler=labeler_of(people[username], project), reading=reading)
    return item


def _volume(made: Made) -> tuple[NDArray[np.int16], Grid]:
    pixels, grid = brain_volumes()[made.time]
    values = pixels[:, :, ::-1] if made.is_mirrored else pixels
    turned = ndimage.rotate(values, made.turned_deg, axes=(1, 2), reshape=False, order=1, mode="nearest")
    centre = (np.array(turned.shape[1:]) - 1) / 2
    matrix = np.eye(2) / made.stretched
    planes = [
        ndimage.affine_transform(plane, matrix, offset=centre - matrix @ centre, order=1, mode="nearest")
        for plane in turned
    ]
    return np.ascontiguousarray(np.stack(planes).astype(np.int16)), grid


def brain_mask(pixels: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return the brain by smoothing, thresholding and the largest part: what the simulated readers paint around."""
    from skimage.filters import threshold_otsu

    values = ndimage.gaussian_filter(pixels.astype(np.float64), 1.0)
    inside = ndimage.binary_opening(values > threshold_otsu(values), iterations=2)
    components, count = ndimage.label(inside)
    if count == 0:
        return np.asarray(inside)
    sizes = np.bincount(components.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(components == int(sizes.argmax())))


def mask_reading(brain: NDArray[np.bool_], item: str, rater: str, margin: int) -> Reading:
    """Return a reading that paints the brain, ``margin`` voxels too far out."""
    mask = ndimage.binary_dilation(brain, iterations=margin) if margin else brain
    shape = Shape(shape_id=f"{rater}-brain", label="brain", mask=MaskRegion(np.asarray(mask)))
    return Reading(item=item, rater=rater, shapes=(shape,), read_kind="independent", planned_blind=True)
