"""NRRD label maps and segmentations: space directions, names of segments, several layers.

The header is read by pynrrd; data are unpacked here up to the size that the header states, raw or gzipped and in the
same file. Segments are those of 3D Slicer (``Segment0_Name``, ``_LabelValue``, ``_Layer``). Not here: whose a file
is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import nrrd
import numpy as np
from numpy.typing import NDArray

from labelhub.formats.grids import ImpossibleGridError, grid_of
from labelhub.formats.label_volumes import LabelVolume, inflated, refusal, whole_labels
from labelhub.formats.limits import MAX_MASK_VOXELS
from labelhub.formats.shapes import Grid

_TO_RAS: Mapping[str, tuple[float, float, float]] = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
}
_TYPES: Mapping[str, str] = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "uint8_t": "u1",
    "short": "i2", "short int": "i2", "signed short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2",
    "int": "i4", "signed int": "i4", "int32": "i4", "int32_t": "i4", "uint": "u4", "unsigned int": "u4", "uint32": "u4",
    "uint32_t": "u4", "float": "f4", "double": "f8",
}  # fmt: skip
_LIST_KINDS = frozenset({"list", "vector", "scalar", "none", "???"})


def decode_nrrd(data: bytes, place: str) -> LabelVolume:
    """An NRRD file with its data inside. Raises :class:`FormatError`."""
    stream = io.BytesIO(data)
    try:
        header: dict[str, Any] = dict(nrrd.read_header(stream))
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, TypeError, AssertionError, StopIteration) as error:
        raise refusal(place, f"This is not a readable NRRD file: {error}.", "Copy or export the file again.") from None
    if "data file" in header or "datafile" in header:
        raise refusal(place, "The data lie in another file.", "Save the segmentation as one .nrrd file.")
    values = _values(header, data[stream.tell() :], place)
    try:
        layers, grid = _placed(header, values, place)
    except ImpossibleGridError as error:
        raise refusal(place, f"The volume was refused: {error}.", "Correct the header of the file.") from None
    return LabelVolume(grid, tuple(whole_labels(layer, place) for layer in layers), _names(header, len(layers)))


def _values(header: Mapping[str, Any], body: bytes, place: str) -> NDArray[np.generic]:
    sizes = [int(side) for side in header.get("sizes", ())]
    kind = _TYPES.get(str(header.get("type", "")).lower())
    if (
        not 2 <= len(sizes) <= 4
        or min(sizes) < 1
        or kind is None
        or float(np.prod(sizes, dtype=np.float64)) > MAX_MASK_VOXELS
    ):
        raise refusal(place, f"The header states a volume of {sizes} {header.get('type')}.", "Save it as a label map.")
    dtype = np.dtype(kind).newbyteorder(">" if header.get("endian") == "big" else "<")
    size = int(np.prod(sizes)) * dtype.itemsize
    encoding = str(header.get("encoding", "")).lower()
    if encoding in ("gzip", "gz"):
        body = inflated(body, size, place)
    elif encoding != "raw":
        raise refusal(place, f"The data are packed as {encoding[:40]!r}, which is not read.", "Save as raw or gzip.")
    if len(body) < size:
        raise refusal(place, f"The file ends after {len(body)} of {size} bytes.", "Copy or export the file again.")
    return np.frombuffer(body, dtype=dtype, count=int(np.prod(sizes))).reshape(sizes[::-1])


def _placed(
    header: Mapping[str, Any], values: NDArray[np.generic], place: str
) -> tuple[list[NDArray[np.generic]], Grid]:
    """The layers ``[z, y, x]`` and their grid. The first axis of the file may count layers."""
    directions = np.array(header.get("space directions", ()), dtype=np.float64)
    kinds = [str(kind).lower() for kind in header.get("kinds", ())]
    if values.ndim == 4:
        if not kinds or kinds[0] not in _LIST_KINDS:
            raise refusal(place, "The file holds several volumes, not one segmentation.", "Split it.")
        layers = [values[..., layer] for layer in range(values.shape[3])]
        directions = directions[1:] if len(directions) == 4 else directions
    else:
        layers = [values if values.ndim == 3 else values[np.newaxis]]
    depth, height, width = (int(side) for side in layers[0].shape)
    sign = _TO_RAS.get(str(header.get("space", "")).lower())
    if directions.shape == (3, 3) and sign is not None:
        affine = np.eye(4)
        affine[:3, :3] = directions.T * np.array(sign).reshape(3, 1)
        affine[:3, 3] = np.array(header.get("space origin", (0, 0, 0)), dtype=np.float64) * np.array(sign)
        return layers, grid_of((depth, height, width), affine)
    spacings = np.array(header.get("spacings", ()), dtype=np.float64)[-3:]
    if spacings.shape == (3,) and np.isfinite(spacings).all() and (spacings > 0).all():
        x, y, z = spacings.tolist()
        return layers, Grid((depth, height, width), (z, y, x))
    return layers, Grid((depth, height, width))


def _names(header: Mapping[str, Any], layers: int) -> dict[tuple[int, int], str]:
    names: dict[tuple[int, int], str] = {}
    for key, name in header.items():
        match = re.fullmatch(r"Segment(\d{1,6})_Name", str(key))
        if match is None:
            continue
        prefix = f"Segment{match[1]}_"
        value, layer = str(header.get(f"{prefix}LabelValue", "")), str(header.get(f"{prefix}Layer", "0"))
        if value.isdecimal() and layer.isdecimal() and int(layer) < layers and str(name).strip():
            names[int(layer), int(value)] = str(name).strip()
    return names
