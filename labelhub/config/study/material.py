"""Real images and masks that studies work on: cuts of pictures in installed packages, and volumes where they are at hand.

A volume that is absent is left out with a reason: nothing that the product needs lies there. Not here: what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelhub.config.demo.cutting import Cut, chosen_cuts
from labelhub.config.demo.pictures import Picture, parents
from labelhub.config.study.pixel_model import filters
from labelhub.numerics.results import BoolArray, FloatArray, IntArray

MARGIN = 8
LEAST_VOXELS = 30
CROP_PX, CROPS_A_PICTURE = 48, 24


@dataclass(frozen=True, slots=True, eq=False)
class TrueMask:
    """A true outline: ``mask[y, x]`` or ``[z, y, x]`` (planes first), and the person or picture that it comes from."""

    name: str
    mask: BoolArray
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class MaskSet:
    """Masks of one kind; ``group_unit`` says what may be taken as independent, ``says`` where they come from."""

    name: str
    says: str
    group_unit: str
    masks: tuple[TrueMask, ...]


@lru_cache(maxsize=1)
def all_parents() -> tuple[Picture, ...]:
    """The pictures of the installed packages, read once."""
    return tuple(parents())


@lru_cache(maxsize=4)
def demo_cuts(count: int, most_parents: int = 99) -> tuple[Cut, ...]:
    """Cuts of these pictures around one structure each, outlined by thresholding; the same for the same arguments."""
    return tuple(chosen_cuts(all_parents()[:most_parents], count, np.random.default_rng(0)))


def mask_sets(volumes: Path, *, is_short: bool = False) -> tuple[list[MaskSet], list[str]]:
    """All sets of masks at hand, small ones first, and why others are left out."""
    cuts = demo_cuts(16, 5) if is_short else demo_cuts(120)
    most_volumes = 1 if is_short else 99
    masks = tuple(TrueMask(f"cut {number}", cut.mask, cut.parent) for number, cut in enumerate(cuts))
    sets = [MaskSet("structures in pictures", f"{len(cuts)} cuts of 64 x 64 px from pictures of the installed packages, "
                    "outlines by thresholding", "pictures", masks)]  # fmt: skip
    left_out = []
    lesions = list(_open_ms(volumes))[:most_volumes]
    if lesions:
        says = (
            f"multiple sclerosis lesions of {len(lesions)} people, consensus of readers, all of a brain as one 3-D item"
        )
        sets.append(MaskSet("lesions of the brain", says, "people", tuple(lesions)))
    else:
        left_out.append(f"lesions of the brain: {volumes} is not there")
    organs = list(_one_label(volumes / "niivue" / "torsoLabel.nii.gz", tuple(range(1, 12)), "torso"))[:most_volumes]
    if organs:
        # All organs are of one person: an interval over them says how organs differ, not people.
        organs = [TrueMask(one.name, one.mask, one.name) for one in organs]
        says = f"{len(organs)} organs of one torso, computed tomography, 3-D, planes 5 mm apart"
        sets.append(MaskSet("organs of a torso", says, "organs", tuple(organs)))
    else:
        left_out.append(f"organs of a torso: {volumes} is not there")
    return sets, left_out


def _open_ms(volumes: Path) -> Iterator[TrueMask]:
    for path in sorted((volumes / "open_ms").glob("xs_*/consensus_gt.nii.gz")):
        found = _cut_out(_canonical(path) > 0.5)
        if found is not None:
            yield TrueMask(f"lesions of {path.parent.name}", found, path.parent.name)


def _one_label(path: Path, labels: tuple[int, ...], name: str) -> Iterator[TrueMask]:
    if path.exists():
        values = _canonical(path)
        for label in labels:
            found = _cut_out(values == label)
            if found is not None:
                yield TrueMask(f"{name} {label}", found, name)


def _canonical(path: Path) -> NDArray[Any]:
    """The values as ``[z, y, x]``, axial planes first."""
    image: Any = nibabel.as_closest_canonical(nibabel.load(path))
    return np.ascontiguousarray(np.asarray(image.dataobj).transpose(2, 1, 0))


def _cut_out(mask: NDArray[Any]) -> BoolArray | None:
    """The mask with a little around it in each plane: empty planes and air cost time and change nothing."""
    if int(mask.sum()) < LEAST_VOXELS:
        return None
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    inner = np.asarray(mask[box], dtype=bool)
    return np.pad(inner, ((2, 2), (MARGIN, MARGIN), (MARGIN, MARGIN)))


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Real items with known truth: for classes their ``looks[item, feature]``, for masks ``images`` and ``masks``."""

    looks: FloatArray
    classes: IntArray
    images: FloatArray
    masks: BoolArray


def real_items(*, is_short: bool) -> Items:
    """Crops whose class is the picture that they are of, and cuts with masks: truth that needs no reader."""
    pictures = [one for one in all_parents() if min(one.pixels.shape[:2]) >= 4 * CROP_PX]
    pictures = pictures[:4] if is_short else pictures
    looks, classes = [], []
    for number, picture in enumerate(pictures):
        grey = (picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., 1]).astype(np.float64)
        corners = [(y, x) for y in range(0, grey.shape[0] - CROP_PX + 1, CROP_PX)
                   for x in range(0, grey.shape[1] - CROP_PX + 1, CROP_PX)]  # fmt: skip
        rng = np.random.default_rng([17, number])
        for place in rng.permutation(len(corners))[: 8 if is_short else CROPS_A_PICTURE]:
            y, x = corners[place]
            looks.append(look_of(grey[y : y + CROP_PX, x : x + CROP_PX]))
            classes.append(number)
    table_ = np.array(looks)
    spread = table_.std(axis=0)
    cuts = demo_cuts(24, 5) if is_short else demo_cuts(160)
    greys = np.stack([(cut.pixels if cut.pixels.ndim == 2 else cut.pixels[..., 1]).astype(float) for cut in cuts])
    scaled = (table_ - table_.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return Items(scaled, np.array(classes), greys, np.stack([cut.mask for cut in cuts]))


def look_of(crop: FloatArray) -> FloatArray:
    """What a crop looks like in few numbers: brightness, contrast, and how much each filter answers."""
    answers = filters(crop)[..., :-1].reshape(crop.size, -1)
    return np.array([crop.mean(), crop.std(), *answers.std(axis=0), *np.abs(answers).mean(axis=0),
                     *np.percentile(answers, 95, axis=0)])  # fmt: skip
