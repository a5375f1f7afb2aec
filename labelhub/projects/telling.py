"""Whom an event of a project concerns, and telling them: its admins, or all who review.

Not here: the rows and how they reach people (``accounts.notifications``), and what an author is told of their own work
(``workflow``, ``reviews.threads``).
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.jobs.models import Job
from labelhub.projects.models import Membership, Project, Role

REVIEWING = (Role.REVIEWER, Role.ADMIN)


def seated(project: Project, roles: Collection[str]) -> QuerySet[User]:
    """Return the people who hold one of these roles in the project or on the site now, by name."""
    seats = Membership.objects.filter(project=project, role__in=roles, removed_at=None)
    people = User.objects.filter(Q(pk__in=seats.values("user")) | Q(site_role__in=roles), is_active=True)
    return people.order_by("display_name", "pk")


def tell_admins(project: Project, *, kind: str, text: str, about: str, key: str, actor: str = "") -> int:
    """Tell the project's admins, but not who did it themselves (``actor``, as the audit chain names them)."""
    return _tell(project, (Role.ADMIN,), kind, text, about, key, actor)


def tell_reviewers(project: Project, *, kind: str, text: str, about: str, key: str, actor: str = "") -> int:
    """Tell all who review in the project, but not who did it themselves."""
    return _tell(project, REVIEWING, kind, text, about, key, actor)


def tell_of_failed_job(job: Job) -> None:
    """Tell the admins of its project that a job failed for good. Called within the write that says so."""
    project = Project.objects.filter(pk=job.project_id).first() if job.project_id is not None else None
    if project is not None:
        tell_admins(
            project, kind="job-failed", text=f"A job of {project.name} failed: {job.kind}.",
            about=f"job:{project.slug}/{job.pk}", key=f"job-failed:{job.pk}:{job.attempt}",
        )  # fmt: skip


def _tell(project: Project, roles: Collection[str], kind: str, text: str, about: str, key: str, actor: str) -> int:
    people = [user for user in seated(project, roles) if f"user:{user.pk}" != actor]
    return notify(users=people, kind=kind, text=text, about=about, project_id=project.pk, key=key)
