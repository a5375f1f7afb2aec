"""The policy of a project: sentences with a field each, its rules, what it would have done to the past, what audits found."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.consensus.audits import residuals
from labelhub.jobs.selectors import job_of
from labelhub.projects import selectors, services
from labelhub.projects.errors import DomainError
from labelhub.projects.models import PolicyVersion, Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.policy import Policy, PolicyProblem, read_policy
from labelhub.projects.presets import PRESETS, preset_of, with_preset
from labelhub.projects.teams import teams_of
from labelhub.web import policy_words, rule_form
from labelhub.web.access import actor, person, project_page
from labelhub.web.manage_jobs import job_row
from labelhub.web.manage_rules import kept_edits, version_seen
from labelhub.web.manage_teams import team_asked_for
from labelhub.workflow import satisfied, trying

ENDINGS: dict[str, str] = {
    "accept": "Accepted without a reviewer",
    "reviewer": "To a reviewer",
    "maybe-ambiguous": "To a reviewer as perhaps ambiguous",
    "returned": "Back to its author, who never answered: outcome unknown",
    "asks": "Would ask for a read that nobody made: outcome unknown",
}

SHORT: dict[str, str] = {
    "accept": "accepted",
    "reviewer": "to a reviewer",
    "maybe-ambiguous": "to a reviewer, perhaps ambiguous",
    "returned": "back to its author",
    "asks": "asks for a read",
}


@project_page(Role.ADMIN, methods=("GET", "POST"))
def policy(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the policy; the form fills in a preset, tries what it states on the past, or publishes the next version."""
    version, current = selectors.current_policy(project)
    if request.method == "GET":
        return _with_trial(request, project) if "trial" in request.GET else _page(request, project, current)
    try:
        asked = policy_words.policy_of_form(request.POST, current)
        if (preset := request.POST.get("preset", "")) in PRESETS:
            asked = read_policy(with_preset(asked, preset).to_document())
            return _page(request, project, asked, {"filled": PRESETS[preset]})
    except PolicyProblem as error:
        return _page(request, project, current, {"refusal": f"{error} Nothing was changed."}, status=400)
    if request.POST.get("do") == "try":
        return _try(request, project, asked)
    return _publish(request, project, asked, version, current)


def _publish(
    request: HttpRequest, project: Project, asked: Policy, version: PolicyVersion, current: Policy
) -> HttpResponse:
    seen = version_seen(request)
    if seen is None:
        raise DomainError(
            "This form does not say which version of the policy it was filled in on. Nothing was stored. Load the page again.",
            code="version-missing",
            status=400,
        )
    if asked == current and seen == version.number:
        messages.info(request, "Nothing differs from the current version, so no new one was made.")
        return redirect("manage-policy", project.slug)
    try:
        made = satisfied.publish_policy(project=project, policy=asked, by=person(request), seen=seen)
    except services.StaleVersion as stale:
        differs = policy_words.changes_between(selectors.current_policy(project)[1].to_document(), asked.to_document())
        return _page(request, project, asked, {"stale": stale, "differs": differs}, status=409)
    messages.success(
        request,
        f"Policy version {made.version.number} holds from now on. Earlier decisions stand. {_decided(made)}".strip(),
    )
    return redirect("manage-policy", project.slug)


def _decided(made: satisfied.Published) -> str:
    if made.job is not None:
        return f"{made.job.total_units} items have all the reads they want now; a job decides them (see Jobs)."
    if made.n_decided:
        return f"{made.n_decided} {'item' if made.n_decided == 1 else 'items'} had all the reads wanted now and were decided."
    return ""


def _try(request: HttpRequest, project: Project, asked: Policy) -> HttpResponse:
    if trying.n_to_try(project) > trying.AT_ONCE:
        job = trying.start_trial(project=project, asked=asked, asked_by=actor(request))
        return redirect(f"{reverse('manage-policy', args=[project.slug])}?trial={job.pk}#trial")
    return _page(request, project, asked, {"trial": trying.try_policy(project, asked)})


def _with_trial(request: HttpRequest, project: Project) -> HttpResponse:
    """Show a policy that a job tries or tried, with the job's progress or what it found."""
    text = request.GET["trial"]
    job = job_of(project.pk, int(text)) if text.isascii() and text.isdigit() and len(text) < 18 else None
    if job is None or job.kind != trying.JOB_KIND:
        raise NotFound("There is no such trial in this project.")
    found = {"trial": job.result} if job.state == "done" else {"trial_job": job_row(job)}
    return _page(request, project, read_policy(job.arguments["policy"]), found)


def _page(
    request: HttpRequest, project: Project, shown: Policy, found: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    version, current = selectors.current_policy(project)
    versions = selectors.policy_versions(project)
    team = team_asked_for(request, project)
    context: dict[str, Any] = {
        "version": version,
        "groups": policy_words.groups_of(shown),
        "history": _history(versions),
        "presets": PRESETS.items(),
        "preset": preset_of(shown),
        "blocks": rule_form.blocks_of(shown),
        "offers": rule_form.words(),
        "document": json.dumps(shown.to_document(), indent=1, ensure_ascii=False),
        "warnings": shown.warnings(),
        "unsaved": [] if shown == current else policy_words.changes_between(current.to_document(), shown.to_document()),
        "residuals": residuals(project, team=team),
        "teams": teams_of(project),
        "team": team,
        "endings": ENDINGS.items(),
        "short": SHORT,
        "typed": {},
        "kept": kept_edits(project, "policy"),
    }
    context |= found or {}
    if "refusal" in context:
        context["typed"] = request.POST
        context["blocks"] = rule_form.typed_blocks(request.POST) or context["blocks"]
    return render(request, "manage/policy.html", context, status=status)


def _history(versions: list[Any]) -> list[dict[str, Any]]:
    earlier = [version.content for version in versions[1:]] + [{}]
    return [
        {"version": version, "changes": policy_words.changes_between(before, version.content) if before else []}
        for version, before in zip(versions, earlier, strict=True)
    ]
