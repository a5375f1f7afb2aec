"""Plain shapes: what several people said about some images, free of any file format and of any database.

Every reader in this package returns an :class:`AnnotationSet`; every writer takes one; ``scoring.gather`` turns one
into arrays. Stored annotations of the server are turned into the same classes, so that the numbers on a page and the
numbers of ``analyze`` come from the same code.

Coordinates. Points are ``(x, y)`` in continuous pixel coordinates of one plane: the pixel in column ``i`` and row ``j``
covers ``[i, i+1) x [j, j+1)``, its centre is ``(i + 0.5, j + 0.5)`` (the convention of COCO). Plane ``z`` is an index
from 0. Masks are boolean arrays ``mask[z, y, x]``. Not here: file syntax, matching, scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Points: TypeAlias = NDArray[np.float64]
Value: TypeAlias = str | float | int | bool | tuple[str, ...]

RegionKind = Literal["box", "polygon", "ellipse", "polyline", "points"]
ReadKind = Literal[
    "independent", "assisted", "unblinded", "co-edited", "rework", "repeat", "adjudication", "training", "unknown"
]
EmptyMeans = Literal["read-empty", "not-read"]
Measure = Literal["nominal", "ordinal", "interval", "ratio"]


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of one medium: how many, how large, and where in the patient.

    ``size`` is ``(z, y, x)`` in voxels (``z`` is 1 for a photograph). ``spacing_mm`` is ``(z, y, x)`` in millimetres
    or ``None`` where unknown; distances are then in pixels. ``affine`` is 4x4, maps the index ``(x, y, z, 1)`` of a
    voxel centre to millimetres in RAS+ (the convention of NIfTI), or ``None``. ``plane_positions_mm`` holds the
    position of each plane along the patient where only that is known (LIDC: the planes are the marked slices, not all
    of them, and need not be equally far apart).
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    affine: NDArray[np.float64] | None = None
    plane_positions_mm: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MaskRegion:
    """A piece of a mask: ``voxels[z, y, x]`` (bool) placed with its first voxel at ``origin`` ``(z, y, x)`` of the
    grid.
    """

    voxels: NDArray[np.bool_]
    origin: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One piece of a shape on one plane.

    ``points`` is float64 ``(n, 2)``: the corners ``(x0, y0), (x1, y1)`` of a box, the vertices of a polygon or
    polyline, the centre and the radii ``(rx, ry)`` of an ellipse, the keypoints of ``points``. ``is_hole`` marks a
    polygon that is cut out of the shape's others on the same plane. ``visibility`` (COCO: 0 not labelled, 1 hidden, 2
    visible) goes with keypoints only. ``rotation_deg`` turns a box or ellipse clockwise about its centre.
    ``edge_excluded`` says that the outline itself lies outside the object (LIDC's contours).
    """

    kind: RegionKind
    points: Points
    z: int = 0
    is_hole: bool = False
    visibility: tuple[int, ...] = ()
    rotation_deg: float = 0.0
    edge_excluded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One object that one person marked: regions on one or many planes, or a mask, with its class and attributes.

    A shape with neither region nor mask says only that the object is there (a class tag with answers).
    """

    shape_id: str
    label: str
    regions: tuple[Region, ...] = ()
    mask: MaskRegion | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    medium: int = 0
    source: str = "drawn"


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one rater said of one item in one sitting: the plain form of a submission.

    ``asked_labels`` and ``asked_questions`` are the scope: ``None`` means everything in the set's lists was asked.
    Outside the scope is "not asked", never negative. ``is_empty_read`` is an explicit *no finding*. ``version``
    counts from 1. ``planned_blind`` says that the read was planned before any label of the item was seen. ``locator``
    names the place in the source (a file, a task id) for messages to administrators. ``submitted_at`` is when the reading was
    finished, where the source says so; ``ontology`` and ``guideline`` are the versions that it was made under.
    """

    item: str
    rater: str
    shapes: tuple[Shape, ...] = ()
    answers: Mapping[str, Value] = field(default_factory=dict)
    is_empty_read: bool = False
    read_kind: ReadKind = "unknown"
    planned_blind: bool | None = None
    version: int = 1
    asked_labels: tuple[str, ...] | None = None
    asked_questions: tuple[str, ...] | None = None
    locator: str = ""
    submitted_at: datetime | None = None
    ontology: int | None = None
    guideline: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ItemRecord:
    """One thing that was read. ``group`` is the highest known unit above it (patient, else study), else ``None``.

    ``group_kind`` names that unit (``"patient"``, ``"study"``, ``"scan"``, ``"image"``). ``source_id`` is the id that
    the source's users know (a task number, a file name). ``grids`` has one entry a medium and may be empty where
    nothing is known.
    """

    key: str
    source_id: str = ""
    group: str | None = None
    group_kind: str = "unknown"
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionSpec:
    """A question with closed answers or numbers. ``measure`` decides which distance agreement uses.

    ``on_shapes`` tells whether it is asked of each shape (answers in ``Shape.attributes``) or of the item
    (``Reading.answers``). ``choices`` are in their order where the measure is ordinal.
    """

    key: str
    measure: Measure = "nominal"
    choices: tuple[Value, ...] = ()
    on_shapes: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the input that could not be used: where it is, what happened, what to do. ``fatal``: nothing was
    read.
    """

    place: str
    message: str
    remedy: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """Something a format could not carry (or a reader does not keep), with how often and why."""

    what: str
    count: int
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class AnnotationSet:
    """Everything read from one source: the items, who read them, and what could not be kept.

    ``raters_identifiable`` is false where a rater's number means nothing across items (LIDC): then no table a rater
    may be shown. ``empty_means`` states how the source's "nothing drawn" is to be taken; ``empty_rule`` says in a
    sentence how the reader tells "read, empty" from "not read". ``unit_name`` is what the source calls an item
    ("scan", "image").
    """

    format: str
    items: tuple[ItemRecord, ...]
    readings: tuple[Reading, ...]
    labels: tuple[str, ...] = ()
    questions: tuple[QuestionSpec, ...] = ()
    raters_identifiable: bool = True
    empty_means: EmptyMeans = "not-read"
    empty_rule: str = ""
    unit_name: str = "item"
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    losses: tuple[Loss, ...] = ()


class FormatError(ValueError):
    """The input cannot be read at all. Carries the :class:`Problem` that says where, what and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.place}: {problem.message} {problem.remedy}")
        self.problem = problem
