"""Reads label maps that several people made: NIfTI and NRRD files named by rater, one shape a class.

The name of a file says whose it is and of what: ``<rater>/<item>``, ``<item>/<rater>``, ``<item>_<rater>``, or a
table of raters. Two readings of a folder tree are told apart by the grids alone (files of one item share theirs);
where both fit, the source is refused. Readers of one item on different grids are refused, or resampled through the
affine when asked. Not here: decoding (:mod:`nifti_labels`, :mod:`nrrd_labels`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from labelhub.formats.gathering import UNKNOWN_RATER_REMEDY, Gathering
from labelhub.formats.grids import ImpossibleGridError, resample_labels, same_grid
from labelhub.formats.label_names import is_name_file, read_label_names
from labelhub.formats.label_volumes import LabelVolume, shapes_of
from labelhub.formats.nifti_labels import decode_nifti
from labelhub.formats.nrrd_labels import decode_nrrd
from labelhub.formats.raters_map import FileRaters, stem_of
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, ItemRecord, Problem, Reading, Shape

MapLayout = Literal["rater/item", "item/rater", "item_rater"]
OtherGrid = Literal["refuse", "resample"]
Decoder: TypeAlias = Callable[[bytes, str], LabelVolume]
Places: TypeAlias = dict[str, tuple[str, str]]

EMPTY_RULE: Final = (
    "A label map is a finished read: one without a marked voxel is 'read, nothing found'. An item without a file by a rater is "
    "'not read' by that rater."
)
MAX_UNNAMED_CLASSES: Final = 200
_LAYER: Final = re.compile(r"(.*)\.layer(\d+)")
_VERSION: Final = re.compile(r"(.*)\.v(\d+)")


def read_label_maps(
    files: Mapping[str, bytes],
    *,
    told: FileRaters | None = None,
    layout: MapLayout | None = None,
    other_grid: OtherGrid = "refuse",
) -> AnnotationSet:
    """Read NIfTI and NRRD label maps, given by relative name. Raises :class:`FormatError` where raters cannot be
    told.
    """
    return read_volumes("label-maps", files, _decode, told=told, layout=layout, other_grid=other_grid)


def _decode(data: bytes, place: str) -> LabelVolume:
    return decode_nrrd(data, place) if place.lower().endswith(".nrrd") else decode_nifti(data, place)


def read_volumes(
    source: str,
    files: Mapping[str, bytes],
    decode: Decoder,
    *,
    told: FileRaters | None,
    layout: MapLayout | None,
    other_grid: OtherGrid = "refuse",
) -> AnnotationSet:
    """The common way of all label maps: whose, of what, on which grid, with which names."""
    found = Gathering()
    names = read_label_names(files)
    found.add_labels(name for _, name in sorted(names.items()))
    maps = sorted(name for name in files if not is_name_file(name))
    places = place_files(found, maps, told or FileRaters({}), layout, lambda name: _signature(files, name, decode))
    read: dict[tuple[str, str, int], list[Shape]] = {}
    for name in maps:
        if name not in places:
            found.problem(name, "Who drew this label map, and of what, cannot be told.", UNKNOWN_RATER_REMEDY)
            continue
        item, rater, version = _plain_item(*places[name])
        try:
            volume = _on_item_grid(found, item, name, decode(files[name], name), other_grid)
        except FormatError as error:
            found.add_problem(error.problem)
            volume = None
        shapes = None if volume is None else _named_shapes(found, name, volume, names)
        if shapes is None:
            # Another layer of the same read may be empty; that is not the whole of it.
            found.leave_incomplete(item, rater)
            continue
        found.add_labels(shape.label for shape in shapes)
        known = read.setdefault((item, rater, version), [])
        known.extend(replace(shape, shape_id=f"{len(known) + n}") for n, shape in enumerate(shapes, start=1))
    for (item, rater, version), drawn in read.items():
        asked = tuple(names.values()) or None
        found.readings.append(
            Reading(
                item, rater, tuple(drawn), is_empty_read=not drawn, version=version, asked_labels=asked, locator=item
            )
        )
    return found.finish(source, empty_means="read-empty", empty_rule=EMPTY_RULE)


def _named_shapes(
    found: Gathering, name: str, volume: LabelVolume, names: Mapping[int, str]
) -> tuple[Shape, ...] | None:
    shapes = shapes_of(volume, names)
    if len(shapes) <= MAX_UNNAMED_CLASSES or names or volume.names:
        return shapes
    found.problem(
        name,
        f"The file holds {len(shapes)} different numbers without names, as an image does.",
        "Leave images out; if it is a label map, put a labels.json with the names beside it.",
    )
    return None


def _plain_item(item: str, rater: str) -> tuple[str, str, int]:
    """Further layers and versions of a read are parts of it, not items of their own."""
    layer = _LAYER.fullmatch(item)
    item = layer[1] if layer else item
    version = _VERSION.fullmatch(item)
    return (version[1], rater, int(version[2])) if version else (item, rater, 1)


def _on_item_grid(
    found: Gathering, item: str, name: str, volume: LabelVolume, other_grid: OtherGrid
) -> LabelVolume | None:
    record = found.items.get(item)
    if record is None:
        found.items[item] = ItemRecord(item, source_id=item, grids=(volume.grid,))
        return volume
    grid = record.grids[0]
    if same_grid(volume.grid, grid):
        return volume
    if other_grid == "refuse":
        found.problem(
            name,
            f"This label map has {_words(volume.grid)}, the first one of {item!r} has {_words(grid)}: "
            "they are on different grids and cannot be compared voxel by voxel.",
            "Save both on one grid, or ask for resampling through their positions.",
        )
        return None
    try:
        layers = tuple(resample_labels(layer, volume.grid, grid) for layer in volume.layers)
    except ImpossibleGridError as error:
        found.problem(name, f"This label map cannot be resampled: {error}.", "Save both on one grid.")
        return None
    found.lose("voxels as drawn", "a map on another grid was resampled through its position, nearest voxel")
    return LabelVolume(grid, layers, volume.names)


def _words(grid: Grid) -> str:
    sides = " x ".join(str(side) for side in grid.size[::-1])
    spacing = (
        "" if grid.spacing_mm is None else " of " + " x ".join(f"{mm:.3g}" for mm in grid.spacing_mm[::-1]) + " mm"
    )
    return f"{sides} voxels{spacing}"


def place_files(
    found: Gathering,
    names: list[str],
    told: FileRaters,
    layout: MapLayout | None,
    signature: Callable[[str], object],
) -> Places:
    """The item and rater of each file as far as they can be told. Raises :class:`FormatError` where two readings
    fit.
    """
    if told.items:
        return {name: (told.items[name], told.raters[name]) for name in names if name in told.items}
    nested = [name for name in names if "/" in name]
    if layout is None and nested and len(nested) == len(names):
        layout = _folder_layout(names, signature)
        found.note(f"Folders were read as <{layout.replace('/', '>/<')}>.")
    if layout is None:
        return _split_names(names)
    return {name: placed for name in names if (placed := _by_layout(name, layout)) is not None}


def _by_layout(name: str, layout: MapLayout) -> tuple[str, str] | None:
    stem = stem_of(name)
    if layout == "item_rater":
        item, _, rater = stem.rpartition("_")
        return (item, rater) if item and rater else None
    parts = name.split("/")
    if len(parts) < 2:
        return None
    if layout == "rater/item":
        return "/".join((*parts[1:-1], stem)), parts[0]
    return "/".join(parts[:-1]), stem


def _folder_layout(names: list[str], signature: Callable[[str], object]) -> MapLayout:
    """Files of one item share a grid: the layout for which that holds, where it holds for one alone."""
    marks = {name: signature(name) for name in names}
    fits: list[MapLayout] = []
    layouts: tuple[MapLayout, ...] = ("rater/item", "item/rater")
    for layout in layouts:
        grids: dict[str, set[object]] = {}
        for name, mark in marks.items():
            placed = _by_layout(name, layout)
            if placed is not None and mark is not None:
                grids.setdefault(_plain_item(*placed)[0], set()).add(mark)
        if all(len(different) == 1 for different in grids.values()) and any(
            len([n for n in names if (p := _by_layout(n, layout)) and p[0] == item]) > 1 for item in grids
        ):
            fits.append(layout)
    if len(fits) == 1:
        return fits[0]
    raise FormatError(
        Problem(
            names[0],
            "The folders can be read as raters and as items, and nothing inside the files tells which.",
            "Name the layout (rater/item or item/rater), or give a table of raters (--raters map.csv).",
            fatal=True,
        )
    )


def _split_names(names: list[str]) -> Places:
    """``<item>_<rater>``, taken so only where at least two items were read by the same at least two raters."""
    placed = {name: p for name in names if (p := _by_layout(name, "item_rater")) is not None}
    items: dict[str, set[str]] = {}
    for item, rater in placed.values():
        items.setdefault(item, set()).add(rater)
    shared = [item for item, raters in items.items() if len(raters) > 1]
    raters = {rater for _, rater in placed.values()}
    recurs = all(sum(rater in of for of in items.values()) > 1 for rater in raters)
    return placed if len(shared) > 1 and recurs else {}


def _signature(files: Mapping[str, bytes], name: str, decode: Decoder) -> object:
    try:
        grid = decode(files[name], name).grid
    except FormatError:
        return None
    rounded = None if grid.affine is None else tuple(round(float(number), 3) for number in grid.affine.ravel())
    return grid.size, grid.spacing_mm if rounded is None else rounded
