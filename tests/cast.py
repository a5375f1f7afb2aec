"""The people of every test: Ann and Ben annotate, Rita reviews, Ada is the admin, Otto belongs to another project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labelhub.accounts.models import User
from labelhub.accounts.services import create_person
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import Ontology, read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.services import add_member, create_project

ONTOLOGY: dict[str, Any] = {
    "classes": [
        {"key": "nucleus", "name": "Nucleus", "colour": "#e4572e", "tool": "polygon", "shortcut": "1"},
        {"key": "debris", "name": "Debris", "colour": "#17bebb", "tool": "box", "shortcut": "2"},
        {"key": "lesion", "name": "Lesion", "colour": "#ffc914", "tool": "brush", "shortcut": "3"},
    ],
    "questions": [
        {
            "key": "quality", "text": "Image quality", "kind": "choice", "choices": ["poor", "fair", "good"],
            "is_required": False, "measure": "ordinal",
        }
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Cast:
    """Who is there, and in which project."""

    ann: User
    ben: User
    rita: User
    ada: User
    otto: User
    project: Project
    other_project: Project
    ontology: Ontology


def make_cast(*, policy: Policy | None = None, ontology: dict[str, Any] | None = None, tag: str = "") -> Cast:
    """Make the people, a project for four of them, and another for the outsider; ``tag`` tells two casts apart."""
    people = {
        name: create_person(username=f"{name.lower()}{tag}", display_name=name, actor="test")
        for name in ("Ann", "Ben", "Rita", "Ada", "Otto")
    }
    content = read_ontology(ontology or ONTOLOGY)
    project = create_project(name="Cells", ontology=content, policy=policy or Policy(), created_by=people["Ada"])
    other = create_project(name="Elsewhere", ontology=content, policy=Policy(), created_by=people["Otto"])
    roles = {"Ann": Role.ANNOTATOR, "Ben": Role.ANNOTATOR, "Rita": Role.REVIEWER}
    for name, role in roles.items():
        add_member(project=project, user=people[name], role=role, actor="test")
    return Cast(
        ann=people["Ann"], ben=people["Ben"], rita=people["Rita"], ada=people["Ada"], otto=people["Otto"],
        project=project, other_project=other, ontology=content,
    )  # fmt: skip
