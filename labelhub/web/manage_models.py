"""The models page: versions beside people, what their drafts did, who leans on them, and letting one look at the project."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from labelhub.analytics.click_table import click_rows
from labelhub.analytics.draft_effects import draft_effect
from labelhub.analytics.learning_rounds import learning_rounds
from labelhub.analytics.model_doubts import doubted_readings, given_for
from labelhub.analytics.model_table import ModelRow, model_rows
from labelhub.exports.selectors import release_numbered, releases_of
from labelhub.jobs.models import Job
from labelhub.jobs.selectors import job_of, jobs_of_kind
from labelhub.predictions.bundles import BundleRefused
from labelhub.predictions.models import TrainingRun
from labelhub.predictions.selectors import model_of, networks_state, recipes_of, training_curve, trainings_of
from labelhub.predictions.training_settings import CLICKS, TrainingRefused, read_training_settings
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology, current_policy, labelers
from labelhub.projects.teams import labelers_in, teams_of
from labelhub.scoring.helped import AgainProblem, give_drafts_again, leanings
from labelhub.web.access import actor, person, project_page
from labelhub.web.evidence import MOST_CODES, items_link
from labelhub.web.learning_curve import curve_of
from labelhub.web.manage_jobs import job_row
from labelhub.web.manage_prices import cost_context, places_of
from labelhub.web.manage_teams import team_asked_for
from labelhub.web.tables import csv_answer, wants_csv
from labelhub.web.training_form import asked_training, fields_of, recipe_words
from labelhub.web.words import WITHOUT_NETWORKS
from labelhub.workflow import bringing_models, edge_cases, predicting, training_models

CSV_HEADER = (
    "model", "version", "number", "value", "low", "high", "n", "unit", "method", "undefined_because",
)  # fmt: skip

# Jobs that stand on the page until they are done.
SHOWN_JOBS = (predicting.JOB_KIND, edge_cases.JOB_KIND, bringing_models.IMPORT_KIND)


@project_page(Role.ADMIN)
def models(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Show the project's models beside people, and what drafts do: time, untouched drafts, planted errors."""
    rows = model_rows(project)
    if wants_csv(request):
        return csv_answer(f"{project.slug}-models", CSV_HEADER, (line for row in rows for line in _lines(row)))
    _, policy = current_policy(project)
    effect = draft_effect(project)
    unfit = predicting.left_out(project)
    newest = [row for kind in SHOWN_JOBS for row in jobs_of_kind(project.pk, kind)]
    context = (
        {
            "rows": [
                (row, items_link(project, codes=",".join(row.apart[:MOST_CODES])) if row.apart else "") for row in rows
            ],
            "unfit": [(row.model, one) for row in rows for one in unfit.get(row.model.pk, ())],
            "click_rows": click_rows(project),
            "rounds": learning_rounds(project),
            "clickable": training_models.clickable_classes(project),
            "effect": effect,
            "saved_places": places_of(effect.saved_h),
            "stood": items_link(project, codes=",".join(effect.stood[:MOST_CODES])) if effect.stood else "",
            "given_for": [
                (pair, items_link(project, codes=",".join(pair.items[:MOST_CODES])))
                for pair in given_for(project, current_ontology(project)[1])
            ],
            "policy": policy,
            "jobs": [job_row(row) for row in newest if row.state != Job.State.DONE],
            "strategies": edge_cases.STRATEGIES,
            "releases": [one for one in releases_of(project) if one.finished_at is not None],
            **_course(project),
            **_form(project, request.GET.get("again", "")),
            "without_networks": WITHOUT_NETWORKS.get(networks_state().value, ""),
        }
        | _of_people(request, project, policy)
        | cost_context(project, effect, request.GET)
    )
    return render(request, "manage/models.html", context)


@project_page(Role.ADMIN, methods=("POST",))
def look(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Let a version look at every item that it has not seen, as a job."""
    model = model_of(project, pk)
    predicting.start_predictions(model=model, project=project, asked_by=actor(request))
    messages.success(
        request, f"{model.name} {model.number} looks at the project. What it disagrees with goes to reviewers."
    )
    return redirect("manage-models", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def train(request: HttpRequest, project: Project) -> HttpResponse:
    """Start a training from a release: of a network that drafts, or of one that takes clicks for a class (``clicks:KEY``).

    While one runs it is the one that is shown.
    """
    number = request.POST.get("release", "")
    release = release_numbered(project, int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0)
    run = _repeated(recipes_of(project), request.POST.get("again", ""))
    try:
        training_models.start_training(
            project=project,
            release=release,
            by=person(request),
            **asked_training(request.POST, None if run is None else run.settings),
        )
    except TrainingRefused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "The training waits for a worker that runs networks. Its course stands below.")
    return redirect(f"{reverse('manage-models', args=[project.slug])}#training")


@project_page(Role.ADMIN)
def course(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the course of the newest training, for htmx. That of a training that is over asks no more."""
    return render(request, "components/learning_curve.html", _course(project))


@project_page(Role.ADMIN)
def missing(request: HttpRequest, project: Project) -> HttpResponse:
    """Say why no network runs, for htmx; nothing, once a worker that runs them is there."""
    words = WITHOUT_NETWORKS.get(networks_state().value, "")
    return render(request, "components/without_networks.html", {"without_networks": words})


@project_page(Role.ADMIN, methods=("POST",))
def bring(request: HttpRequest, project: Project) -> HttpResponse:
    """Take a MONAI bundle's ZIP as it came; a worker of networks reads it, and says in its job what it was."""
    sent = request.FILES.get("bundle")
    if sent is None:
        raise DomainError("Choose the bundle's ZIP first. Nothing was kept.", code="file-missing", status=400)
    with tempfile.NamedTemporaryFile(suffix=".zip") as kept:
        for piece in sent.chunks():
            kept.write(piece)
        kept.flush()
        try:
            bringing_models.import_bundle(
                project=project, archive=Path(kept.name), name=request.POST.get("name", "").strip()[:120] or "Brought in",
                by=actor(request), classes=_named_maps(request.POST.get("classes", "")),
            )  # fmt: skip
        except BundleRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(
                request, "The bundle is kept. A worker that runs networks reads it; what it says stands above."
            )
    return redirect("manage-models", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def edge_cases_first(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Have the unread items that this version is least sure of come first, as a batch with priority."""
    size = request.POST.get("size", "")
    try:
        edge_cases.start_choosing(
            project=project, model=model_of(project, pk), strategy=request.POST.get("strategy", ""),
            size=int(size) if size.isascii() and size.isdigit() and len(size) < 8 else 0, by=person(request),
        )  # fmt: skip
    except edge_cases.NoEdgeCases as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Edge cases are being chosen. They become a batch that comes before other work.")
    return redirect("manage-models", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def drafts_again(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Let a labeler have drafts again who had let too many planted errors stand; with a reason."""
    chosen = labelers(project).filter(pk=pk).first()
    if chosen is None:
        raise NotFound("There is no such labeler in this project.")
    try:
        give_drafts_again(labeler=chosen, by=person(request), reason=request.POST.get("reason", ""))
    except AgainProblem as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"{chosen.name} gets drafts again, and a new test of planted errors begins.")
    return redirect(f"{reverse('manage-models', args=[project.slug])}#leaning")


def _course(project: Project) -> dict[str, Any]:
    """The newest training's job and how it went so far."""
    run = trainings_of(project).first()
    job = job_of(project.pk, run.job_id) if run is not None and run.job_id else None
    return {
        "run_job": None if job is None else job_row(job),
        "curve": None if run is None else curve_of(training_curve(run)),
    }


def _form(project: Project, again: str) -> dict[str, Any]:
    """The training form as it stands: with today's usual values, or with those of the version that is made again."""
    recipes = recipes_of(project)
    run = _repeated(recipes, again)
    settings = read_training_settings(run.settings if run is not None else {})
    return {
        "recipes": {key: recipe_words(read_training_settings(one.settings)) for key, one in recipes.items()},
        "again": run, "settings": settings, "more": fields_of(settings),
        "kind": ":".join([settings.kind, *settings.classes]) if settings.kind == CLICKS else settings.kind,
    }  # fmt: skip


def _repeated(recipes: Mapping[int, TrainingRun], version: str) -> TrainingRun | None:
    """The training of the version that is to be made again, or None."""
    return recipes.get(int(version)) if version.isascii() and version.isdigit() and len(version) < 9 else None


def _named_maps(written: str) -> list[str]:
    """The class that each map means, as written in the form: keys between commas, nothing for the ground."""
    return [key.strip() for key in written.split(",")] if written.strip() else []


def _of_people(request: HttpRequest, project: Project, policy: Policy) -> dict[str, Any]:
    """The two tables that are of single people, of the team that is asked for: whose readings are doubted, and who leans."""
    team = team_asked_for(request, project)
    names = {labeler.pk: labeler for labeler in (labelers(project) if team is None else labelers_in(team))}
    leaning = [(names[key], found) for key, found in leanings(project, policy).items() if key in names]
    return {
        "doubted": doubted_readings(project, team=team),
        "leaning": sorted(leaning, key=lambda pair: pair[0].name),
        "teams": teams_of(project),
        "team": team,
    }


def _lines(row: ModelRow) -> list[tuple[object, ...]]:
    return [
        (
            row.model.name, row.model.number, found.method, found.value, found.low, found.high, found.n, found.unit,
            found.interval_method, found.reason or "",
        )
        for found in (row.with_people, row.people, row.on_gold)
    ]  # fmt: skip
