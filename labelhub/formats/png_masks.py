"""PNG masks: folders of label pictures in, one picture a class or a palette picture out.

Read: the number of a pixel is its grey value or palette index; of a colour picture, its colour (``#rrggbb``, black is
nothing), whose names may stand in ``labels.json``. Files are named like all label maps. Written, per read: one black
and white picture a class, so that overlapping classes stay whole, and one palette picture to look at. Not here: whose
a file is.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from labelhub.formats.gathering import WrittenFiles
from labelhub.formats.label_maps import MapLayout, read_volumes
from labelhub.formats.label_volumes import LabelVolume, refusal, whole_labels
from labelhub.formats.nifti_labels import class_numbers, safe_name
from labelhub.formats.raters_map import FileRaters
from labelhub.formats.shape_masks import shape_mask
from labelhub.formats.shapes import AnnotationSet, FormatError, Grid, Loss, Reading

MAX_PNG_PIXELS = 1 << 28
MAX_COLOURS = 256


def read_png_masks(
    files: Mapping[str, bytes], *, told: FileRaters | None = None, layout: MapLayout | None = None
) -> AnnotationSet:
    """Read PNG label pictures, given by relative name. Raises :class:`FormatError` where raters cannot be told."""
    return read_volumes("png-masks", files, decode_png, told=told, layout=layout)


def decode_png(data: bytes, place: str) -> LabelVolume:
    """A PNG file as a label map of one plane. Raises :class:`FormatError`."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_PNG_PIXELS:
                raise refusal(
                    place, f"The picture has {picture.width} x {picture.height} pixels, too many.", "Crop it."
                )
            is_colour = picture.mode not in ("1", "L", "P", "I", "I;16")
            values = np.asarray(picture.convert("RGB") if is_colour else picture)
    except FormatError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise refusal(
            place, f"This is not a readable PNG picture: {error}.", "Copy or export the file again."
        ) from None
    grid = Grid((1, int(values.shape[0]), int(values.shape[1])))
    if not is_colour:
        return LabelVolume(grid, (whole_labels(values, place)[np.newaxis],))
    codes = values.astype(np.int64) @ np.array([65_536, 256, 1])
    colours = [int(code) for code in np.unique(codes) if code]
    if len(colours) > MAX_COLOURS:
        raise refusal(place, f"The picture has {len(colours)} colours: a photograph, not a mask.", "Leave it out.")
    labels = np.searchsorted(np.array([0, *colours]), codes).astype(np.int32)
    names = {(0, number): f"#{code:06x}" for number, code in enumerate(colours, start=1)}
    return LabelVolume(grid, (labels[np.newaxis],), names)


def write_png_masks(annotations: AnnotationSet, *, values: Mapping[str, int] | None = None) -> WrittenFiles:
    """All reads as pictures (``masks/<rater>/<item>/<class>.png``, ``palette/<rater>/<item>.png``), and the losses.

    A plane of a volume becomes a picture of its own (``<class>_z0012.png``); ``values`` fixes the number of each class.
    """
    lost: Counter[tuple[str, str]] = Counter()
    numbers = class_numbers(annotations) | dict(values or {})
    items = {item.key: item for item in annotations.items}
    files: dict[str, bytes] = {}
    for reading in annotations.readings:
        item = items.get(reading.item)
        if item is None or not item.grids:
            lost["reads of items of unknown size", "a picture needs a size"] += 1
            continue
        if item.grids[0].spacing_mm is not None:
            lost["spacing and position in the patient", "PNG knows pixels only"] += 1
        folder = f"{safe_name(reading.rater)}/{safe_name(reading.item)}"
        folder += f".v{reading.version}" if reading.version > 1 else ""
        for name, data in _pictures(reading, item.grids[0], numbers, lost).items():
            files[f"{'masks' if name.startswith('/') else 'palette'}/{folder}{name}"] = data
    names = {str(number): label for label, number in numbers.items()}
    files["palette/labels.json"] = orjson.dumps(names, option=orjson.OPT_INDENT_2) + b"\n"
    return WrittenFiles(files, tuple(Loss(what, count, why) for (what, why), count in lost.items()))


def png_losses(annotations: AnnotationSet) -> tuple[Loss, ...]:
    """What PNG masks cannot carry of this set."""
    return write_png_masks(annotations).losses


def _pictures(
    reading: Reading, grid: Grid, numbers: Mapping[str, int], lost: Counter[tuple[str, str]]
) -> dict[str, bytes]:
    classes: dict[str, NDArray[np.bool_]] = {}
    for shape in reading.shapes:
        mask = shape_mask(shape, grid)
        if shape.medium or not mask.voxels.any():
            lost["shapes that enclose no pixel", "points, lines and tags have no pixels"] += 1
            continue
        if shape.label in classes:
            lost["that shapes of one class are several", "a mask holds classes, not objects"] += 1
        if shape.attributes:
            lost["attributes of shapes", "a mask holds pixels only"] += 1
        whole = classes.setdefault(shape.label, np.zeros(grid.size, dtype=np.bool_))
        z, y, x = (slice(start, start + n) for start, n in zip(mask.origin, mask.voxels.shape, strict=True))
        whole[z, y, x] |= mask.voxels
    if reading.answers or reading.read_kind != "unknown":
        lost["answers and read kinds", "a mask holds pixels only"] += 1
    indexed = np.zeros(grid.size, dtype=np.uint16)
    for label, whole in classes.items():
        if (indexed[whole] > 0).any():
            lost[
                "overlap in the palette picture",
                "the later class hides the earlier there; each class's own picture is whole",
            ] += 1
        indexed[whole] = numbers[label]
    files: dict[str, bytes] = {}
    for plane_index in range(grid.size[0]):
        plane = f"_z{plane_index:04d}" if grid.size[0] > 1 else ""
        if indexed[plane_index].any() or not plane:
            files[f"{plane}.png"] = palette_png(indexed[plane_index])
        for label, whole in classes.items():
            if whole[plane_index].any():
                files[f"/{numbers[label]:03d}_{safe_name(label)}{plane}.png"] = mask_png(whole[plane_index])
    return files


def mask_png(mask: NDArray[np.bool_]) -> bytes:
    """A black and white PNG of ``mask[y, x]``: 0 and 255."""
    return _bytes(Image.fromarray(mask.astype(np.uint8) * 255))


def palette_png(labels: NDArray[np.integer]) -> bytes:
    """A palette PNG of ``labels[y, x]``, whose index is the number of the class; above 255 a 16-bit grey PNG."""
    if labels.size and int(labels.max()) > 255:
        return _bytes(Image.fromarray(labels.astype(np.uint16)))
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette(_palette())
    return _bytes(picture)


def _palette() -> list[int]:
    """Black for nothing, then colours far apart: the bits of the number spread over red, green and blue (as in VOC)."""
    colours: list[int] = []
    for number in range(256):
        colour = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                colour[channel] |= ((number >> (3 * bit + channel)) & 1) << (7 - bit) if 3 * bit + channel < 8 else 0
        colours += colour
    return colours


def _bytes(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=False)
    return out.getvalue()
