"""Reading projects, the current versions of their rules, and their people."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import OuterRef, QuerySet, Subquery

from labelhub.accounts.models import User
from labelhub.projects.models import (
    Acknowledgement,
    GuidelineVersion,
    Labeler,
    Membership,
    OntologyVersion,
    PolicyVersion,
    Project,
    Role,
    StaleEdit,
)
from labelhub.projects.ontology import Ontology, read_ontology
from labelhub.projects.permissions import NotFound, Person, projects_of
from labelhub.projects.policy import Policy, read_policy


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
    version = OntologyVersion.objects.filter(project=project).latest("number")
    return version, read_ontology(version.content)


def current_policy(project: Project) -> tuple[PolicyVersion, Policy]:
    """Return the newest policy version and its content."""
    version = PolicyVersion.objects.filter(project=project).latest("number")
    return version, read_policy(version.content)


def current_guideline(project: Project) -> GuidelineVersion:
    """Return the newest guideline version."""
    return GuidelineVersion.objects.filter(project=project).latest("number")


def has_acknowledged(labeler: Labeler, guideline: GuidelineVersion) -> bool:
    """Whether the labeler has read this version; an empty guideline needs no acknowledgement."""
    return not guideline.text.strip() or Acknowledgement.objects.filter(labeler=labeler, guideline=guideline).exists()


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


def versions_of(project: Project) -> dict[str, list[OntologyVersion] | list[GuidelineVersion] | list[PolicyVersion]]:
    """Return all versions of the project's rules, newest first, by what they are."""
    return {
        "ontology": list(
            OntologyVersion.objects.filter(project=project).select_related("created_by").order_by("-number")
        ),
        "guideline": list(
            GuidelineVersion.objects.filter(project=project).select_related("created_by").order_by("-number")
        ),
        "policy": list(PolicyVersion.objects.filter(project=project).select_related("created_by").order_by("-number")),
    }
