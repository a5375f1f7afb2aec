"""The real pictures of the demo, read from packages that are installed anyway: nothing is downloaded.

Each picture is a parent: the small items are cut from it, and it is their group, because cuts of one picture are not
independent. Licences: the pictures are in the public domain or free to use, as the packages' own notes say.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image

from labelhub.formats.pixels.geometry import canonical_volume
from labelhub.formats.shapes import Grid

# File in scikit-image's data folder, and what it shows.
PHOTOGRAPHS = (
    ("ihc.png", "colon tissue, stained"),
    ("retina.jpg", "retina"),
    ("hubble_deep_field.jpg", "deep field of galaxies"),
    ("coins.png", "ancient coins"),
    ("moon.png", "surface of the Moon"),
    ("chelsea.png", "a cat"),
    ("astronaut.png", "an astronaut"),
    ("motorcycle_left.png", "a motorcycle"),
    ("rocket.jpg", "a rocket"),
    ("gravel.png", "gravel"),
    ("coffee.png", "a cup of coffee"),
)
# File among pydicom's samples, and what it shows.
DICOM = (
    ("693_J2KI.dcm", "computed tomography"),
    ("J2K_pixelrep_mismatch.dcm", "computed tomography"),
    ("examples_overlay.dcm", "magnetic resonance"),
    ("examples_jpeg2k.dcm", "ultrasound"),
)
# Texts and rulers that the ultrasound machine burned into the picture are cut away: rows, columns kept.
KEPT = {"examples_jpeg2k.dcm": (slice(96, 400), slice(70, 560))}
MAX_SIDE_PX = 1200
BRAIN = "example4d.nii.gz"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A parent picture: ``pixels[y, x]`` or ``[y, x, 3]``, uint8."""

    name: str
    shows: str
    pixels: NDArray[np.uint8]


def parents() -> Iterator[Picture]:
    """Yield the parent pictures in a fixed order; a package that no longer ships one leaves it out."""
    folder = files("skimage") / "data"
    for name, shows in PHOTOGRAPHS:
        source = folder / name
        if source.is_file():
            image = Image.open(BytesIO(source.read_bytes()))
            pixels = np.asarray(image.convert("L" if image.mode in {"1", "L", "P"} else "RGB"))
            step = 2 if max(pixels.shape) > MAX_SIDE_PX else 1
            yield Picture(name, shows, np.ascontiguousarray(pixels[::step, ::step]))
    for name, shows in DICOM:
        source = files("pydicom") / "data" / "test_files" / name
        if source.is_file():
            pixels = _grey(pydicom.dcmread(BytesIO(source.read_bytes())).pixel_array)
            yield Picture(name, shows, np.ascontiguousarray(pixels[KEPT.get(name, (slice(None), slice(None)))]))
    yield Picture(BRAIN, "brain, magnetic resonance", _brain_planes())


def brain_volumes() -> list[tuple[NDArray[np.int16], Grid]]:
    """Return the two time points of the brain volume as ``[z, y, x]`` with their grid (spacing in mm, RAS+ affine)."""
    source = files("nibabel") / "tests" / "data" / BRAIN
    image: Any = nibabel.Nifti1Image.from_bytes(gzip.decompress(source.read_bytes()))
    times = np.asarray(image.dataobj).astype(np.int16).transpose(3, 2, 1, 0)
    volumes = (canonical_volume(time, np.asarray(image.affine, dtype=np.float64)) for time in times)
    return [(np.ascontiguousarray(pixels), grid) for pixels, grid, _ in volumes]


def _brain_planes() -> NDArray[np.uint8]:
    """Return some planes of the brain side by side, twice as large, as one parent: they are one person's."""
    pixels = brain_volumes()[0][0]
    planes = [_grey(pixels[index]).repeat(2, axis=0).repeat(2, axis=1) for index in range(4, 22, 2)]
    return np.concatenate(planes, axis=1)


def _grey(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = np.asarray(pixels, dtype=np.float64)
    if values.ndim == 3:
        values = values[..., :3].mean(axis=2) if values.shape[2] in {3, 4} else values[0]
    low, high = np.percentile(values, (1, 99))
    scaled: NDArray[np.uint8] = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return scaled
