"""DICOM media: single images, series as volumes, multi-frame files as volumes or frames, tiled slides as one picture.

Each rule has its own module: which files belong together (``dicom_series``), what a pixel's value is
(``dicom_frames``), where slices lie (``dicom_geometry``), what may be kept (``deidentify``). Here they are put
together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.formats.pixels.deidentify import allowed_metadata, identity_of, numbers_of
from labelhub.formats.pixels.dicom_frames import (
    default_window,
    frame_count,
    frame_shape,
    functional_group,
    open_header,
    read_frames,
    value_meaning,
)
from labelhub.formats.pixels.dicom_geometry import (
    SlicePlane,
    StackGeometry,
    single_affine,
    slice_plane,
    stack_geometry,
)
from labelhub.formats.pixels.dicom_series import DicomFile, DicomStack, plane_of
from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.geometry import acquired_plane, canonical_volume, grid_of
from labelhub.formats.pixels.medium import DecodedMedium, SliceStack, check_pixel_count
from labelhub.formats.shapes import Grid


def read_stack(stack: DicomStack, *, max_bytes: int) -> DecodedMedium:
    """The medium that a stack of files makes. Raises :class:`PixelError`; nothing of the stack is kept then."""
    if len(stack.files) > 1:
        return _read_series(stack, max_bytes)
    file = stack.files[0]
    dataset = open_header(file.path, file.place)
    if numbers_of(dataset, "TotalPixelMatrixRows"):
        return _read_slide(dataset, file, max_bytes)
    if frame_count(dataset, file.place) > 1:
        return _read_multi_frame(dataset, file, max_bytes)
    return _read_single(dataset, file, stack.warnings, max_bytes)


def _read_series(stack: DicomStack, max_bytes: int) -> DecodedMedium:
    headers = [open_header(file.path, file.place) for file in stack.files]
    place = f"{stack.files[0].place} and {len(stack.files) - 1} more"
    planes = [
        plane for header, file in zip(headers, stack.files, strict=True) if (plane := plane_of(header, file.place))
    ]
    geometry = stack_geometry(planes, place)
    shape = frame_shape(headers[0], place)
    slices: SliceStack | None = None
    for z, number in enumerate(geometry.order):
        file = stack.files[number]
        (frame,) = read_frames(headers[number], file.path, file.place, max_bytes=max_bytes)
        if slices is None:
            slices = SliceStack((len(planes), *shape), frame.dtype, max_bytes=max_bytes, place=place)
        slices.put(z, frame)
    assert slices is not None
    pixels, told = slices.finish()
    ordered = [headers[number] for number in geometry.order]
    sources = tuple(stack.files[number].number for number in geometry.order)
    return _volume(pixels, geometry, ordered, sources, (*stack.warnings, *told))


def _read_single(dataset: Any, file: DicomFile, warnings: tuple[str, ...], max_bytes: int) -> DecodedMedium:
    pixels, told = _all_frames(dataset, file, max_bytes)
    size = (1, pixels.shape[1], pixels.shape[2])
    plane = plane_of(dataset, file.place)
    thickness = numbers_of(dataset, "SliceThickness")
    spacing = numbers_of(dataset, "PixelSpacing")
    if plane is not None:
        thick = thickness[0] if thickness and thickness[0] > 0 else None
        grid = grid_of(size, single_affine(plane, thick, file.place))
    elif len(spacing) == 2 and min(spacing) > 0:
        grid = Grid(size=size, spacing_mm=(1.0, spacing[0], spacing[1]))
    else:
        grid = Grid(size=size)
        if numbers_of(dataset, "ImagerPixelSpacing"):
            told = (*told, "Only the spacing at the detector is known; distances are in pixels.")
    meaning = value_meaning(dataset)
    return DecodedMedium(
        kind="photograph",
        pixels=pixels,
        grid=grid,
        value_meaning=meaning,
        window=default_window(dataset, meaning),
        metadata=allowed_metadata(dataset),
        identity=identity_of([dataset]),
        warnings=(*warnings, *told, *_unit_warning(dataset)),
        sources=(file.number,),
    )


def _read_multi_frame(dataset: Any, file: DicomFile, max_bytes: int) -> DecodedMedium:
    pixels, told = _all_frames(dataset, file, max_bytes)
    planes = [_frame_plane(dataset, frame, file.place) for frame in range(len(pixels))]
    known = [plane for plane in planes if plane is not None]
    if len(known) == len(planes) and len({plane.key() for plane in known}) == 1:
        if len({tuple(round(v, 3) for v in plane.position) for plane in known}) == len(known):
            geometry = stack_geometry(known, file.place)
            return _volume(_reordered(pixels, geometry.order), geometry, [dataset], (file.number,), told)
        told = (*told, "Frames repeat places; they were left as frames in the file's order.")
    elif known:
        told = (*told, "Frames lie in several directions; they were left as frames in the file's order.")
    meaning = value_meaning(dataset)
    return DecodedMedium(
        kind="frames",
        pixels=pixels,
        grid=Grid(size=(pixels.shape[0], pixels.shape[1], pixels.shape[2])),
        value_meaning=meaning,
        window=default_window(dataset, meaning),
        metadata=allowed_metadata(dataset),
        identity=identity_of([dataset]),
        warnings=told,
        sources=(file.number,),
    )


def _read_slide(dataset: Any, file: DicomFile, max_bytes: int) -> DecodedMedium:
    """Tiles of a whole-slide image (PS3.3 C.8.12.4) put together; the matrix counts from 1, edge tiles are cut."""
    rows, columns = (int(numbers_of(dataset, f"TotalPixelMatrix{word}")[0]) for word in ("Rows", "Columns"))
    tile = frame_shape(dataset, file.place)
    planes = numbers_of(dataset, "TotalPixelMatrixFocalPlanes")
    paths = numbers_of(dataset, "NumberOfOpticalPaths")
    if (planes and planes[0] > 1) or (paths and paths[0] > 1) or min(rows, columns) < 1:
        raise PixelError(
            "The slide holds several focal planes or optical paths.",
            place=file.place,
            remedy="Export one plane and path, or a region as TIFF.",
        )
    check_pixel_count((rows, columns, *tile[2:]), 4, max_bytes=max_bytes, place=file.place)
    per_row = -(-columns // tile[1])
    picture: NDArray[Any] | None = None
    for number, frame in enumerate(read_frames(dataset, file.path, file.place, max_bytes=max_bytes)):
        spot = functional_group(dataset, number, "PlanePositionSlideSequence")
        top, left = number // per_row * tile[0], number % per_row * tile[1]
        if spot is not None:
            at = [numbers_of(spot, f"{word}PositionInTotalImagePixelMatrix") for word in ("Row", "Column")]
            top, left = (int(value[0]) - 1 if value else -1 for value in at)
        if not (0 <= top < rows and 0 <= left < columns):
            raise PixelError(
                "A tile lies outside the slide.", place=f"{file.place}, frame {number + 1}", remedy="Export again."
            )
        if picture is None:
            picture = np.zeros((rows, columns, *tile[2:]), dtype=frame.dtype)
        part = picture[top : top + tile[0], left : left + tile[1]]
        part[...] = frame[: part.shape[0], : part.shape[1]]
    assert picture is not None
    stack = SliceStack((1, *picture.shape), picture.dtype, max_bytes=max_bytes, place=file.place)
    stack.put(0, picture)
    pixels, told = stack.finish()
    measures = functional_group(dataset, 0, "PixelMeasuresSequence")
    spacing = numbers_of(measures, "PixelSpacing") if measures is not None else ()
    size = (1, rows, columns)
    grid = Grid(size, (1.0, spacing[0], spacing[1])) if len(spacing) == 2 and min(spacing) > 0 else Grid(size)
    return DecodedMedium(
        kind="photograph",
        pixels=pixels,
        grid=grid,
        value_meaning=value_meaning(dataset),
        metadata=allowed_metadata(dataset),
        identity=identity_of([dataset]),
        warnings=told,
        sources=(file.number,),
    )


def _volume(
    pixels: NDArray[Any], geometry: StackGeometry, headers: list[Any], sources: tuple[int, ...], told: tuple[str, ...]
) -> DecodedMedium:
    canonical, grid, orientation = canonical_volume(pixels, geometry.affine)
    meaning = value_meaning(headers[0])
    return DecodedMedium(
        kind="volume",
        pixels=canonical,
        grid=grid,
        value_meaning=meaning,
        window=default_window(headers[0], meaning),
        metadata={**allowed_metadata(headers[0]), "acquired_plane": acquired_plane(orientation)},
        identity=identity_of(headers),
        orientation=orientation,
        warnings=(*told, *geometry.warnings, *_unit_warning(headers[0])),
        sources=sources,
    )


def _all_frames(dataset: Any, file: DicomFile, max_bytes: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    count, shape = frame_count(dataset, file.place), frame_shape(dataset, file.place)
    slices: SliceStack | None = None
    for z, frame in enumerate(read_frames(dataset, file.path, file.place, max_bytes=max_bytes)):
        if slices is None:
            slices = SliceStack((count, *shape), frame.dtype, max_bytes=max_bytes, place=file.place)
        slices.put(z, frame)
    assert slices is not None
    return slices.finish()


def _reordered(pixels: NDArray[Any], order: tuple[int, ...]) -> NDArray[Any]:
    """Frames in the order of their places, as a view where they already lie so, or the other way round."""
    straight = tuple(range(len(pixels)))
    if order in {straight, straight[::-1]}:
        return pixels if order == straight else pixels[::-1]
    return pixels[list(order)]


def _frame_plane(dataset: Any, frame: int, place: str) -> SlicePlane | None:
    names = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
    position, orientation, measures = (functional_group(dataset, frame, name) for name in names)
    if position is None or orientation is None or measures is None:
        return None
    return slice_plane(
        numbers_of(position, "ImagePositionPatient"),
        numbers_of(orientation, "ImageOrientationPatient"),
        numbers_of(measures, "PixelSpacing"),
        f"{place}, frame {frame + 1}",
    )


def _unit_warning(header: Any) -> tuple[str, ...]:
    if header.get("Modality") == "CT" and value_meaning(header) == "intensity":
        return ("The file does not say how to get Hounsfield units; stored values are shown.",)
    return ()
