"""How a trial of co-editing is judged: the log, the mask, the shapes and the submission against what was made and acknowledged.

The model knows nothing of the fold: equal copies can agree and be wrong. Not here: who drew and how (``coedits``, ``sockets``,
``browser_schedules``).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.accounts.models import User
from labelhub.annotations import history, log
from labelhub.annotations.fold import LayerKey
from labelhub.annotations.layers import Layer, paint_layers
from labelhub.annotations.models import Annotation, Document, Operation
from labelhub.assignments.models import Assignment
from labelhub.catalog.blobs import read_blob
from labelhub.config.soak.report import Trial
from labelhub.formats.mask_blob import decode_mask
from labelhub.workflow import lifecycle

SIDE = 32


@dataclass
class Ledger:
    """What was acknowledged to whom: the model's only source beside the operations as they were made."""

    made: dict[str, tuple[User, dict[str, Any]]] = field(default_factory=dict)
    placed: dict[str, int] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)

    def note(self, answer: Any) -> None:
        """Write down an acknowledgement; one that contradicts an earlier one is a failure."""
        if isinstance(answer, log.Acknowledged):
            for op_id, seq in answer.seq.items():
                if self.placed.setdefault(op_id, seq) != seq:
                    self.moved.append(op_id)


def judge_log(trial: Trial, told: str, document: Document, ledger: Ledger) -> list[Operation] | None:
    """Hold the log against what was made and acknowledged; None where operations stand there that nobody made."""
    rows = list(Operation.objects.filter(document=document).order_by("seq").select_related("author"))
    stored = {str(row.op_id): row for row in rows}
    trial.check([row.seq for row in rows] == list(range(1, len(rows) + 1)), f"{told}the log has a gap or a double")
    trial.check(len(stored) == len(rows), f"{told}an operation is in the log twice")
    trial.check(not ledger.moved, f"{told}{len(ledger.moved)} operations were acknowledged at two places")
    lost = [op_id for op_id, seq in ledger.placed.items() if op_id not in stored or stored[op_id].seq != seq]
    trial.check(not lost, f"{told}{len(lost)} acknowledged operations are missing or elsewhere")
    unmade = [op_id for op_id in stored if op_id not in ledger.made]
    trial.check(not unmade, f"{told}{len(unmade)} operations stand there that nobody made")
    if unmade:
        return None
    forged = [row for row in rows if ledger.made[str(row.op_id)][0].pk != row.author_id]
    trial.check(not forged, f"{told}{len(forged)} operations stand under another's name")
    turned = _turned([str(row.op_id) for row in rows], ledger)
    trial.check(not turned, f"{told}{turned} operations stand in another order than they were made in")
    return rows


@dataclass(frozen=True, slots=True)
class Standing:
    """What the server holds at the end: the mask of the painted class ``[y, x]``, the layers, the shapes' regions."""

    mask: NDArray[np.bool_]
    layers: dict[LayerKey, Layer]
    shapes: dict[str, Any]


def judge_state(
    trial: Trial, told: str, document: Document, rows: Sequence[Operation], ledger: Ledger,
    size: tuple[int, int] = (SIDE, SIDE),
) -> Standing:  # fmt: skip
    """Hold what the server's fold says against the model; return what the server holds."""
    current = Document.objects.select_related("assignment").get(pk=document.pk)
    state = history.state_of(current)
    layers = paint_layers(state, {0: (1, *size)}, history.masks_of(current, state))
    layer = layers.get((0, "area"))
    mask = np.zeros(size, dtype=np.bool_)
    if layer is not None:
        place = zip(layer.origin[1:], layer.voxels.shape[1:], strict=True)
        mask[tuple(slice(at, at + extent) for at, extent in place)] = layer.voxels[0]
    wanted, standing = model([(ledger.made[str(row.op_id)], str(row.op_id)) for row in rows], size)
    trial.check(np.array_equal(mask, wanted), f"{told}the mask is not what the model says")
    shapes = {shape.shape_id: list(shape.regions) for shape in state.standing_shapes()}
    trial.check(shapes == standing, f"{told}the shapes are not what the model says")
    return Standing(mask, layers, shapes)


def _turned(stored: Sequence[str], ledger: Ledger) -> int:
    """Return how many of a person's operations stand before an earlier one of theirs."""
    made = {op_id: place for place, op_id in enumerate(ledger.made)}
    count, last = 0, dict.fromkeys((user.pk for user, _ in ledger.made.values()), -1)
    for op_id in stored:
        user = ledger.made[op_id][0].pk
        count += made[op_id] < last[user]
        last[user] = max(last[user], made[op_id])
    return count


def judge_submission(trial: Trial, told: str, work: Assignment, mask: NDArray[np.bool_], is_drawn: bool) -> None:
    """Submit, and hold what is frozen against what was drawn."""
    if not is_drawn:
        return
    is_empty = not mask.any() and not history.state_of(Document.objects.get(assignment=work)).standing_shapes()
    user = work.labeler.user
    assert user is not None
    submission = lifecycle.submit(assignment=work, by=user, request_id=uuid.uuid4(), no_finding=is_empty)
    frozen = np.zeros_like(mask)
    for row in Annotation.objects.filter(submission=submission, mask__isnull=False).select_related("mask"):
        assert row.mask is not None
        voxels = decode_mask(read_blob(row.mask))[0].astype(np.bool_)
        _, y, x = row.mask_origin or (0, 0, 0)
        frozen[y : y + voxels.shape[0], x : x + voxels.shape[1]] = voxels
    trial.check(np.array_equal(frozen, mask), f"{told}the submission is not what was drawn")


def model(
    entries: Sequence[tuple[tuple[User, dict[str, Any]], str]], size: tuple[int, int] = (SIDE, SIDE)
) -> tuple[NDArray[np.bool_], dict[str, Any]]:
    """Return the mask and the standing shapes after the operations in this order, by other means than the fold's.

    Strokes are painted anew from the list of those that are not taken back, pixel by pixel (:func:`_covered`); of shapes the
    last geometry counts.
    """
    strokes: list[tuple[str, dict[str, Any]]] = []
    undone: dict[str, bool] = {}
    regions: dict[str, Any] = {}
    deleted: dict[str, bool] = {}
    for (_, operation), _ in entries:
        kind, payload = operation["kind"], operation["payload"]
        if kind == "stroke.add":
            strokes.append((payload["stroke_id"], payload))
        elif kind.startswith("stroke."):
            undone[payload["stroke_id"]] = kind == "stroke.undo"
        elif kind in ("shape.add", "shape.geometry"):
            regions[payload["shape_id"]] = payload["regions"]
        else:
            deleted[payload["shape_id"]] = kind == "shape.delete"
    mask = np.zeros(size, dtype=np.bool_)
    for stroke_id, payload in strokes:
        if not undone.get(stroke_id):
            mask[_covered(payload, size)] = payload["mode"] == "add"
    return mask, {key: value for key, value in regions.items() if not deleted.get(key)}


def _covered(payload: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels whose centres lie within the radius of the path, in whole quarter pixels: exact, by Pythagoras.

    Of a square tip one dab is known; the path of a round one may have many places, none further than 1,024 from the next.
    """
    rows, columns = (4 * np.arange(extent, dtype=np.int64) + 2 for extent in size)
    radius, path = payload["radius"], np.array(payload["points"], dtype=np.int64).reshape(-1, 2)
    if payload["tip"] == "square":
        ((x, y),) = path
        return np.asarray((np.abs(rows - y) <= radius)[:, np.newaxis] & (np.abs(columns - x) <= radius))
    covered = np.zeros(size, dtype=np.bool_)
    for (ax, ay), (bx, by) in zip(path, path[1:] if len(path) > 1 else path, strict=False):
        px, py = (columns - ax)[np.newaxis], (rows - ay)[:, np.newaxis]
        dx, dy = bx - ax, by - ay
        length2, along = dx * dx + dy * dy, px * dx + py * dy
        is_beside = (along > 0) & (along < length2)
        near = ((px * px + py * py) * length2 - along * along <= radius * radius * length2) & is_beside
        covered |= near | (px * px + py * py <= radius * radius)
        covered |= (columns - bx)[np.newaxis] ** 2 + (rows - by)[:, np.newaxis] ** 2 <= radius * radius
    return covered
