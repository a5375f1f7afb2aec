"""Pictures in the instructions: an admin adds them, gives them captions and takes them out of the draft; members see those of
versions that were published.

Not here: which may be shown (``workflow.examples``), how a file becomes a picture (``catalog.examples``).
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from labelhub.catalog import examples
from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.published_examples import example_for
from labelhub.catalog.selectors import item_for
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import NotFound
from labelhub.web.access import actor, person, project_page
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.examples import show_item


@project_page(Role.ADMIN, methods=("POST",))
def add(request: HttpRequest, project: Project) -> HttpResponse:
    """Add a picture from a file or of an item; what is wrong with it is said on the page it came from."""
    post, sent = request.POST, request.FILES.get("picture")
    caption, marker = post.get("caption", ""), post.get("marker", "")
    try:
        if sent is not None:
            if (sent.size or 0) > examples.MOST_FILE_BYTES:
                raise CatalogProblem(
                    f"A picture here has at most {examples.MOST_FILE_BYTES >> 20} MiB.", remedy="Make it smaller."
                )
            content, name = sent.read(), sent.name or "picture"
            examples.add_from_file(
                project=project, content=content, name=name, caption=caption, marker=marker, by=actor(request)
            )
        else:
            code = post.get("item", "").strip()
            if not code:
                raise CatalogProblem("Nothing was chosen.", remedy="Choose a file, or name an item by its code.")
            item, z = item_for(person(request), project, code), _slice(post.get("slice", ""))
            show_item(item=item, z=z, caption=caption, marker=marker, by=person(request))
    except NotFound:
        messages.error(request, "This project has no item with this code. Nothing was added.")
    except (CatalogProblem, StepRefused) as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, "The example is in the draft. Labelers see it once the instructions are published.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take an example out of the draft."""
    examples.remove(example=examples.drafted(project, pk), by=actor(request))
    messages.success(request, "The example was taken out of the draft. Versions that were published with it keep it.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def caption(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give an example of the draft another caption or marker."""
    post = request.POST
    seen = post.get("seen_caption", ""), post.get("seen_marker", "")
    try:
        examples.recaption(
            example=examples.drafted(project, pk), caption=post.get("caption", ""), marker=post.get("marker", ""), seen=seen,
            by=person(request),
        )  # fmt: skip
    except (CatalogProblem, examples.StaleCaption) as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, "Kept in the draft. Labelers see it once the instructions are published.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def withdraw(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show a picture to nobody any more, in no version."""
    examples.withdraw(example=examples.kept_example(project, pk), by=actor(request))
    messages.success(request, "The picture is shown to nobody any more, in no version of the instructions.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ANNOTATOR)
def picture(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Return an example's picture."""
    content = examples.png_of(example_for(person(request), project, pk))
    response = HttpResponse(content, content_type="image/png")
    # Not for long: what was withdrawn is to be seen no more.
    response["Cache-Control"] = "private, max-age=300"
    return response


def _slice(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:
        raise DomainError("A slice is a whole number from 1. Nothing was added.", code="slice-refused", status=400)
    return int(text) - 1
