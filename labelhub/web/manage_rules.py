"""What is asked of labelers: the ontology by a builder, and instructions; each change is a new version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.projects import selectors, services
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.ontology import OntologyProblem
from labelhub.web import ontology_form
from labelhub.web.access import person, project_page

MOST_CHARACTERS = 20_000


@project_page(Role.ADMIN, methods=("GET", "POST"))
def ontology(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the builder; sending it publishes the next version. Earlier labels keep the version they were made under."""
    version, current = selectors.current_ontology(project)
    context = builder_context(ontology_form.rows_of(current), ontology_form.questions_text(current))
    if request.method == "POST":
        try:
            asked = ontology_form.ontology_of_form(request.POST, current)
        except OntologyProblem as error:
            rows = typed_rows(request)
            context = builder_context(rows, request.POST.get("questions", "")) | {
                "refusal": f"{error} Nothing was changed."
            }
        else:
            if asked == current:
                messages.info(request, "Nothing differs from the current version, so no new one was made.")
            elif not asked.classes and not asked.questions:
                messages.warning(
                    request, "Without a class or a question nothing could be labeled. Nothing was changed."
                )
            else:
                made = services.publish_ontology(project=project, ontology=asked, by=person(request))
                messages.success(request, f"Ontology version {made.number} holds for work handed out from now on.")
            return redirect("manage-ontology", project.slug)
    versions = selectors.versions_of(project)
    context |= {"version": version, "history": versions["ontology"], "guideline": versions["guideline"][0]}
    return render(request, "manage/ontology.html", context, status=400 if "refusal" in context else 200)


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
    if text == selectors.current_guideline(project).text.strip():
        messages.info(request, "The instructions are the same, so no new version was made.")
    else:
        made = services.publish_guideline(project=project, text=text, by=person(request))
        messages.success(
            request, f"Instructions version {made.number}: each labeler confirms them before the next item."
        )
    return redirect("manage-ontology", project.slug)


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
