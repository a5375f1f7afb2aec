"""Reading projects, the current versions of their rules, and their people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from django.db.models import Exists, OuterRef, QuerySet, Subquery

from labelhub.accounts.models import User
from labelhub.projects.hanging import Protocol, read_protocol
from labelhub.projects.lineage import Translation, read_lineage, translation
from labelhub.projects.models import (
    Acknowledgement,
    GuidelineVersion,
    HangingVersion,
    Labeler,
    Membership,
    OntologyVersion,
    PolicyVersion,
    PriceVersion,
    Project,
    Role,
    StaleEdit,
)
from labelhub.projects.ontology import Ontology, read_ontology
from labelhub.projects.permissions import NotFound, Person, projects_of
from labelhub.projects.policy import Policy, read_policy
from labelhub.projects.prices import Prices, read_prices

Read = TypeVar("Read")
# The rules that the step under way was read under.
_held: ContextVar[dict[tuple[str, int], Any] | None] = ContextVar("rules of this step", default=None)


@contextmanager
def rules_held() -> Iterator[None]:
    """Read the rules of a project once meanwhile: a step goes by those that it began with. Not for steps that publish rules."""
    token = None if _held.get() is not None else _held.set({})
    try:
        yield
    finally:
        if token is not None:
            _held.reset(token)


def _once(what: str, project: Project, read: Callable[[], Read]) -> Read:
    held = _held.get()
    if held is None:
        return read()
    key = (what, project.pk)
    if key not in held:
        held[key] = read()
    found: Read = held[key]
    return found


def project_for(user: Person, slug: str) -> Project:
    """Return the project with this slug if it exists for ``user``. Raises ``NotFound``."""
    project = projects_of(user).filter(slug=slug).first()
    if project is None:
        raise NotFound("There is no such project, or you are not a member of it.")
    return project


def project_named(slug: str) -> Project:
    """Return the project with this slug, for whoever sits at the server's own terminal. Raises ``NotFound``."""
    project = Project.objects.filter(slug=slug, archived_at=None).first()
    if project is None:
        known = ", ".join(Project.objects.filter(archived_at=None).order_by("slug").values_list("slug", flat=True)[:20])
        raise NotFound(f"There is no project {slug!r}. There are: {known or 'none yet'}.")
    return project


def project_numbered(project_id: int) -> Project:
    """Return the project of a row or job that names it by number. Raises ``NotFound``."""
    project = Project.objects.filter(pk=project_id).first()
    if project is None:
        raise NotFound("There is no such project.")
    return project


def projects_with_roles(user: User) -> list[tuple[Project, str]]:
    """Return the projects that exist for ``user``, by name, each with their highest role there. One query."""
    own = Membership.objects.filter(project=OuterRef("pk"), user_id=user.pk, removed_at=None).values("role")[:1]
    order = ["", *Role.values]
    projects = projects_of(user).annotate(own_role=Subquery(own)).order_by("name", "pk")
    return [(project, max(project.own_role or "", user.site_role, key=order.index)) for project in projects]


def stale_edits(project: Project, whats: Sequence[str], *, most: int = 20) -> list[StaleEdit]:
    """Return the edits that were refused because somebody was quicker, newest first. For those who may make them."""
    rows = StaleEdit.objects.filter(project=project, what__in=whats).select_related("by")
    return list(rows.order_by("-pk")[:most])


def current_ontology(project: Project) -> tuple[OntologyVersion, Ontology]:
    """Return the newest ontology version and its content."""

    def read() -> tuple[OntologyVersion, Ontology]:
        version = OntologyVersion.objects.filter(project=project).latest("number")
        return version, _ontology(orjson.dumps(version.content))

    return _once("ontology", project, read)


def ontologies_of(project: Project) -> dict[int, Ontology]:
    """Return every ontology version by its number. One query."""
    rows = OntologyVersion.objects.filter(project=project).order_by("number").values_list("number", "content")
    return {number: read_ontology(content) for number, content in rows}


def translations_of(project: Project) -> dict[int, Translation]:
    """Return by ontology number what readings under that version say under the newest one. One query."""
    rows = (
        OntologyVersion.objects.filter(project=project).order_by("number").values_list("number", "content", "lineage")
    )
    versions = [(number, (read_ontology(content), read_lineage(lineage))) for number, content, lineage in rows]
    return {number: translation([entry for _, entry in versions[place:]]) for place, (number, _) in enumerate(versions)}


def current_policy(project: Project) -> tuple[PolicyVersion, Policy]:
    """Return the newest policy version and its content."""

    def read() -> tuple[PolicyVersion, Policy]:
        version = PolicyVersion.objects.filter(project=project).latest("number")
        return version, _policy(orjson.dumps(version.content))

    return _once("policy", project, read)


# A version is read at each step, and checking its rules against one another takes longer than the rest of a small step.
@lru_cache(maxsize=64)
def _ontology(content: bytes) -> Ontology:
    return read_ontology(orjson.loads(content))


@lru_cache(maxsize=64)
def _policy(content: bytes) -> Policy:
    return read_policy(orjson.loads(content))


def current_hanging(project: Project) -> tuple[int, Protocol]:
    """Return the number and content of the newest hanging protocol; 0 and one without rules where none was published."""
    version = HangingVersion.objects.filter(project=project).order_by("-number").first()
    return (0, Protocol()) if version is None else (version.number, read_protocol(version.content))


def price_versions(project: Project) -> list[tuple[PriceVersion, Prices]]:
    """Return what an hour cost from when on, the oldest first; nothing where nobody said."""
    rows = PriceVersion.objects.filter(project=project).select_related("created_by").order_by("number")
    return [(row, read_prices(row.content)) for row in rows]


def current_guideline(project: Project) -> GuidelineVersion:
    """Return the newest guideline version."""
    return _once("guideline", project, lambda: GuidelineVersion.objects.filter(project=project).latest("number"))


def guideline_of(labeler: Labeler) -> tuple[GuidelineVersion, bool]:
    """Return the newest guideline version, and whether the labeler has read it or need not; one query."""
    read = Acknowledgement.objects.filter(labeler=labeler, guideline=OuterRef("pk"))
    rows = GuidelineVersion.objects.filter(project=labeler.project_id).annotate(is_read=Exists(read))
    found = rows.latest("number")
    return found, not (found.text.strip() or found.n_examples) or found.is_read


def labeler_of(user: User, project: Project) -> Labeler:
    """Return the labeler that ``user`` is in ``project``. Raises ``NotFound`` for those who are none."""
    labeler = Labeler.objects.filter(project=project, user=user).first()
    if labeler is None:
        raise NotFound("You do not label in this project.")
    return labeler


def labelers(project: Project) -> QuerySet[Labeler]:
    """Return everyone who labels or labeled in the project, members and imported raters."""
    return Labeler.objects.filter(project=project).select_related("user").order_by("name", "pk")


def members(project: Project) -> QuerySet[Membership]:
    """Return the current roles in the project."""
    return (
        Membership.objects.filter(project=project, removed_at=None)
        .select_related("user")
        .order_by("user__display_name")
    )


def ontology_versions(project: Project) -> list[OntologyVersion]:
    """Return all versions of the project's ontology, newest first."""
    return list(OntologyVersion.objects.filter(project=project).select_related("created_by").order_by("-number"))


def guideline_versions(project: Project) -> list[GuidelineVersion]:
    """Return all versions of the project's instructions, newest first."""
    return list(GuidelineVersion.objects.filter(project=project).select_related("created_by").order_by("-number"))


def policy_versions(project: Project) -> list[PolicyVersion]:
    """Return all versions of the project's policy, newest first."""
    return list(PolicyVersion.objects.filter(project=project).select_related("created_by").order_by("-number"))
