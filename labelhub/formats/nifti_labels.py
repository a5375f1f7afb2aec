"""NIfTI label maps: from bytes to whole numbers on a grid, and from the reads of a set to files.

Read with nibabel after the header was checked, so that a lying header allocates nothing. A file without position (no
sform and no qform) keeps its spacing and has no affine. Written are ``<rater>/<item>.nii.gz`` with ``labels.json``
beside them. Not here: whose a file is.
"""

from __future__ import annotations

import gzip
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import nibabel
import numpy as np
import orjson
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.grids import ImpossibleGridError, grid_of
from labelhub.formats.label_volumes import LabelVolume, inflated, refusal, whole_labels
from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.shape_masks import shape_mask
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, Loss, Reading, Shape

# nibabel ships types for a part of its functions only.
_nib: Any = nibabel
_HEADER_BYTES = 1_024
_MM_PER_UNIT = {"meter": 1_000.0, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}


def decode_nifti(data: bytes, place: str) -> LabelVolume:
    """A NIfTI-1 or NIfTI-2 file, plain or gzipped, as a label map. Raises :class:`FormatError`."""
    is_packed = data[:2] == b"\x1f\x8b"
    head = inflated(data, _HEADER_BYTES, place) if is_packed else data[:_HEADER_BYTES]
    if head[344:348] != b"n+1\0" and head[4:8] != b"n+2\0":
        raise refusal(place, "This is not a NIfTI file with its voxels inside.", "Save it as .nii or .nii.gz.")
    kind = _nib.Nifti2Image if head[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else _nib.Nifti1Image
    try:
        header = kind.header_class.from_fileobj(io.BytesIO(head), check=True)
        shape = tuple(int(side) for side in header.get_data_shape())
        voxels = int(np.prod(shape, dtype=np.float64))
        if not 2 <= len(shape) <= 7 or min(shape) < 1 or voxels > MAX_MASK_VOXELS:
            raise refusal(
                place, f"The header states a volume of {shape}, which is impossible or too large.", "Export it again."
            )
        if any(side > 1 for side in shape[3:]):
            raise refusal(place, "The file holds several volumes (time points), not one label map.", "Split it.")
        size = int(header.get_data_offset()) + voxels * header.get_data_dtype().itemsize
        content = inflated(data, size, place) if is_packed else data
        if len(content) < size:
            raise refusal(
                place, f"The file ends after {len(content)} of {size} bytes.", "Copy or export the file again."
            )
        image = kind.from_bytes(content)
        values = np.asanyarray(image.dataobj).reshape((*shape, 1)[:3] if len(shape) < 3 else shape[:3])
        grid = _grid(image, values.shape[::-1])
    except FormatError:
        raise
    except ImpossibleGridError as error:
        raise refusal(place, f"The volume was refused: {error}.", "Correct the header of the file.") from None
    except (
        ImageFileError,
        HeaderDataError,
        WrapStructError,
        ValueError,
        OverflowError,
        TypeError,
        KeyError,
        EOFError,
    ) as error:
        raise refusal(place, f"This is not a readable NIfTI file: {error}.", "Copy or export the file again.") from None
    return LabelVolume(grid, (whole_labels(np.ascontiguousarray(values.T), place),))


def _grid(image: Any, size: tuple[int, ...]) -> Grid:
    header = image.header
    unit = _MM_PER_UNIT.get(header.get_xyzt_units()[0], 1.0)
    depth, height, width = size
    affine = np.asarray(image.affine, dtype=np.float64).copy()
    affine[:3] *= unit
    grid = grid_of((depth, height, width), affine)
    has_position = int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0
    return grid if has_position else Grid(grid.size, grid.spacing_mm)


def nifti_bytes(labels: NDArray[np.integer], grid: Grid) -> bytes:
    """A gzipped NIfTI-1 file of a label map ``[z, y, x]``: the same bytes for the same map."""
    affine = grid.affine
    if affine is None:
        z, y, x = grid.spacing_mm or (1.0, 1.0, 1.0)
        affine = np.diag([x, y, z, 1.0])
    dtype = np.uint8 if labels.size == 0 or int(labels.max()) < 256 else np.uint16
    image = _nib.Nifti1Image(np.ascontiguousarray(labels.T, dtype=dtype), affine)
    code = 1 if grid.affine is not None else 0
    image.set_sform(affine, code)
    image.set_qform(affine, code)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)


def write_nifti(
    annotations: AnnotationSet, *, values: Mapping[str, int] | None = None, over: str | None = None
) -> WrittenFiles:
    """Label maps of all reads, and what NIfTI could not carry; ``values`` fixes the number of each class.

    The class ``over`` hides every other one where it lies, in all layers.

    Classes that overlap within a read go to further layers, files named ``<item>.layer2.nii.gz`` and so on.
    """
    lost: Counter[tuple[str, str]] = Counter()
    numbers = dict(values) if values is not None else class_numbers(annotations)
    items = {item.key: item for item in annotations.items}
    files: dict[str, bytes] = {}
    for reading in annotations.readings:
        item = items.get(reading.item)
        if item is None or not item.grids:
            lost["reads of items of unknown size", "a label map needs a grid"] += 1
            continue
        name = f"{safe_name(reading.rater)}/{safe_name(reading.item)}" + (
            f".v{reading.version}" if reading.version > 1 else ""
        )
        if f"{name}.nii.gz" in files:
            lost["reads whose file name is taken", "two names became one when unusual characters were replaced"] += 1
            continue
        layers = _layers(_without(reading, over), item.grids[0], numbers, lost)
        if over in numbers:
            _hide(
                layers, [shape for shape in reading.shapes if shape.label == over], item.grids[0], numbers[over], lost
            )
        for place, layer in enumerate(layers, start=1):
            files[f"{name}.nii.gz" if place == 1 else f"{name}.layer{place}.nii.gz"] = nifti_bytes(layer, item.grids[0])
        if item.grids[0].affine is None:
            lost["that position and perhaps spacing are unknown", "NIfTI states 1 mm; its position codes are 0"] += 1
    files["labels.json"] = (
        orjson.dumps({str(n): label for label, n in numbers.items()}, option=orjson.OPT_INDENT_2) + b"\n"
    )
    return WrittenFiles(files, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


def _without(reading: Reading, label: str | None) -> Reading:
    return replace(reading, shapes=tuple(shape for shape in reading.shapes if shape.label != label))


def _hide(
    layers: Sequence[NDArray[np.integer]],
    shapes: Sequence[Shape],
    grid: Grid,
    number: int,
    lost: Counter[tuple[str, str]],
) -> None:
    """Write the number over whatever the layers hold where the shapes lie; the layers are the caller's own."""
    for shape in shapes:
        mask = shape_mask(shape, grid)
        z, y, x = (slice(start, start + n) for start, n in zip(mask.origin, mask.voxels.shape, strict=True))
        for layer in layers:
            if (~np.isin(layer[z, y, x][mask.voxels], (0, number))).any():
                lost["classes under an ignore region", "no label of it is right, so the region hides them"] += 1
            layer[z, y, x][mask.voxels] = number


def nifti_losses(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What label maps cannot carry of this set."""
    return write_nifti(annotations).losses


def class_numbers(annotations: AnnotationSet) -> dict[str, int]:
    """A number for each class, from 1, in the order of the set."""
    drawn = (shape.label for reading in annotations.readings for shape in reading.shapes)
    return {label: number for number, label in enumerate(dict.fromkeys((*annotations.labels, *drawn)), start=1)}


def _layers(
    reading: Reading, grid: Grid, numbers: Mapping[str, int], lost: Counter[tuple[str, str]]
) -> list[NDArray[np.integer]]:
    layers: list[NDArray[np.integer]] = [np.zeros(grid.size, dtype=np.uint16)]
    seen: set[str] = set()
    lost["answers and read kinds", "a label map holds voxels only"] += (
        bool(reading.answers) or reading.read_kind != "unknown"
    )
    for shape in reading.shapes:
        if shape.label in seen:
            lost["that shapes of one class are several", "a label map holds classes, not objects"] += 1
        seen.add(shape.label)
        lost["attributes of shapes", "a label map holds voxels only"] += bool(shape.attributes)
        mask = shape_mask(shape, grid)
        if shape.medium or shape.label not in numbers or not mask.voxels.any():
            lost["shapes that enclose no voxel", "points, lines and tags have no voxels"] += 1
            continue
        if shape.mask is None:
            lost["outlines", "they are written as whole voxels"] += 1
        z, y, x = (slice(start, start + n) for start, n in zip(mask.origin, mask.voxels.shape, strict=True))
        number = numbers[shape.label]
        taken = ({0, number}, [layer for layer in layers if np.isin(layer[z, y, x][mask.voxels], (0, number)).all()])
        if not taken[1]:
            lost["that classes overlap in one map", "they are written to further files, one a layer"] += 1
            layers.append(np.zeros(grid.size, dtype=np.uint16))
            taken[1].append(layers[-1])
        taken[1][0][z, y, x][mask.voxels] = number
    for key in [key for key, count in lost.items() if not count]:
        del lost[key]
    return layers


def safe_name(name: str) -> str:
    """A name that is safe as one part of a path on every system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip(".")[:100] or "_"
