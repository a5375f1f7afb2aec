"""Who may do what: one rule table for pages, REST, sockets and protocols. What is not allowed here is refused.

Each package above registers how its models lead to a project, to an owner, and which secrecy class they have. An object of
a project that somebody is no member of does not exist for them: :class:`NotFound`, never "forbidden".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import models

from labelhub.accounts.models import User
from labelhub.projects.models import Membership, Project, Role

M = TypeVar("M", bound=models.Model)
Person = User | AnonymousUser


class Secrecy(StrEnum):
    """Who of a project's members may see a kind of row."""

    SHARED = "shared"  # every member: project, ontology, guideline
    OWN = "own"  # an annotator sees their own; reviewers and admins all: assignments, documents, submissions
    HIDDEN = "hidden"  # never an annotator: scores, gold, routes, settlements, predictions
    ADMIN = "admin"  # admins only: originals, ingest, members, audit


class Action(StrEnum):
    """What somebody wants to do with a row."""

    VIEW = "view"
    LABEL = "label"
    REVIEW = "review"
    MANAGE = "manage"


class NotFound(LookupError):
    """There is no such thing for this person."""


class NotAllowed(PermissionError):
    """The thing exists for this person, but this action is not theirs."""


@dataclass(frozen=True, slots=True)
class Registration:
    """How rows of a model lead to their project and their owner (double-underscore paths; empty: the row itself).

    ``companions_path`` leads to rows with ``labeler`` and ``left_at``: who has joined the owner, and may do what they may.
    """

    secrecy: Secrecy
    project_path: str
    owner_path: str = ""
    companions_path: str = ""


RULES: Mapping[Secrecy, Mapping[Action, frozenset[str]]] = {
    Secrecy.SHARED: {
        Action.VIEW: frozenset({Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN}),
        Action.LABEL: frozenset({Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN}),
        Action.REVIEW: frozenset({Role.REVIEWER, Role.ADMIN}),
        Action.MANAGE: frozenset({Role.ADMIN}),
    },
    Secrecy.OWN: {
        Action.VIEW: frozenset({Role.REVIEWER, Role.ADMIN}),
        Action.LABEL: frozenset(),
        Action.REVIEW: frozenset({Role.REVIEWER, Role.ADMIN}),
        Action.MANAGE: frozenset({Role.ADMIN}),
    },
    Secrecy.HIDDEN: {
        Action.VIEW: frozenset({Role.REVIEWER, Role.ADMIN}),
        Action.REVIEW: frozenset({Role.REVIEWER, Role.ADMIN}),
        Action.MANAGE: frozenset({Role.ADMIN}),
    },
    Secrecy.ADMIN: {
        Action.VIEW: frozenset({Role.ADMIN}),
        Action.MANAGE: frozenset({Role.ADMIN}),
    },
}
# What an owner may do with their own row, whatever their role.
OWNER_ACTIONS = frozenset({Action.VIEW, Action.LABEL})

_registered: dict[type[models.Model], Registration] = {}


def register(
    model: type[models.Model], secrecy: Secrecy, project_path: str, owner_path: str = "", companions_path: str = ""
) -> None:
    """Declare how rows of ``model`` are protected. Called once a model, in its package's ``apps.ready``."""
    _registered[model] = Registration(secrecy, project_path, owner_path, companions_path)


def registration_of(model: type[models.Model]) -> Registration | None:
    """Return how rows of ``model`` are protected, or None if nothing was declared (then nobody may see them)."""
    return _registered.get(model)


def role_in(user: Person, project: Project) -> str | None:
    """Return the role of ``user`` in ``project`` (the higher of the project's and the site's), or None."""
    if not user.is_authenticated or not user.is_active:
        return None
    own = Membership.objects.filter(project=project, user_id=user.pk, removed_at=None).values_list("role", flat=True)
    order = [Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN]
    held = [role for role in (*own, getattr(user, "site_role", "")) if role in order]
    return max(held, key=lambda role: order.index(Role(role)), default=None)


def with_a_role(users: Iterable[User], project: Project) -> frozenset[int]:
    """Return the ids of those of the users who have any role in ``project``, as :func:`role_in`; one query."""
    active = [user for user in users if user.is_active]
    members = Membership.objects.filter(project=project, user__in=active, removed_at=None)
    ids = set(members.values_list("user_id", flat=True))
    return frozenset(user.pk for user in active if user.pk in ids or user.site_role in Role.values)


def members_of(projects: Iterable[int]) -> dict[int, set[int]]:
    """Return, for each project, the ids of the active people who have a role in it or on the site; two queries."""
    wanted = set(projects)
    everywhere = set(User.objects.filter(is_active=True, site_role__in=Role.values).values_list("pk", flat=True))
    found = {project: set(everywhere) for project in wanted}
    current = Membership.objects.filter(project__in=wanted, removed_at=None, user__is_active=True)
    for project, user in current.values_list("project", "user"):
        found[project].add(user)
    return found


def highest_role(user: Person) -> str | None:
    """Return the highest role that ``user`` has in any current project, or on the site."""
    if not user.is_authenticated or not user.is_active:
        return None
    order = [Role.ANNOTATOR, Role.REVIEWER, Role.ADMIN]
    current = Membership.objects.filter(user_id=user.pk, removed_at=None, project__archived_at=None)
    held = {*current.values_list("role", flat=True).distinct(), getattr(user, "site_role", "")}
    return next((role for role in reversed(order) if role in held), None)


def may_vouch_for(user: Person, other: User) -> bool:
    """Whether ``user`` may let ``other`` in by a link: only where ``user`` is admin of all that ``other`` can reach."""
    if not user.is_authenticated or not user.is_active:
        return False
    if getattr(user, "site_role", "") == Role.ADMIN:
        return True
    if other.site_role:
        return False
    managed = Membership.objects.filter(user_id=user.pk, role=Role.ADMIN, removed_at=None).values("project_id")
    theirs = Membership.objects.filter(user=other, removed_at=None)
    return theirs.exists() and not theirs.exclude(project_id__in=managed).exists()


def vouched_for(user: User, others: Sequence[User]) -> frozenset[int]:
    """Return the ids of those of ``others`` for whom :func:`may_vouch_for` holds. Two queries, however many they are."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if getattr(user, "site_role", "") == Role.ADMIN:
        return frozenset(other.pk for other in others)
    current = Membership.objects.filter(removed_at=None)
    managed = set(current.filter(user_id=user.pk, role=Role.ADMIN).values_list("project_id", flat=True))
    theirs: dict[int, set[int]] = {}
    for pk, project_id in current.filter(user__in=others).values_list("user_id", "project_id"):
        theirs.setdefault(pk, set()).add(project_id)
    return frozenset(other.pk for other in others if not other.site_role and theirs.get(other.pk, {0}) <= managed)


def projects_of(user: Person) -> models.QuerySet[Project]:
    """Return the projects that exist for ``user``."""
    if not user.is_authenticated or not user.is_active:
        return Project.objects.none()
    current = Project.objects.filter(archived_at=None)
    if getattr(user, "site_role", ""):
        return current
    mine = Membership.objects.filter(user_id=user.pk, removed_at=None)
    return current.filter(pk__in=mine.values("project_id"))


def can(user: Person, action: Action, row: models.Model) -> bool:
    """Whether ``user`` may do ``action`` with ``row``. Unregistered models are refused."""
    entry = _registered.get(type(row))
    if entry is None:
        return False
    project = _follow(row, entry.project_path)
    role = role_in(user, project) if isinstance(project, Project) else None
    if role is None:
        return False
    if role in RULES[entry.secrecy].get(action, frozenset()):
        return True
    if not entry.owner_path or action not in OWNER_ACTIONS:
        return False
    return _follow(row, entry.owner_path) == user or _is_companion(user, row, entry)


def require(user: Person, action: Action, row: models.Model) -> None:
    """Raise :class:`NotFound` where the row does not exist for ``user``, :class:`NotAllowed` where the action is not theirs."""
    if can(user, action, row):
        return
    if action is not Action.VIEW and can(user, Action.VIEW, row):
        raise NotAllowed(
            "Your role in this project does not include this. Nothing was changed. Ask an admin of the project."
        )
    raise NotFound("There is nothing here, or it is not yours to see.")


def visible_to(user: Person, rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """Return the part of ``rows`` that ``user`` may see."""
    entry = _registered.get(rows.model)
    if entry is None or not user.is_authenticated or not user.is_active:
        return rows.none()
    allowed = RULES[entry.secrecy][Action.VIEW]
    site_role = getattr(user, "site_role", "")
    if site_role in allowed:
        return rows
    project_key = f"{entry.project_path}_id" if entry.project_path else "pk"
    mine = Membership.objects.filter(user_id=user.pk, removed_at=None)
    by_role = models.Q(**{f"{project_key}__in": mine.filter(role__in=allowed).values("project_id")})
    if not entry.owner_path:
        return rows.filter(by_role)
    owned = models.Q(**{entry.owner_path: user.pk})
    if entry.companions_path:
        owned |= models.Q(pk__in=_joined(user, rows.model, entry).values("pk"))
    if not site_role:
        owned &= models.Q(**{f"{project_key}__in": mine.values("project_id")})
    return rows.filter(by_role | owned)


def _joined(user: Person, model: type[M], entry: Registration) -> models.QuerySet[M]:
    held = {f"{entry.companions_path}__labeler__user": user.pk, f"{entry.companions_path}__left_at": None}
    return model._base_manager.filter(**held)


def _is_companion(user: Person, row: models.Model, entry: Registration) -> bool:
    return bool(entry.companions_path) and _joined(user, type(row), entry).filter(pk=row.pk).exists()


def _follow(row: models.Model, path: str) -> Any:
    value: Any = row
    for name in filter(None, path.split("__")):
        value = getattr(value, name, None)
        if value is None:
            return None
    return value
