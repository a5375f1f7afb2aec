"""Adding somebody to a project: a person who is known becomes a member, a new one also gets an account and a one-time link."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.accounts.selectors import person_named
from labelhub.accounts.services import create_person, make_sign_in_link
from labelhub.projects.models import Project, Role
from labelhub.projects.services import MembershipProblem, add_member

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9@.+_-]{0,149}")


class InvitationRefused(ValueError):
    """The name or role cannot be used; nobody was added."""


@dataclass(frozen=True, slots=True)
class Invited:
    """Who was added, and the token of their link where they are new."""

    user: User
    token: str | None


def invite(*, project: Project, username: str, display_name: str, role: str, by: User) -> Invited:
    """Make ``username`` a member of ``project``. Raises :class:`InvitationRefused`; then nothing was stored."""
    name = username.strip()
    if not USERNAME.fullmatch(name):
        raise InvitationRefused(
            f"“{name[:40]}” is no name for signing in. Use letters, digits and @ . + - _, without spaces. Nobody was added."
        )
    if role not in Role.values:
        raise InvitationRefused(f"Choose one of the roles {', '.join(Role.values)}. Nobody was added.")
    known = person_named(name)
    if known is not None and not known.is_active:
        raise InvitationRefused(f"The account “{name}” is disabled. Nobody was added. Ask an admin of the site.")
    try:
        with transaction.atomic():
            shown = display_name.strip()[:120] or name
            user = known or create_person(username=name, display_name=shown, actor=f"user:{by.pk}")
            add_member(project=project, user=user, role=role, actor=f"user:{by.pk}")
            token = None if known is not None else make_sign_in_link(user=user, actor=f"user:{by.pk}")
    except MembershipProblem as error:
        raise InvitationRefused(str(error)) from error
    return Invited(user, token)
