"""PNG, JPEG, BMP and TIFF, through Pillow: photographs, and TIFF files of several pages as frames.

EXIF orientation is applied, palettes become colours, transparent pixels are laid on black, 16-bit grey stays 16-bit.
Resolution tags are ignored: dots an inch are not a spacing in the patient. No metadata is kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.medium import DecodedMedium, MediumKind, SliceStack, check_pixel_count
from labelhub.formats.shapes import Grid

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
_REMEDY = "Open the picture in an image program and save it again as PNG or TIFF."
_MAX_PAGES = 10_000
_NEW_SUBFILE_TYPE = 254

# Pillow refuses more than twice this; smaller sizes are checked here against the cap before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = 1 << 29


def read_photograph(path: Path, place: str, *, max_bytes: int) -> Iterator[DecodedMedium]:
    """The picture in a file, or its pages as frames. Raises :class:`PixelError`."""
    warnings = _png_depth_warning(path)
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise PixelError(
            "The picture announces more than a thousand million pixels.",
            place=place,
            remedy="If the size is real, cut it into pieces.",
        ) from error
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        raise _unreadable(place) from error
    with image:
        pages = _full_pages(image, place)
        if len(pages) < getattr(image, "n_frames", 1):
            warnings = (*warnings, "Reduced copies of the picture in the file were left out.")
        yield _read_pages(image, pages, place, max_bytes, warnings)


def _read_pages(
    image: Image.Image, pages: list[int], place: str, max_bytes: int, warnings: tuple[str, ...]
) -> DecodedMedium:
    stack: SliceStack | None = None
    for z, page in enumerate(pages):
        spot = place if len(pages) == 1 else f"{place}, page {page + 1}"
        plane, told = _read_page(image, page, spot, max_bytes)
        if stack is None:
            first = plane.shape
            stack = SliceStack((len(pages), *first), plane.dtype, max_bytes=max_bytes, place=place)
        elif plane.shape != first:
            raise PixelError(
                "The pages of this TIFF differ in size or colour.",
                place=spot,
                remedy="Save each page as a file of its own.",
            )
        stack.put(z, plane)
        warnings = tuple(dict.fromkeys((*warnings, *told)))
    assert stack is not None
    pixels, told = stack.finish()
    kind: MediumKind = "photograph" if len(pages) == 1 else "frames"
    return DecodedMedium(
        kind=kind,
        pixels=pixels,
        grid=Grid(size=(pixels.shape[0], pixels.shape[1], pixels.shape[2])),
        value_meaning="RGB" if pixels.ndim == 4 else "intensity",
        warnings=(*warnings, *told),
    )


def _full_pages(image: Image.Image, place: str) -> list[int]:
    """The pages of a TIFF that are no reduced copies of another."""
    try:
        count = getattr(image, "n_frames", 1)
        if image.format != "TIFF" or count == 1:
            return [0]
        if count > _MAX_PAGES:
            raise PixelError(f"The file has more than {_MAX_PAGES} pages.", place=place, remedy="Split it.")
        pages = []
        for page in range(count):
            image.seek(page)
            if not int(image.tag_v2.get(_NEW_SUBFILE_TYPE, 0)) & 1:  # type: ignore[attr-defined]
                pages.append(page)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, struct.error, EOFError) as error:
        raise _unreadable(place) from error
    return pages or [0]


def _read_page(image: Image.Image, page: int, place: str, max_bytes: int) -> tuple[NDArray[Any], tuple[str, ...]]:
    try:
        if page or getattr(image, "n_frames", 1) > 1:
            image.seek(page)
        check_pixel_count((image.height, image.width, len(image.getbands())), 1, max_bytes=max_bytes, place=place)
        return _to_array(ImageOps.exif_transpose(image))
    except PixelError:
        raise
    # What codecs raise on damaged input is as varied as the damage; memory and everything else about us passes through.
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, struct.error, EOFError) as error:
        raise _unreadable(place) from error


def _to_array(image: Image.Image) -> tuple[NDArray[Any], tuple[str, ...]]:
    mode = image.mode
    if mode in {"L", "RGB"} and "transparency" not in image.info:
        return np.asarray(image), ()
    if mode == "1":
        return np.asarray(image.convert("L")), ()
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), ()
    if mode == "I":
        return np.asarray(image).astype(np.int32), ()
    if mode == "F":
        return np.asarray(image).astype(np.float32), ()
    if mode in {"LA", "La", "RGBA", "RGBa", "PA", "P", "L", "RGB"}:
        return _without_alpha(image)
    return np.asarray(image.convert("RGB")), (f"Colours were converted from {mode} to RGB.",)


def _without_alpha(image: Image.Image) -> tuple[NDArray[Any], tuple[str, ...]]:
    colours = np.asarray(image.convert("RGBA"))
    alpha = colours[..., 3]
    is_grey = image.mode in {"L", "LA", "La"}
    if (alpha == 255).all():
        opaque, told = colours[..., :3], tuple[str, ...]()
    else:
        weighted = colours[..., :3].astype(np.uint32) * alpha[..., np.newaxis]
        opaque, told = ((weighted + 127) // 255).astype(np.uint8), ("Transparent pixels were laid on black.",)
    return np.ascontiguousarray(opaque[..., 0] if is_grey else opaque), told


def _png_depth_warning(path: Path) -> tuple[str, ...]:
    """Pillow reads 16-bit colour at 8 bits; the header tells, byte 24 is the depth and byte 25 the colour type."""
    with path.open("rb") as stream:
        head = stream.read(26)
    if head.startswith(b"\x89PNG") and len(head) == 26 and head[24] == 16 and head[25] in {2, 4, 6}:
        return ("16 bits a colour were read as 8.",)
    return ()


def _unreadable(place: str) -> PixelError:
    return PixelError(
        "The picture is damaged, cut short or of a kind that cannot be read.", place=place, remedy=_REMEDY
    )
