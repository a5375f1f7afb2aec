"""What a reader looked at: for each medium everything, or ranges of slices. Outside it is "not looked at", never
negative.
 The document: ``{"media": [{"medium": 0, "whole": true}, {"medium": 1, "slices": [[0, 17], [40, 40]]}]}``, ends
included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelhub.annotations.errors import AnnotationRefused
from labelhub.catalog.models import Medium


def whole_extent(media: Sequence[Medium]) -> dict[str, Any]:
    """Return the extent of somebody who saw everything of every medium."""
    return {"media": [{"medium": medium.ordinal, "whole": True} for medium in media]}


def checked_extent(extent: Mapping[str, Any], media: Sequence[Medium]) -> dict[str, Any]:
    """Return ``extent`` in its plain form. Raises ``AnnotationRefused`` (``extent-wrong``) where it is none of these
    media.
    """
    depths = {medium.ordinal: medium.size_z for medium in media}
    entries = extent.get("media")
    if (
        not isinstance(entries, list)
        or not all(isinstance(entry, Mapping) for entry in entries)
        or len(entries) > len(depths)
    ):
        raise _wrong()
    return {"media": [_entry(entry, depths) for entry in entries]}


def _entry(entry: Mapping[str, Any], depths: Mapping[int, int]) -> dict[str, Any]:
    ordinal = entry.get("medium")
    if not isinstance(ordinal, int) or ordinal not in depths:
        raise _wrong()
    if entry.get("whole") is True:
        return {"medium": ordinal, "whole": True}
    ranges = entry.get("slices")
    if not isinstance(ranges, list) or len(ranges) > depths[ordinal]:
        raise _wrong()
    for pair in ranges:
        is_pair = isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
        if not is_pair or not 0 <= pair[0] <= pair[1] < depths[ordinal]:
            raise _wrong()
    return {"medium": ordinal, "slices": ranges}


def _wrong() -> AnnotationRefused:
    return AnnotationRefused(
        "extent-wrong",
        "The slices said to be seen are not slices of this image. Nothing was submitted. Reload the page.",
        status=422,
    )
