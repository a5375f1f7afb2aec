"""NRRD files with attached data: header by pynrrd, rules and voxels by us (http://teem.sourceforge.net/nrrd/format.html).

A header that points to a data file elsewhere is refused: it could name any file of this machine. One axis beside the
three of space may be a list (time points: one volume each) or three colours. Encodings raw, gzip and bzip2 are read.
"""

from __future__ import annotations

import io
import warnings as python_warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
from nrrd.errors import NRRDError
from numpy.typing import NDArray

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.geometry import (
    Affine,
    check_affine,
    shear_deg,
)
from labelhub.formats.pixels.medium import DecodedMedium, check_pixel_count, volume_medium
from labelhub.formats.pixels.voxels import VoxelStream, as_stored, read_volume

_MAX_HEADER_BYTES = 1 << 18
_MAX_VOLUMES = 256
_REMEDY = "Export the volume again as NRRD with its data attached (raw or gzip), or as NIfTI."
_ENCODINGS = {"raw": "raw", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_TO_RAS = {
    **dict.fromkeys(("right-anterior-superior", "ras"), (1.0, 1.0, 1.0)),
    **dict.fromkeys(("left-anterior-superior", "las"), (-1.0, 1.0, 1.0)),
    **dict.fromkeys(("left-posterior-superior", "lps"), (-1.0, -1.0, 1.0)),
}
_MM_PER_UNIT = {"mm": 1.0, "millimeter": 1.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3, "cm": 10.0}
_COLOUR_KINDS = frozenset({"rgb-color", "rgba-color", "3-color", "4-color"})


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    shape: tuple[int, ...]
    volumes: int
    volume_axis_first: bool
    dtype: np.dtype[Any]
    encoding: str
    spacing_mm: tuple[float, float, float] | None
    affine: Affine | None
    warnings: tuple[str, ...]


def read_nrrd(path: Path, place: str, *, max_bytes: int) -> Iterator[DecodedMedium]:
    """The volumes in a file, one an entry of its list axis. Raises :class:`PixelError`."""
    header, start = _parse_header(path, place)
    try:
        layout = _layout(header, place)
    except (KeyError, TypeError, IndexError, OverflowError, ValueError) as error:
        if isinstance(error, PixelError):
            raise
        raise PixelError("The NRRD header contradicts itself.", place=place, remedy=_REMEDY) from error
    check_pixel_count(
        (*layout.shape, layout.volumes if layout.volume_axis_first else 1), 1, max_bytes=max_bytes, place=place
    )
    with VoxelStream(path, place, encoding=layout.encoding, start=start) as stream:
        if layout.volume_axis_first:
            together, told = read_volume(
                stream,
                (*layout.shape, layout.volumes),
                layout.dtype,
                convert=as_stored,
                max_bytes=max_bytes,
                place=place,
            )
            told = (*told, *stream.finish())
            for number in range(layout.volumes):
                yield _medium(together[..., number], layout, number, told)
            return
        for number in range(layout.volumes):
            pixels, told = read_volume(
                stream, layout.shape, layout.dtype, convert=as_stored, max_bytes=max_bytes, place=place
            )
            if number == layout.volumes - 1:
                told = (*told, *stream.finish())
            yield _medium(pixels, layout, number, told)


def _medium(pixels: NDArray[Any], layout: _Layout, number: int, told: tuple[str, ...]) -> DecodedMedium:
    time_point = number + 1 if layout.volumes > 1 else None
    return volume_medium(
        pixels, layout.spacing_mm, layout.affine, time_point=time_point, warnings=(*layout.warnings, *told)
    )


def _parse_header(path: Path, place: str) -> tuple[dict[str, Any], int]:
    with path.open("rb") as stream:
        head = stream.read(_MAX_HEADER_BYTES)
    ends = [(at, len(mark)) for mark in (b"\n\n", b"\r\n\r\n") if (at := head.find(mark)) >= 0]
    if not ends:
        raise PixelError("The NRRD header has no end.", place=place, remedy=_REMEDY)
    at, mark = min(ends)
    if b"data file" in head[:at].lower() or b"datafile" in head[:at].lower():
        raise PixelError(
            "The NRRD header points to another file for its data, which is never followed.", place=place, remedy=_REMEDY
        )
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            return dict(nrrd.read_header(io.BytesIO(head[: at + mark]))), at + mark
    except (NRRDError, ValueError, KeyError, TypeError, IndexError, OverflowError, StopIteration) as error:
        raise PixelError("The NRRD header cannot be understood.", place=place, remedy=_REMEDY) from error


def _layout(header: dict[str, Any], place: str) -> _Layout:
    sizes = [int(n) for n in header["sizes"]]
    if not 2 <= len(sizes) <= 4 or min(sizes) < 1 or len(sizes) != int(header["dimension"]):
        raise PixelError("The file has another number of axes than 2, 3 or 4.", place=place, remedy=_REMEDY)
    encoding = _ENCODINGS.get(str(header["encoding"]).lower())
    kind = _TYPES.get(str(header["type"]).lower())
    skips = int(header.get("line skip", 0)) or int(header.get("byte skip", 0))
    if encoding is None or kind is None or skips:
        raise PixelError("The file's encoding or type of value is not read.", place=place, remedy=_REMEDY)
    other, is_colour = _other_axis(header, sizes, place)
    spatial = [n for axis, n in enumerate(sizes) if axis != other]
    shape: tuple[int, ...] = tuple(([*spatial, 1] if len(spatial) == 2 else spatial)[::-1])
    volumes = 1 if other is None or is_colour else sizes[other]
    if volumes > _MAX_VOLUMES:
        raise PixelError(f"The file holds more than {_MAX_VOLUMES} volumes.", place=place, remedy="Split it.")
    dtype = np.dtype(kind).newbyteorder(">" if str(header.get("endian", "little")).lower() == "big" else "<")
    affine, spacing, warnings = _orientation(header, [axis for axis in range(len(sizes)) if axis != other], place)
    if is_colour:
        shape = (*shape, 3)
    return _Layout(shape, volumes, other == 0 and not is_colour, dtype, encoding, spacing, affine, warnings)


def _other_axis(header: dict[str, Any], sizes: list[int], place: str) -> tuple[int | None, bool]:
    """The axis that is not of space, and whether it holds three colours."""
    kinds = [str(kind).lower() for kind in header.get("kinds", [])]
    colours = [axis for axis, kind in enumerate(kinds) if kind in _COLOUR_KINDS]
    if colours:
        if colours != [0] or sizes[0] != 3 or _TYPES[str(header["type"]).lower()] != "u1":
            raise PixelError("Colours are read as three 8-bit values, innermost.", place=place, remedy=_REMEDY)
        return 0, True
    if len(sizes) < 4:
        return None, False
    directions = header.get("space directions")
    if directions is not None:
        blank = [axis for axis in range(4) if directions[axis] is None or not np.isfinite(directions[axis]).all()]
    else:
        blank = [axis for axis, kind in enumerate(kinds) if kind not in {"domain", "space"}]
    if len(blank) != 1 or blank[0] not in {0, 3}:
        raise PixelError("Which of the four axes is not of space cannot be told.", place=place, remedy=_REMEDY)
    return blank[0], False


def _orientation(
    header: dict[str, Any], axes: list[int], place: str
) -> tuple[Affine | None, tuple[float, float, float] | None, tuple[str, ...]]:
    directions, origin = header.get("space directions"), header.get("space origin")
    signs = _TO_RAS.get(str(header.get("space", "")).lower())
    if directions is None or len(axes) != 3:
        return _spacing_only(header, axes, place)
    columns = np.array([np.asarray(directions[axis], dtype=np.float64) for axis in axes]).T
    units = [str(unit).strip('"').lower() for unit in header.get("space units", [])]
    scale = _MM_PER_UNIT.get(units[0], 1.0) if units else 1.0
    matrix = np.eye(4)
    matrix[:3, :3] = columns * scale
    check_affine(matrix, place)
    if signs is None or origin is None:
        x, y, z = np.linalg.norm(matrix[:3, :3], axis=0)
        told = "The file names no known space or origin: left and right, front and back are not known."
        return None, (float(z), float(y), float(x)), (told,)
    matrix[:3, 3] = np.asarray(origin, dtype=np.float64) * scale
    affine = check_affine(np.diag([*signs, 1.0]) @ matrix, place)
    tilt = shear_deg(affine)
    warnings: tuple[str, ...] = ()
    if tilt > 0.1:
        warnings = (f"The axes are {tilt:.1f}° away from a right angle; distances use the true directions.",)
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0)
    return affine, (float(z), float(y), float(x)), warnings


def _spacing_only(
    header: dict[str, Any], axes: list[int], place: str
) -> tuple[None, tuple[float, float, float] | None, tuple[str, ...]]:
    told = ("The file carries no orientation: left and right, front and back are not known.",)
    spacings = header.get("spacings")
    if spacings is None:
        return None, None, told if len(axes) == 3 else ()
    edges = [abs(float(spacings[axis])) for axis in axes] + [1.0] * (3 - len(axes))
    check_affine(np.diag([*edges, 1.0]), place)
    return None, (edges[2], edges[1], edges[0]), told if len(axes) == 3 else ()
