"""NIfTI-1 and NIfTI-2 single files (``.nii``, ``.nii.gz``): header by nibabel, rules and voxels by us.

Orientation follows the standard (nifti1.h, "3D image orientation"): the sform where its code is above 0, else the qform
where its code is above 0, else none: then spacing is known and left, right, front and back are not, and a warning says
so. A file with several time points gives one volume each, on one grid. Complex values, vectors and header/image pairs
are refused with a remedy.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.geometry import (
    Affine,
    check_affine,
    shear_deg,
)
from labelhub.formats.pixels.medium import DecodedMedium, check_pixel_count, volume_medium
from labelhub.formats.pixels.voxels import VoxelStream, as_stored, read_volume

MAX_TIME_POINTS = 256

_REMEDY = "Export the volume again as NIfTI."
_MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}
_TYPES = frozenset({"uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"})
_RGB_CODE = 128


@dataclass(frozen=True, slots=True, eq=False)
class _Header:
    shape: tuple[int, ...]
    time_points: int
    dtype: np.dtype[Any]
    start: int
    slope: float
    intercept: float
    spacing_mm: tuple[float, float, float]
    affine: Affine | None
    warnings: tuple[str, ...]


def read_nifti(path: Path, place: str, *, is_compressed: bool, max_bytes: int) -> Iterator[DecodedMedium]:
    """The volumes in a file, one a time point. Raises :class:`PixelError`."""
    header = _read_header(path, place, is_compressed)
    check_pixel_count(header.shape, 1, max_bytes=max_bytes, place=place)
    convert = _rescaled(header.slope, header.intercept)
    with VoxelStream(path, place, encoding="gzip" if is_compressed else "raw") as stream:
        _skip(stream, header.start)
        for point in range(header.time_points):
            spot = place if header.time_points == 1 else f"{place}, time point {point + 1}"
            pixels, told = read_volume(
                stream, header.shape, header.dtype, convert=convert, max_bytes=max_bytes, place=spot
            )
            if point == header.time_points - 1:
                told = (*told, *stream.finish())
            yield _medium(pixels, header, point, told)


def _medium(pixels: NDArray[Any], header: _Header, point: int, told: tuple[str, ...]) -> DecodedMedium:
    time_point = point + 1 if header.time_points > 1 else None
    return volume_medium(
        pixels, header.spacing_mm, header.affine, time_point=time_point, warnings=(*header.warnings, *told)
    )


def _read_header(path: Path, place: str, is_compressed: bool) -> _Header:
    try:
        with path.open("rb") as plain, gzip.GzipFile(fileobj=plain) if is_compressed else plain as stream:
            start = stream.read(544)
    except (OSError, EOFError, zlib.error) as error:
        raise PixelError("The compressed data are damaged.", place=place, remedy=_REMEDY) from error
    is_second = start[:4] in {b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"}
    kind: Any = nibabel.Nifti2Header if is_second else nibabel.Nifti1Header
    try:
        header = kind(start[: 540 if is_second else 348], check=False)
        magic = bytes(header["magic"].tobytes())[:3]
        if magic in {b"ni1", b"ni2"}:
            raise PixelError(
                "This is the header half of a NIfTI pair; its voxels are in another file.",
                place=place,
                remedy="Convert the pair into one .nii file.",
            )
        return _checked(header, place)
    except (HeaderDataError, ValueError, KeyError, TypeError, OverflowError, struct.error, IndexError) as error:
        if isinstance(error, PixelError):
            raise
        raise PixelError("The NIfTI header contradicts itself.", place=place, remedy=_REMEDY) from error


def _checked(header: Any, place: str) -> _Header:
    dims = [int(n) for n in header["dim"]]
    axes = dims[0]
    if not 2 <= axes <= 7 or min(dims[1 : axes + 1]) < 1:
        raise PixelError("The NIfTI header announces impossible dimensions.", place=place, remedy=_REMEDY)
    sizes = dims[1 : axes + 1] + [1] * (7 - axes)
    if any(n > 1 for n in sizes[4:]):
        raise PixelError(
            "The file holds vectors or more than four dimensions.",
            place=place,
            remedy="Export the scalar volume that is to be labelled.",
        )
    if sizes[3] > MAX_TIME_POINTS:
        raise PixelError(
            f"The file holds {sizes[3]} time points; at most {MAX_TIME_POINTS} are read.",
            place=place,
            remedy="Split it, or export the time points that are to be labelled.",
        )
    dtype, shape = _voxel_type(header, (sizes[2], sizes[1], sizes[0]), place)
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    start = float(header["vox_offset"])
    least = int(header["sizeof_hdr"])
    if not (np.isfinite(start) and start == int(start) and least <= start <= 1 << 30):
        raise PixelError("The NIfTI header announces an impossible start of the voxels.", place=place, remedy=_REMEDY)
    affine, spacing, warnings = _orientation(header, place)
    if not np.isfinite(slope) or slope == 0 or not np.isfinite(intercept):
        slope, intercept = 1.0, 0.0
    return _Header(shape, sizes[3], dtype, int(start), slope, intercept, spacing, affine, warnings)


def _voxel_type(header: Any, size: tuple[int, int, int], place: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if int(header["datatype"]) == _RGB_CODE:
        return np.dtype(np.uint8), (*size, 3)
    dtype = np.dtype(header.get_data_dtype())
    if dtype.name not in _TYPES:
        raise PixelError(
            f"Values of type {dtype.name[:20]} cannot be shown as an image.",
            place=place,
            remedy="Export magnitudes as integers or 32-bit floating point.",
        )
    return dtype, size


def _orientation(header: Any, place: str) -> tuple[Affine | None, tuple[float, float, float], tuple[str, ...]]:
    unit = header.get_xyzt_units()[0]
    scale = np.diag([_MM_PER_UNIT[unit]] * 3 + [1.0])
    warnings: tuple[str, ...] = ()
    if unit == "unknown":
        warnings = ("The file does not name its unit of length; millimetres were taken.",)
    sform = header.get_sform() if int(header["sform_code"]) > 0 else None
    qform = _qform(header, place) if int(header["qform_code"]) > 0 else None
    chosen = sform if sform is not None else qform
    edges = np.abs(np.asarray(header["pixdim"][1:4], dtype=np.float64)) * _MM_PER_UNIT[unit]
    if chosen is None:
        check_affine(np.diag([*edges, 1.0]), place)
        told = "The file carries no orientation: left and right, front and back are not known."
        return None, (float(edges[2]), float(edges[1]), float(edges[0])), (*warnings, told)
    affine = check_affine(scale @ chosen, place)
    if sform is not None and qform is not None and not np.allclose(sform, qform, atol=0.05):
        warnings = (*warnings, "The file's two orientations (sform, qform) differ; the sform was taken.")
    tilt = shear_deg(affine)
    if tilt > 0.1:
        warnings = (*warnings, f"The axes are {tilt:.1f}° away from a right angle; distances use the true directions.")
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.allclose((x, y, z), edges, rtol=0.01):
        warnings = (*warnings, "The spacing field differs from the orientation matrix; the matrix was taken.")
    return affine, (float(z), float(y), float(x)), warnings


def _qform(header: Any, place: str) -> Affine:
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        raise PixelError(
            "The NIfTI header holds an impossible rotation (qform).", place=place, remedy=_REMEDY
        ) from error


def _rescaled(slope: float, intercept: float) -> Callable[[NDArray[Any]], NDArray[Any]]:
    if slope == 1 and intercept == 0:
        return as_stored

    def rescale(plane: NDArray[Any]) -> NDArray[Any]:
        if plane.ndim == 3:
            return plane
        scaled = plane.astype(np.float64) * slope + intercept
        if (
            plane.dtype.kind in "iu"
            and slope.is_integer()
            and intercept.is_integer()
            and np.abs(scaled).max() < 1 << 31
        ):
            return scaled.astype(np.int64)
        return scaled

    return rescale


def _skip(stream: VoxelStream, count: int) -> None:
    while count:
        step = min(count, 1 << 20)
        stream.read(step)
        count -= step
