"""How much input the readers accept before they refuse it: sizes, depths and counts in one place.

The numbers stand well above what real projects hold and well below what would exhaust a machine. Not here: the memory
and time limits of the process that decodes pixels.
"""

from __future__ import annotations

import math
from typing import Final

MAX_FILE_BYTES: Final = 1 << 30
MAX_TOTAL_BYTES: Final = 8 << 30
MAX_FILES: Final = 200_000
MAX_FOLDER_DEPTH: Final = 12
MAX_ZIP_RATIO: Final = 200
ZIP_RATIO_APPLIES_ABOVE_BYTES: Final = 1 << 26
MAX_XML_DEPTH: Final = 64
MAX_XML_ELEMENTS: Final = 20_000_000
MAX_JSON_DEPTH: Final = 128
MAX_SHAPES: Final = 5_000_000
MAX_POINTS_A_REGION: Final = 1_000_000
MAX_MASK_VOXELS: Final = 1 << 30
MAX_COORDINATE: Final = 1e7
MAX_FRAMES: Final = 1_000_000
MAX_TEXT: Final = 10_000
MAX_PROBLEMS_LISTED: Final = 1_000


def is_usable_number(value: object) -> bool:
    """Whether a value is a finite number within the range any pixel coordinate can take."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and abs(value) <= MAX_COORDINATE
    )


def number_or_none(text: object) -> float | None:
    """The finite number that a text or a number states, or ``None`` where it states none."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if is_usable_number(value) else None
