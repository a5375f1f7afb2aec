"""Chest-CT reads of LIDC-IDRI: up to four radiologists a scan, nodule outlines on slices, nine ratings, small marks.

One file is one scan. Outlines of nodules of 3 mm and more run along the *outside* edge of the nodule, so every region
carries ``edge_excluded``; regions with inclusion FALSE are holes. A reader's number means nothing across files.
Coordinates are pixel indices and become centres (+ 0.5). The files state no pixel spacing, so no number from them may
be in millimetres within a slice; slice positions are kept. Not here: matching of nodules, masks, the chest X-ray
messages of the same project.

Armato et al. 2011, The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative (IDRI), Medical
Physics 38(2), 915-931; McNitt-Gray et al. 2007 for the reading process (every scan is planned to be read blinded,
then unblinded).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from labelhub.formats.gathering import Gathering
from labelhub.formats.limits import MAX_POINTS_A_REGION, number_or_none
from labelhub.formats.shapes import (
    AnnotationSet,
    FormatError,
    Grid,
    ItemRecord,
    QuestionSpec,
    Reading,
    ReadKind,
    Region,
    Shape,
    Value,
)
from labelhub.formats.strict_xml import Element, children, load_xml, tag_of, text_of

NODULE: Final = "nodule"
SMALL_NODULE: Final = "small nodule"
NON_NODULE: Final = "non-nodule"
LABELS: Final = (NODULE, SMALL_NODULE, NON_NODULE)

EMPTY_RULE: Final = (
    "Every reading session in a file is a completed read: a session without any mark is 'read, nothing found'; "
    "a radiologist without a session in the file has not read the scan."
)

_RATINGS: Final[Mapping[str, int]] = {
    "subtlety": 5,
    "internalStructure": 4,
    "calcification": 6,
    "sphericity": 5,
    "margin": 5,
    "lobulation": 5,
    "spiculation": 5,
    "texture": 5,
    "malignancy": 5,
}
_NOMINAL: Final = frozenset({"internalStructure", "calcification"})
_CT_COLUMNS: Final = 512
_NODULE_TAGS: Final = frozenset({"unblindedReadNodule", "blindedReadNodule", "readNodule"})

QUESTIONS: Final = tuple(
    QuestionSpec(key, "nominal" if key in _NOMINAL else "ordinal", tuple(range(1, top + 1)), on_shapes=True)
    for key, top in _RATINGS.items()
)


@dataclass(frozen=True, slots=True)
class _Planes:
    """The slices that a file mentions, lowest first, by their position in millimetres."""

    positions_mm: tuple[float, ...]

    def index(self, position_mm: float) -> int:
        return self.positions_mm.index(position_mm)


def is_lidc(root: Element) -> bool:
    """Whether an XML root is a CT reading message of the LIDC."""
    return tag_of(root) == "LidcReadMessage"


def read_lidc(files: Mapping[str, bytes]) -> AnnotationSet:
    """Read LIDC XML files, given by name, into one set; a file that cannot be read becomes a problem and the rest
    goes on.
    """
    found = Gathering()
    found.add_labels(LABELS)
    found.questions = {question.key: question for question in QUESTIONS}
    seen: dict[str, str] = {}
    for name in sorted(files):
        try:
            data = files[name]
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                found.problem(
                    name, f"This file is byte for byte {seen[digest]}; it was read once.", "Remove one of the two."
                )
                continue
            seen[digest] = name
            _read_file(found, name, load_xml(data, name), digest)
        except FormatError as error:
            found.add_problem(error.problem)
    found.note("A reader's number means nothing across scans, so no table by reader can be made.")
    found.note("The files carry no pixel spacing: areas and distances within a slice are in pixels, not millimetres.")
    return found.finish(
        "lidc", empty_means="read-empty", empty_rule=EMPTY_RULE, unit_name="scan", raters_identifiable=False
    )


def _read_file(found: Gathering, name: str, root: Element, digest: str) -> None:
    sessions = children(root, "readingSession")
    if not is_lidc(root) or not sessions:
        found.problem(
            name,
            f"This XML (root <{tag_of(root)}>) holds no CT reading session of the LIDC.",
            "Leave it out, or name its real format; chest X-ray messages of the LIDC are not read.",
        )
        return
    header = next(iter(children(root, "ResponseHeader")), root)
    series = text_of(header, "SeriesInstanceUid") or text_of(header, "SeriesInstanceUID")
    key = "scan-" + hashlib.sha256((series or digest).encode()).hexdigest()[:12]
    kind = _read_kind(found, text_of(header, "TaskDescription"), sessions)
    planes = _planes(root)
    earlier = [reading for reading in found.readings if reading.item == key]
    if earlier:
        planes = _merge_planes(found, key, planes)
        found.note(
            "Some scans are read in more than one file; the readers of later files are counted on from the first."
        )
        if any(reading.read_kind == kind for reading in earlier):
            kind = "repeat"
    shapes = [_session_shapes(found, name, number, session, planes) for number, session in enumerate(sessions, start=1)]
    if len(sessions) != 4:
        found.note("Some files hold fewer or more than four reading sessions.")
    _add_item(found, key, name, planes, [marks for marks, _ in shapes])
    for number, (marks, n_refused) in enumerate(shapes, start=1):
        if n_refused:
            found.leave_incomplete(key, str(len(earlier) + number))
        found.readings.append(
            Reading(
                item=key,
                rater=str(len(earlier) + number),
                shapes=tuple(marks),
                is_empty_read=not marks,
                read_kind=kind,
                planned_blind=True,
                asked_labels=LABELS,
                locator=f"{name}, reading session {number}",
            )
        )


def _read_kind(found: Gathering, task: str, sessions: list[Element]) -> ReadKind:
    tags = {tag_of(mark) for session in sessions for mark in session}
    lowered = task.lower()
    if "unblinded" in lowered or (not task and "unblindedReadNodule" in tags):
        found.note(
            "The files say that the reads are unblinded: "
            "each radiologist had seen the marks of the others before this read."
        )
        return "unblinded"
    if "blinded" in lowered or (not task and "blindedReadNodule" in tags):
        return "independent"
    return "unknown"


def _planes(root: Element) -> _Planes:
    positions = (number_or_none(text_of(e)) for e in root.iter() if tag_of(e) == "imageZposition")
    return _Planes(tuple(sorted({position for position in positions if position is not None})))


def _merge_planes(found: Gathering, key: str, planes: _Planes) -> _Planes:
    """Put the slices of two files of one scan into one order, and renumber what was read already."""
    old = found.items[key].grids[0].plane_positions_mm or ()
    merged = _Planes(tuple(sorted({*old, *planes.positions_mm})))
    renumber = {index: merged.index(position) for index, position in enumerate(old)}
    for place, reading in enumerate(found.readings):
        if reading.item == key:
            found.readings[place] = _renumbered(reading, renumber)
    return merged


def _renumbered(reading: Reading, renumber: Mapping[int, int]) -> Reading:
    shapes = tuple(
        replace(shape, regions=tuple(replace(region, z=renumber[region.z]) for region in shape.regions))
        for shape in reading.shapes
    )
    return replace(reading, shapes=shapes)


def _add_item(found: Gathering, key: str, name: str, planes: _Planes, sessions: list[list[Shape]]) -> None:
    reach = [region.points.max() for marks in sessions for shape in marks for region in shape.regions]
    side = max(_CT_COLUMNS, int(np.ceil(max(reach, default=0.0))) + 1)
    known = found.items.get(key)
    if known is not None:
        side = max(side, known.grids[0].size[1])
    grid = Grid(size=(max(len(planes.positions_mm), 1), side, side), plane_positions_mm=planes.positions_mm)
    found.note(
        "The files state no image size: scans are taken to have "
        "512 columns and rows, as CT has; only slices with a mark are "
        "known."
    )
    source = name if known is None else f"{known.source_id}, {name}"
    found.items[key] = ItemRecord(key, source_id=source, group=key, group_kind="scan", grids=(grid,))


def _session_shapes(
    found: Gathering, name: str, number: int, session: Element, planes: _Planes
) -> tuple[list[Shape], int]:
    """The marks of a session that could be read, and how many could not."""
    shapes: list[Shape] = []
    n_refused = 0
    for mark in session:
        tag = tag_of(mark)
        place = f"{name}, reading session {number}, mark {len(shapes) + 1}"
        if tag in _NODULE_TAGS:
            shape = _nodule(found, place, mark, planes, f"{number}.{len(shapes) + 1}")
        elif tag == "nonNodule":
            shape = _non_nodule(found, place, mark, planes, f"{number}.{len(shapes) + 1}")
        else:
            continue
        if shape is None:
            n_refused += 1
        else:
            shapes.append(shape)
    return shapes, n_refused


def _nodule(found: Gathering, place: str, mark: Element, planes: _Planes, shape_id: str) -> Shape | None:
    """A nodule of 3 mm or more has ratings or an outline; a smaller one has a single point and no ratings."""
    regions = [region for roi in children(mark, "roi") for region in _roi(found, place, roi, planes)]
    if not regions:
        found.problem(place, "This nodule has no point that could be read.", "Check the file at that place.")
        return None
    ratings = _ratings(found, place, mark)
    is_small = not ratings and all(region.kind == "points" for region in regions)
    return Shape(shape_id, SMALL_NODULE if is_small else NODULE, tuple(regions), attributes=ratings)


def _roi(found: Gathering, place: str, roi: Element, planes: _Planes) -> list[Region]:
    position = number_or_none(text_of(roi, "imageZposition"))
    points = [
        (number_or_none(text_of(edge, "xCoord")), number_or_none(text_of(edge, "yCoord")))
        for edge in children(roi, "edgeMap")
    ]
    usable = [(x + 0.5, y + 0.5) for x, y in points if x is not None and y is not None]
    if position is None or not usable or len(usable) < len(points) or len(points) > MAX_POINTS_A_REGION:
        found.problem(
            place, "An outline has no slice position or an unreadable point; it was left out.", "Check the file."
        )
        return []
    if len(usable) > 1 and usable[0] == usable[-1]:
        usable.pop()
    is_hole = text_of(roi, "inclusion").upper() == "FALSE"
    if len(usable) < 3:
        return _thin_outline(found, usable, planes.index(position), is_hole=is_hole, among=len(points))
    return [
        Region("polygon", np.array(usable), z=planes.index(position), is_hole=is_hole, edge_excluded=True),
    ]


def _thin_outline(
    found: Gathering, points: list[tuple[float, float]], z: int, *, is_hole: bool, among: int
) -> list[Region]:
    """An outline of one or two points encloses nothing: its place is kept, except where it would be cut out of
    something.
    """
    if is_hole:
        found.lose("holes of fewer than three points", "they enclose no pixel, so nothing is cut out")
        return []
    if among > 1:
        found.note("Some outlines have fewer than three distinct points; they are kept as points and enclose no pixel.")
    return [Region("points", np.array(points), z=z)]


def _ratings(found: Gathering, place: str, mark: Element) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for block in children(mark, "characteristics"):
        for key, top in _RATINGS.items():
            text = text_of(block, key)
            value = number_or_none(text)
            if value is not None and value in range(1, top + 1):
                given[key] = int(value)
            elif text not in ("", "0"):
                found.problem(
                    place, f"The rating {key} is {text[:20]!r}, outside 1 to {top}.", "It counts as not answered."
                )
    return given


def _non_nodule(found: Gathering, place: str, mark: Element, planes: _Planes, shape_id: str) -> Shape | None:
    position = number_or_none(text_of(mark, "imageZposition"))
    x = number_or_none(text_of(mark, "locus", "xCoord"))
    y = number_or_none(text_of(mark, "locus", "yCoord"))
    if position is None or x is None or y is None:
        found.problem(place, "This non-nodule mark has no readable place.", "Check the file at that place.")
        return None
    point = np.array([[x + 0.5, y + 0.5]])
    return Shape(shape_id, NON_NODULE, (Region("points", point, z=planes.index(position)),))
