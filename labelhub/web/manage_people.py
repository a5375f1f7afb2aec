"""The members of a project: roles, invitations by a link that is shown once, new sign-in links, removal."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from labelhub.accounts import selectors as accounts
from labelhub.accounts import services as account_services
from labelhub.accounts.models import User
from labelhub.projects import selectors, services
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Membership, Project, Role
from labelhub.projects.permissions import NotAllowed, NotFound, may_vouch_for, vouched_for
from labelhub.projects.teams import labelers_in, teams_of
from labelhub.reviews.calibration import Calibration, calibrations
from labelhub.web.access import actor, person, project_page
from labelhub.web.invitations import InvitationRefused, invite
from labelhub.web.manage_teams import team_asked_for


@project_page(Role.ADMIN)
@never_cache
def people(request: HttpRequest, project: Project) -> HttpResponse:
    """Show who is in the project."""
    return _page(request, project)


@project_page(Role.ADMIN, methods=("POST",))
@never_cache
def add(request: HttpRequest, project: Project) -> HttpResponse:
    """Add somebody: a new person gets a link that is shown here once, a known one is a member at once."""
    post = request.POST
    try:
        invited = invite(
            project=project, username=post.get("username", ""), display_name=post.get("display_name", ""),
            role=post.get("role", ""), by=person(request),
        )  # fmt: skip
    except InvitationRefused as error:
        return _page(request, project, refusal=str(error), typed=post, status=400)
    if invited.token is None:
        messages.success(request, f"{invited.user} is now {post['role']} here.")
        return redirect("manage-people", project.slug)
    return _page(request, project, link=_address(request, invited.token), link_for=invited.user)


@project_page(Role.ADMIN, methods=("POST",))
def change_role(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give a member another role; their sessions end, so that the new role holds at once."""
    user, role = _member(project, pk), request.POST.get("role", "")
    try:
        services.add_member(project=project, user=user, role=role, actor=actor(request))
    except services.MembershipProblem as error:
        raise DomainError(str(error), code="membership-problem") from error
    messages.success(request, f"{user} is now {role} here.")
    return redirect("manage-people", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """End a membership. The person's labels stay."""
    user = _member(project, pk)
    try:
        services.remove_member(project=project, user=user, actor=actor(request))
    except services.MembershipProblem as error:
        raise DomainError(str(error), code="membership-problem") from error
    messages.success(request, f"{user} is no member any more. Their labels are kept; add them again to undo this.")
    return redirect("manage-people", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
@never_cache
def new_link(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Make a new one-time link for a member and show it once."""
    user = _member(project, pk)
    if not may_vouch_for(person(request), user):
        raise NotAllowed(
            f"{user} also belongs to projects that you do not manage, and a link signs in to all of them. "
            "No link was made. Ask an admin of the site."
        )
    token = account_services.make_sign_in_link(user=user, actor=actor(request))
    return _page(request, project, link=_address(request, token), link_for=user)


def _page(request: HttpRequest, project: Project, status: int = 200, **extra: object) -> HttpResponse:
    team = team_asked_for(request, project)
    members = list(selectors.members(project))
    labelers = list(selectors.labelers(project))
    if team is not None:
        inside = set(labelers_in(team).values_list("pk", flat=True))
        labelers = [labeler for labeler in labelers if labeler.pk in inside]
        shown = {labeler.user_id for labeler in labelers}
        members = [membership for membership in members if membership.user_id in shown]
    vouched = vouched_for(person(request), [membership.user for membership in members])
    context = {
        "rows": [(membership, membership.user_id in vouched) for membership in members],
        "imported": [labeler for labeler in labelers if labeler.user_id is None],
        "reviewing": _reviewing(project, members),
        "roles": Role.choices,
        "teams": teams_of(project),
        "team": team,
        **extra,
    }
    return render(request, "manage/people.html", context, status=status)


def _reviewing(project: Project, members: Iterable[Membership]) -> list[tuple[Membership, Calibration]]:
    """The members who judged something here, each with how their judgements hold."""
    seated = [entry for entry in members if entry.role in (Role.REVIEWER, Role.ADMIN)]
    held = calibrations([project], [entry.user_id for entry in seated])
    return [(entry, held[entry.user_id]) for entry in seated if not held[entry.user_id].is_empty]


def _member(project: Project, pk: int) -> User:
    user = accounts.person_of(pk)
    if user is None or not selectors.members(project).filter(user=user).exists():
        raise NotFound("There is no such member in this project.")
    return user


def _address(request: HttpRequest, token: str) -> str:
    return request.build_absolute_uri(reverse("sign-in-link", args=[token]))
