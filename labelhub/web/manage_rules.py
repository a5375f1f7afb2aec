"""The rules of a project: policy as sentences, ontology by a builder, instructions; each change is a new version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.catalog.examples import examples_of
from labelhub.catalog.published_examples import earlier_examples, examples_in, is_ahead
from labelhub.projects import selectors, services
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import Ontology, OntologyProblem
from labelhub.reviews.questions import general_answers
from labelhub.web import ontology_form, version_impact
from labelhub.web.access import person, project_page
from labelhub.workflow import lifecycle, revising

MOST_CHARACTERS = 20_000


@project_page(Role.ADMIN, methods=("GET", "POST"))
def ontology(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the builder; sending it publishes the next version. Earlier labels keep the version they were made under.

    Where readings would say something else or less under it, what it touches is shown before.
    """
    _, current = selectors.current_ontology(project)
    context, status = builder_context(ontology_form.rows_of(current), ontology_form.questions_text(current)), 200
    if request.method == "POST":
        try:
            asked = ontology_form.ontology_of_form(request.POST, current)
            if asked == current:
                messages.info(request, "Nothing differs from the current version, so no new one was made.")
            elif not asked.classes and not asked.questions:
                messages.warning(
                    request, "Without a class or a question nothing could be labeled. Nothing was changed."
                )
            else:
                return _revise_ontology(request, project, current, asked)
            return redirect("manage-ontology", project.slug)
        except (OntologyProblem, services.StaleVersion) as error:
            is_stale = isinstance(error, services.StaleVersion)
            status = 409 if is_stale else 400
            context = builder_context(typed_rows(request), request.POST.get("questions", "")) | {
                "refusal": str(error) if is_stale else f"{error} Nothing was changed."
            }
    return _ontology_page(request, project, context, status)


@project_page(Role.ADMIN, methods=("POST",))
def guideline(request: HttpRequest, project: Project) -> HttpResponse:
    """Publish new instructions; every labeler reads and confirms them before the next item."""
    text = request.POST.get("text", "").strip()
    if len(text) > MOST_CHARACTERS:
        raise DomainError(
            f"The instructions have {len(text)} characters; {MOST_CHARACTERS} is the most that anybody would read. "
            "Nothing was changed. Go back and shorten them.",
            code="guideline-too-long",
            status=400,
        )
    current = selectors.current_guideline(project)
    if text == current.text.strip() and not general_answers(project) and not is_ahead(project, current):
        messages.info(request, "The instructions and their examples are the same, so no new version was made.")
    else:
        impact = revising.impact_of_guideline(project)
        if impact.touches_readings and not version_impact.is_confirmed(request):
            return version_impact.shown(request, project, impact, what="guideline")
        try:
            made = lifecycle.publish_guideline(
                project=project, text=text, by=person(request), seen=version_seen(request)
            )
        except services.StaleVersion as error:
            _, content = selectors.current_ontology(project)
            context = builder_context(ontology_form.rows_of(content), ontology_form.questions_text(content))
            return _ontology_page(request, project, context | {"refusal": str(error), "typed_text": text}, error.status)
        messages.success(
            request, f"Instructions version {made.number}: each labeler confirms them before the next item."
        )
        version_impact.send_chosen(request, project, impact)
    return redirect("manage-ontology", project.slug)


def _revise_ontology(request: HttpRequest, project: Project, current: Ontology, asked: Ontology) -> HttpResponse:
    """Show what the change touches, or publish it where that was seen or nothing is touched."""
    lineage = ontology_form.lineage_of_form(request.POST, current, asked)
    impact = revising.impact_of_ontology(project, asked, lineage)
    if impact.touches_readings and not version_impact.is_confirmed(request):
        fates = ontology_form.fates_of(request.POST, current, asked)
        return version_impact.shown(request, project, impact, what="ontology", fates=fates)
    made = services.publish_ontology(
        project=project, ontology=asked, by=person(request), seen=version_seen(request), lineage=lineage
    )
    messages.success(request, f"Ontology version {made.number} holds for work handed out from now on.")
    version_impact.send_chosen(request, project, impact)
    return redirect("manage-ontology", project.slug)


def _ontology_page(request: HttpRequest, project: Project, context: dict[str, Any], status: int) -> HttpResponse:
    versions = selectors.ontology_versions(project)
    guideline = selectors.current_guideline(project)
    context |= {
        "version": versions[0],
        "history": versions,
        "guideline": guideline,
        "general_answers": general_answers(project),
        "examples": list(examples_of(project)),
        "published_examples": examples_in(guideline),
        "earlier_examples": list(earlier_examples(project, guideline)),
        "is_ahead": is_ahead(project, guideline),
        "kept": kept_edits(project, "ontology", "guideline", "example"),
        "sending": version_impact.sending_rows(project),
    }
    return render(request, "manage/ontology.html", context, status=status)


def kept_edits(project: Project, *whats: str) -> list[dict[str, Any]]:
    """Edits that were refused because somebody was quicker, newest first, each with what it held in a few lines."""
    return [
        {"by": edit.by, "at": edit.at, "seen": edit.seen, "newest": edit.newest, "lines": _lines(edit.content)}
        for edit in selectors.stale_edits(project, whats)
    ]


def _lines(content: dict[str, Any]) -> list[str]:
    if "text" in content:
        return [str(content["text"])]
    held = content["content"]
    if "classes" in held:
        return ["classes: " + ", ".join(str(entry.get("name", "")) for entry in held["classes"])]
    return [f"{name.replace('_', ' ')}: {value}" for name, value in held.items()]


def version_seen(request: HttpRequest) -> int | None:
    """The version that the form was made from; None where the form does not say."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def builder_context(rows: list[dict[str, Any]], questions: str) -> dict[str, Any]:
    """Return what ``components/builder.html`` shows."""
    return {
        "rows": rows,
        "questions": questions,
        "tools": ontology_form.TOOLS,
        "presets": ontology_form.presets(),
        "colours": ontology_form.COLOURS,
    }


def typed_rows(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the builder's rows as they were typed, so that a refusal loses nothing."""
    names = ("key", "name", "colour", "tool", "shortcut", "attributes")
    return [
        dict(zip(names, cells, strict=True))
        for cells in zip(*(request.POST.getlist(name) for name in names), strict=False)
    ]
