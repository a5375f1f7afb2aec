"""The people and the items of a trial: annotators, reviewers and admins of one project, and an outsider."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelhub.accounts.models import User
from labelhub.accounts.services import create_person
from labelhub.annotations import documents, log
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import Reading, Region, Shape
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import labeler_of
from labelhub.projects.services import add_member, create_project

ONTOLOGY: dict[str, Any] = {
    "classes": [{"key": "nucleus", "name": "Nucleus", "colour": "#e4572e", "tool": "polygon", "shortcut": "1"}],
}
AREA = {"key": "area", "name": "Area", "colour": "#ffc914", "tool": "brush", "shortcut": "2"}
QUESTIONS: list[dict[str, Any]] = [
    {"key": "note", "text": "Note", "kind": "text"},
    {"key": "count", "text": "How many", "kind": "number"},
    {"key": "seen", "text": "What is seen", "kind": "choices", "choices": ["a", "b", "c"]},
]
GRADE = {"key": "grade", "text": "Grade", "kind": "choice", "choices": ["low", "high"]}
ACTOR = "soak"


@dataclass(frozen=True, slots=True)
class SoakWorld:
    """One project with its people."""

    project: Project
    annotators: tuple[User, ...]
    reviewers: tuple[User, ...]
    admins: tuple[User, ...]
    outsider: User

    @property
    def everybody(self) -> tuple[User, ...]:
        """All people of the project, and the outsider."""
        return (*self.annotators, *self.reviewers, *self.admins, self.outsider)

    def labeler(self, user: User) -> Labeler:
        """Return the labeler that somebody is. Raises ``NotFound`` for the outsider."""
        return labeler_of(user, self.project)


def make_world(
    *, n_annotators: int = 4, with_brush: bool = False, with_questions: bool = False, **policy: Any
) -> SoakWorld:
    """Make a project of its own; ``policy`` over the defaults, without hidden gold unless asked for."""
    classes = [*ONTOLOGY["classes"], AREA] if with_brush else ONTOLOGY["classes"]
    ontology: dict[str, Any] = {"classes": classes}
    if with_questions:
        asked = [{**entry, "attributes": [GRADE, QUESTIONS[0]]} for entry in classes]
        ontology = {"classes": asked, "questions": QUESTIONS}
    tag = uuid.uuid4().hex[:8]

    def person(name: str) -> User:
        return create_person(username=f"{name}-{tag}", display_name=name.title(), actor=ACTOR)

    admins = (person("ada"), person("abe"))
    project = create_project(
        name=f"Soak {tag}", ontology=read_ontology(ontology), policy=Policy(**({"gold_share": 0.0} | policy)),
        created_by=admins[0],
    )  # fmt: skip
    annotators = tuple(person(f"ann{number}") for number in range(n_annotators))
    reviewers = (person("rita"), person("rolf"))
    for user, role in (
        *((user, Role.ANNOTATOR) for user in annotators),
        *((user, Role.REVIEWER) for user in reviewers),
        (admins[1], Role.ADMIN),
    ):
        add_member(project=project, user=user, role=role, actor=ACTOR)
    return SoakWorld(project, annotators, reviewers, admins, person("otto"))


def add_item(world: SoakWorld, rng: np.random.Generator, size: tuple[int, int] = (32, 32)) -> Item:
    """Add a small noisy picture of so many rows and columns."""
    pixels = rng.integers(0, 255, size, dtype=np.uint8)
    return add_photograph(project=world.project, pixels=pixels, identity=ItemIdentity(subject=None))


def draw_square(assignment: Assignment, user: User, x: float) -> None:
    """Draw one square into the working copy, as the page does."""
    points = [[x, 4.0], [x + 8, 4.0], [x + 8, 12.0], [x, 12.0]]
    payload = {
        "shape_id": str(uuid.uuid4()), "medium": 0, "label": "nucleus",
        "regions": [{"kind": "polygon", "points": points}],
    }  # fmt: skip
    operation = {"op_id": str(uuid.uuid4()), "client_seq": 1, "kind": "shape.add", "payload": payload}
    log.append_operations(
        document=documents.document_of(assignment=assignment),
        author=user,
        client_id=uuid.uuid4(),
        operations=[operation],
    )


def square_reading(item: Item, rater: str, x: float) -> Reading:
    """Return a reading of one square."""
    points = np.array([[x, 4.0], [x + 8, 4.0], [x + 8, 12.0], [x, 12.0]])
    shape = Shape("s1", "nucleus", (Region("polygon", points),))
    return Reading(item.code, rater, (shape,), read_kind="independent", planned_blind=True)
