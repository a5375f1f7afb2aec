"""The real pictures of the demo, read from packages that are installed anyway: nothing is downloaded.

Each picture is a parent: the small items are cut from it, and it is their group, because cuts of one picture are not
independent. Licences: the pictures are in the public domain or free to use, as the packages' own notes say.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

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
    ("camera.png", "a man with a camera"),
    ("brick.png", "a brick wall"),
    ("grass.png", "grass"),
    ("cell.png", "a cell"),
    ("clock_motion.png", "a clock in motion"),
    ("microaneurysms.png", "microaneurysms of a retina"),
)
# File among pydicom's samples, and what it shows.
DICOM = (
    ("693_J2KI.dcm", "computed tomography"),
    ("J2K_pixelrep_mismatch.dcm", "computed tomography"),
    ("examples_overlay.dcm", "magnetic resonance"),
    ("examples_jpeg2k.dcm", "ultrasound"),
    ("examples_ybr_color.dcm", "ultrasound of a heart"),
    ("CT_small.dcm", "computed tomography of a vertebra"),
    ("MR_small.dcm", "magnetic resonance"),
    ("JPEG2000.dcm", "bone scan"),
)
# Texts and rulers that the ultrasound machines burned into the pictures are cut away: rows, columns kept.
KEPT = {
    "examples_jpeg2k.dcm": (slice(96, 400), slice(70, 560)),
    "examples_ybr_color.dcm": (slice(26, 236), slice(30, 280)),
}
# File among nibabel's, what it shows, and how much its planes are enlarged. Files that may show one person twice are left
# out: example_nifti2 is a part of example4d, and functional.nii and example4d+orig may be of the one in anatomical.nii.
HEADS = (("anatomical.nii", "brain, magnetic resonance", 4), ("scaled+tlrc.HEAD", "brain, functional", 3))
# Pictures too small to cut items from are enlarged so many times.
ENLARGED = {"microaneurysms.png": 3, "CT_small.dcm": 2, "MR_small.dcm": 3}
PLANES_A_HEAD = 4
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
            yield Picture(name, shows, _enlarged(pixels[::step, ::step], ENLARGED.get(name, 1)))
    for name, shows in DICOM:
        source = files("pydicom") / "data" / "test_files" / name
        if source.is_file():
            pixels = _grey(pydicom.dcmread(BytesIO(source.read_bytes())).pixel_array)
            kept = pixels[KEPT.get(name, (slice(None), slice(None)))]
            yield Picture(name, shows, _enlarged(kept, ENLARGED.get(name, 1)))
    yield Picture(BRAIN, "brain, magnetic resonance", _brain_planes())
    for name, shows, times in HEADS:
        source = files("nibabel") / "tests" / "data" / name
        if source.is_file():
            yield Picture(name, shows, _head_planes(source, times))


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


def _head_planes(source: Traversable, times: int) -> NDArray[np.uint8]:
    """Return planes from the middle of a head side by side, enlarged, as one parent."""
    with as_file(source) as path:
        loaded: Any = nibabel.load(path)
        values = np.asarray(loaded.dataobj, dtype=np.float64)
    volume = values.reshape(*values.shape[:3], -1)[..., 0]
    depth = volume.shape[2]
    places = np.linspace(depth / 4, depth * 3 / 4, PLANES_A_HEAD).astype(int)
    return np.concatenate([_enlarged(_grey(volume[:, ::-1, place].T), times) for place in places], axis=1)


def _enlarged(pixels: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    if times == 1:
        return np.ascontiguousarray(pixels)
    larger = ndimage.zoom(pixels.astype(np.float64), times, order=3)
    return np.ascontiguousarray(np.clip(larger, 0, 255).astype(np.uint8))


def _grey(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    values = np.asarray(pixels, dtype=np.float64)
    if values.ndim == 4:
        values = values[0]
    if values.ndim == 3:
        values = values[..., :3].mean(axis=2) if values.shape[2] in {3, 4} else values[0]
    low, high = np.percentile(values, (1, 99))
    scaled: NDArray[np.uint8] = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return scaled
