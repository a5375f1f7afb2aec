"""What every page gets: theme, the nonce for its scripts, and the person's projects with the homes they have there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from labelhub.accounts.models import User
from labelhub.projects.models import Project, Role
from labelhub.projects.selectors import projects_with_roles


@dataclass(frozen=True, slots=True)
class Home:
    """One project in the switcher, and which of the three homes the person has in it."""

    project: Project
    role: str

    @property
    def may_review(self) -> bool:
        """Whether the reviewer's pages are theirs."""
        return self.role in {Role.REVIEWER, Role.ADMIN}

    @property
    def may_manage(self) -> bool:
        """Whether the admin's pages are theirs."""
        return self.role == Role.ADMIN


def site(request: HttpRequest) -> dict[str, Any]:
    """Return what the page frame shows. The projects are read only where a page shows them."""
    user = getattr(request, "user", None)
    return {
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "theme": user.theme if isinstance(user, User) else "system",
        "homes": SimpleLazyObject(lambda: _homes(request)),
        "manages_any": SimpleLazyObject(lambda: any(home.may_manage for home in _homes(request))),
        "project": getattr(request, "project", None),
        "role": getattr(request, "role", None),
        # A server without sockets (a test's) gives pages that do not try to open one.
        "has_sockets": hasattr(request, "scope"),
    }


def homes_of(user: User) -> list[Home]:
    """Return the person's projects by name, each with their highest role there."""
    return [Home(project, role) for project, role in projects_with_roles(user)]


def _homes(request: HttpRequest) -> list[Home]:
    """The homes that the page's guard read already, else read now; nobody who is not signed in has any."""
    user = getattr(request, "user", None)
    known: list[Home] | None = getattr(request, "homes", None)
    if known is not None:
        return known
    return homes_of(user) if isinstance(user, User) else []
