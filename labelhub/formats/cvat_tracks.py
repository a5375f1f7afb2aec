"""Tracks of CVAT videos: from keyframes to one region a frame.

CVAT stores the frames that were drawn or moved (``keyframe``) and, in most exports, the frames between. Frames that
are stored are taken as they stand. Missing frames between two keyframes are filled in on straight lines where both
keyframes have the same number of points and the same kind, else the earlier one is held; where ``outside`` is set the
object is away until it appears again; after the last keyframe it stays as it was until the end of the task. Not here:
single images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from labelhub.formats.cvat_elements import MARK_TAGS, attributes_of, read_mark
from labelhub.formats.gathering import Gathering
from labelhub.formats.limits import MAX_FRAMES, number_or_none
from labelhub.formats.rle import LyingRunLengthsError, joined
from labelhub.formats.shapes import MaskRegion, Region, Shape, Value
from labelhub.formats.strict_xml import Element, tag_of

_Frame = tuple[Region | None, MaskRegion | None]


def read_track(
    found: Gathering,
    place: str,
    track: Element,
    labels: Mapping[str, Mapping[str, str]],
    *,
    last: int,
    step: int,
) -> Shape | None:
    """One shape over all frames of a track, or ``None`` with a problem noted."""
    label = track.attrib.get("label", "")
    if label not in labels:
        found.problem(
            place,
            f"The label {label[:60]!r} is not among the file's labels.",
            "Add it to the labels. The track was left out.",
        )
        return None
    frames: dict[int, _Frame] = {}
    attributes: dict[str, Value] = {}
    for mark in track:
        frame = number_or_none(mark.attrib.get("frame"))
        if tag_of(mark) not in MARK_TAGS:
            found.lose(f"elements <{tag_of(mark)[:40]}>", "LabelHub has no shape for them")
            continue
        if frame is None or not 0 <= frame < MAX_FRAMES or frame != int(frame):
            found.problem(place, "A frame of the track has no possible number.", "Export the file again.")
            continue
        if mark.attrib.get("outside") == "1":
            frames[int(frame)] = (None, None)
            continue
        drawn = read_mark(found, f"{place}, frame {int(frame)}", mark, z=int(frame))
        if drawn is None:
            continue
        regions, mask = drawn
        frames[int(frame)] = (regions[0] if regions else None, mask)
        given = attributes_of(found, place, mark, labels[label])
        if attributes and given != attributes:
            found.lose("attributes that change within a track", "a shape has one set of attributes; the first is kept")
        attributes = attributes or given
    return _shape(found, place, track.attrib.get("id", "?"), label, attributes, _filled(frames, last, max(step, 1)))


def _shape(
    found: Gathering, place: str, number: str, label: str, attributes: Mapping[str, Value], frames: Mapping[int, _Frame]
) -> Shape | None:
    regions = tuple(region for _, (region, _) in sorted(frames.items()) if region is not None)
    masks = [mask for _, (_, mask) in sorted(frames.items()) if mask is not None]
    try:
        mask = joined(masks) if masks else None
    except LyingRunLengthsError as error:
        found.problem(place, f"The masks of the track were refused: {error}.", "Split the track.")
        return None
    if not regions and mask is None:
        found.problem(place, "The track is nowhere inside the picture.", "Remove it, or draw it on a frame.")
        return None
    return Shape(f"track {number}", label, regions, mask, attributes)


def _filled(frames: Mapping[int, _Frame], last: int, step: int) -> dict[int, _Frame]:
    filled: dict[int, _Frame] = dict(frames)
    keys = sorted(frames)
    for position, start in enumerate(keys):
        region, _ = frames[start]
        end = keys[position + 1] if position + 1 < len(keys) else last + 1
        if region is None:
            continue
        following = frames.get(end, (None, None))[0]
        for frame in range(start + step, min(end, MAX_FRAMES), step):
            filled[frame] = (_between(region, following, (frame - start) / (end - start), frame), None)
    return filled


def _between(start: Region, end: Region | None, share: float, frame: int) -> Region:
    if end is None or end.kind != start.kind or end.points.shape != start.points.shape:
        return replace(start, z=frame)
    turn = (end.rotation_deg - start.rotation_deg + 180) % 360 - 180
    return replace(
        start,
        points=start.points + share * (end.points - start.points),
        rotation_deg=start.rotation_deg + share * turn,
        z=frame,
    )
