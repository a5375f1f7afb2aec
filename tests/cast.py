"""The people of every test: Ann and Ben annotate, Rita reviews, Ada is the admin, Otto belongs to another project."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

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


@dataclass(frozen=True)
class _Kept:
    """The cast as the services made it, and the rows that they wrote: statement and values, table by table."""

    cast: Cast
    rows: tuple[tuple[str, list[tuple[Any, ...]]], ...]


# By the database's name. Made once a process: what the services do for five people is a fifth of what a small test costs.
_KEPT: dict[str, _Kept] = {}


def make_cast(*, policy: Policy | None = None, ontology: dict[str, Any] | None = None, tag: str = "") -> Cast:
    """Make the people, a project for four of them, and another for the outsider; ``tag`` tells two casts apart.

    The plain cast, asked for as the first thing in a test's transaction, is put back as the services made it before.
    """
    is_first = connection.in_atomic_block and not User.objects.exists()
    if policy or ontology or tag or not is_first:
        return _made(policy=policy, ontology=ontology, tag=tag)
    name = str(connection.settings_dict["NAME"])
    if name not in _KEPT:
        is_empty = not list(_written())
        made = _made(policy=None, ontology=None, tag="")
        if is_empty:
            _KEPT[name] = _Kept(copy.deepcopy(made), tuple(_written()))
        return made
    with connection.cursor() as cursor:
        for statement, rows in _KEPT[name].rows:
            cursor.executemany(statement, rows)
    return copy.deepcopy(_KEPT[name].cast)


def forget_cast() -> None:
    """Make the next cast anew: a test that empties tables may have begun their counts again."""
    _KEPT.clear()


def _written() -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """What stands in our own tables, as statements that put it back; references are looked at when the test ends."""
    with connection.cursor() as cursor:
        for model in (entry for entry in apps.get_models() if entry.__module__.startswith("labelhub.")):
            table = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT * FROM {table}")
            if rows := cursor.fetchall():
                columns = ", ".join(connection.ops.quote_name(column[0]) for column in cursor.description)
                places = ", ".join(["%s"] * len(cursor.description))
                yield f"INSERT INTO {table} ({columns}) VALUES ({places})", rows


def _made(*, policy: Policy | None, ontology: dict[str, Any] | None, tag: str) -> Cast:
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
