"""A decoded medium on its way from the child process to the server: facts as JSON, pixels as a blob file beside them.

The child reads strangers' files, so the server believes nothing it says: types, ranges, the file's place and its hash
are checked when the facts are read back.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelhub.formats.pixel_blob import PixelBlob, encode_pixels_to_file, read_layout
from labelhub.formats.pixels.geometry import Orientation
from labelhub.formats.pixels.medium import DecodedMedium, Identity, MediumKind, Metadata, ValueMeaning
from labelhub.formats.shapes import Grid

_KINDS: dict[str, MediumKind] = {"photograph": "photograph", "volume": "volume", "frames": "frames"}
_MEANINGS: dict[str, ValueMeaning] = {"RGB": "RGB", "HU": "HU", "intensity": "intensity"}


@dataclass(frozen=True, slots=True, eq=False)
class StoredMedium:
    """A decoded medium whose pixels lie in a blob file. The fields are those of ``DecodedMedium``."""

    path: Path
    blob: PixelBlob
    kind: MediumKind
    grid: Grid
    value_meaning: ValueMeaning
    window: tuple[float, float] | None
    metadata: Metadata
    identity: Identity
    orientation: Orientation
    warnings: tuple[str, ...]
    sources: tuple[int, ...]


def write_medium(medium: DecodedMedium, path: Path) -> dict[str, Any]:
    """Write the pixels to ``path`` and return the facts as JSON values."""
    blob = encode_pixels_to_file(path, iter(medium.pixels), shape=medium.pixels.shape, dtype=medium.pixels.dtype)
    grid, identity = medium.grid, medium.identity
    return {
        "file": path.name,
        "sha256": blob.name,
        "kind": medium.kind,
        "size": list(grid.size),
        "spacing_mm": None if grid.spacing_mm is None else list(grid.spacing_mm),
        "affine": None if grid.affine is None else grid.affine.tolist(),
        "value_meaning": medium.value_meaning,
        "window": None if medium.window is None else list(medium.window),
        "metadata": dict(medium.metadata),
        "identity": {
            "patient_id": identity.patient_id,
            "study_uid": identity.study_uid,
            "series_uid": identity.series_uid,
            "frame_of_reference_uid": identity.frame_of_reference_uid,
            "sop_uids": list(identity.sop_uids),
        },
        "axes": list(medium.orientation.axes),
        "flips": list(medium.orientation.flips),
        "warnings": list(medium.warnings),
        "sources": list(medium.sources),
    }


def read_medium(facts: dict[str, Any], folder: Path, sources: tuple[int, ...], *, max_bytes: int) -> StoredMedium:
    """Check facts against the file that they name in ``folder``; ``sources`` are the numbers that the caller knows.

    Raises ``ValueError``, ``KeyError`` or ``TypeError`` where anything is not as :func:`write_medium` writes it.
    """
    path = folder / str(facts["file"])
    if path.parent != folder or path.is_symlink() or not path.is_file():
        raise ValueError("the named file is not in the folder")
    shape, dtype = read_layout(path, max_bytes=max_bytes)
    with path.open("rb") as stream:
        name = hashlib.file_digest(stream, "sha256").hexdigest()
    size = (shape[0], shape[1], shape[2])
    if name != facts["sha256"] or list(size) != facts["size"]:
        raise ValueError("the named file is not what was announced")
    return StoredMedium(
        path=path,
        blob=PixelBlob(name, path.stat().st_size, shape, dtype),
        kind=_KINDS[facts["kind"]],
        grid=_grid(facts, size),
        value_meaning=_MEANINGS[facts["value_meaning"]],
        window=None if facts["window"] is None else _window(facts["window"]),
        metadata=_metadata(facts["metadata"]),
        identity=_identity(facts["identity"]),
        orientation=_orientation(facts["axes"], facts["flips"]),
        warnings=tuple(str(told)[:500] for told in facts["warnings"][:50]),
        sources=tuple(sources[int(number)] for number in facts["sources"]),
    )


def _grid(facts: dict[str, Any], size: tuple[int, int, int]) -> Grid:
    spacing, affine = facts["spacing_mm"], facts["affine"]
    if spacing is not None:
        z, y, x = (_finite(edge) for edge in spacing)
        if min(z, y, x) <= 0:
            raise ValueError("a spacing is not positive")
        spacing = (z, y, x)
    if affine is not None:
        affine = np.array(affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError("the affine is no finite 4x4 matrix")
    return Grid(size=size, spacing_mm=spacing, affine=affine)


def _window(window: Any) -> tuple[float, float]:
    center, width = (_finite(value) for value in window)
    return center, width


def _metadata(metadata: dict[str, Any]) -> dict[str, str | int | float | tuple[float, ...]]:
    checked: dict[str, str | int | float | tuple[float, ...]] = {}
    for name, value in metadata.items():
        if isinstance(value, list):
            checked[str(name)] = tuple(_finite(number) for number in value)
        elif isinstance(value, str):
            checked[str(name)] = value[:64]
        else:
            checked[str(name)] = value if isinstance(value, int) else _finite(value)
    return checked


def _identity(facts: dict[str, Any]) -> Identity:
    names = ("patient_id", "study_uid", "series_uid", "frame_of_reference_uid")
    patient, study, series, frame = (None if facts[name] is None else str(facts[name])[:128] for name in names)
    return Identity(patient, study, series, frame, tuple(str(uid)[:128] for uid in facts["sop_uids"]))


def _orientation(axes: list[int], flips: list[bool]) -> Orientation:
    if sorted(axes) != [0, 1, 2] or len(flips) != 3:
        raise ValueError("the orientation is not one of axes")
    return Orientation((axes[0], axes[1], axes[2]), (bool(flips[0]), bool(flips[1]), bool(flips[2])))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number
