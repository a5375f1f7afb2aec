"""What the tests of the loop share: a project with pictures, people who draw, and short words for each step."""

from __future__ import annotations

import uuid
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np

from labelhub.accounts.models import User
from labelhub.accounts.services import create_person
from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import MaskRegion, Reading, Region, Shape
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import add_member, publish_policy
from labelhub.routing.selectors import current_route
from labelhub.workflow import handing_out, lifecycle, queue
from labelhub.workflow.desk import Desk
from tests.cast import Cast

SIZE = 64
# What secret draws place among the work, or add to it, is left out unless a test asks for it.
UNPLACED = {
    "gold_share": 0.0, "repeat_share": 0.0, "random_extra_share": 0.0, "audit_share": 0.0, "audit_least": 0,
}  # fmt: skip
_numbers = count(1)


def add_item(project: Project, *, subject: str | None = None, seed: int = 0, **rest: Any) -> Item:
    """Add a small picture with a bright square on a dark, noisy ground."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 40, (SIZE, SIZE), dtype=np.uint8)
    pixels[10:30, 10:30] = 220
    return add_photograph(
        project=project,
        pixels=pixels,
        identity=ItemIdentity(subject=subject),
        source_id=f"task-{next(_numbers)}",
        **rest,
    )


def set_policy(cast: Cast, **values: Any) -> None:
    publish_policy(project=cast.project, policy=Policy(**(UNPLACED | values)), by=cast.ada)


def new_annotator(cast: Cast, name: str) -> User:
    user = create_person(username=name.lower(), display_name=name, actor="test")
    add_member(project=cast.project, user=user, role=Role.ANNOTATOR, actor="test")
    return user


def next_for(cast: Cast, user: User) -> Assignment | None:
    return lifecycle.hand_out(labeler=labeler_of(user, cast.project))


def near(desk: Desk, at: datetime) -> list[int]:
    """Candidates from the labeler's windows, as a hand-out sees them."""
    return list(queue.near(desk, at, highest=handing_out.around(desk, at).highest))


def take(cast: Cast, user: User) -> Assignment:
    assignment = next_for(cast, user)
    assert assignment is not None
    return assignment


def draw(assignment: Assignment, user: User, *squares: tuple[float, float, float], label: str = "nucleus") -> None:
    """Draw squares ``(x, y, side)`` into the assignment's working copy, as the page does."""
    document = documents.document_of(assignment=assignment)
    client = uuid.uuid4()
    operations = [
        {
            "op_id": str(uuid.uuid4()), "client_seq": number, "kind": "shape.add",
            "payload": {"shape_id": str(uuid.uuid4()), "medium": 0, "label": label,
                        "regions": [{"kind": "polygon", "points": corners(*square)}]},
        }
        for number, square in enumerate(squares, start=1)
    ]  # fmt: skip
    acknowledged = log.append_operations(document=document, author=user, client_id=client, operations=operations)
    assert acknowledged.refused is None, acknowledged.refused


def redraw(assignment: Assignment, user: User, *squares: tuple[float, float, float]) -> None:
    """Delete everything in the working copy and draw anew."""
    document = documents.document_of(assignment=assignment)
    standing = history.state_of(document).standing_shapes()
    operations = [
        {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": "shape.delete",
         "payload": {"shape_id": shape.shape_id, "base_version": shape.version}}
        for number, shape in enumerate(standing, start=1)
    ]  # fmt: skip
    done = log.append_operations(document=document, author=user, client_id=uuid.uuid4(), operations=operations)
    assert done.refused is None, done.refused
    draw(assignment, user, *squares)


def submit(assignment: Assignment, user: User, **rest: Any) -> Submission:
    return lifecycle.submit(assignment=assignment, by=user, request_id=rest.pop("request_id", uuid.uuid4()), **rest)


def read(cast: Cast, user: User, *squares: tuple[float, float, float]) -> Submission:
    """Take the next item, draw the squares (or say that nothing is there) and submit."""
    assignment = take(cast, user)
    if squares:
        draw(assignment, user, *squares)
    return submit(assignment, user, no_finding=not squares)


def review(
    submission: Submission, user: User, verdict: str, comment: str = "", score: int | None = None, **rest: Any
) -> Any:
    return lifecycle.review(
        submission=submission, reviewer=user, verdict=verdict, score=score, comment=comment,
        request_id=rest.pop("request_id", uuid.uuid4()), **rest,
    )  # fmt: skip


def corners(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


def square_reading(
    item: Item, rater: str, *squares: tuple[float, float, float], label: str = "nucleus", **given: Any
) -> Reading:
    shapes = tuple(
        Shape(f"s{n}", label, (Region("polygon", np.array(corners(*square), dtype=float)),))
        for n, square in enumerate(squares, start=1)
    )
    given = {"read_kind": "independent", "planned_blind": True, "is_empty_read": not squares} | given
    return Reading(item.code, rater, shapes, **given)


def store(cast: Cast, item: Item, user: User, *squares: tuple[float, float, float], **given: Any) -> Submission:
    """Store a reading of these squares as made elsewhere; ``is_gold`` and ``is_routed`` go to the step, the rest to it."""
    options = {name: given.pop(name) for name in ("is_gold", "is_routed") if name in given}
    reading = square_reading(item, user.username, *squares, **given)
    return lifecycle.record_reading(item=item, labeler=labeler(cast, user), reading=reading, **options)


def mask_reading(item: Item, rater: str, mask: np.ndarray, label: str = "lesion", **given: Any) -> Reading:
    shape = Shape("m", label, (), MaskRegion(mask[np.newaxis], (0, 0, 0)))
    return Reading(item.code, rater, (shape,), **({"read_kind": "independent", "planned_blind": True} | given))


def state(item: Item) -> str:
    return Item.objects.values_list("state", flat=True).get(pk=item.pk)


def rule(item: Item) -> str:
    route = current_route(item)
    return "" if route is None else route.rule


def labeler(cast: Cast, user: User) -> Labeler:
    return labeler_of(user, cast.project)
