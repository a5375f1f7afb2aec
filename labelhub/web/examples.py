"""Pictures in the instructions: an admin adds them and takes them out; every member of the project sees them.

Not here: which may be shown (``workflow.examples``), how a file becomes a picture (``catalog.examples``).
"""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from labelhub.catalog import examples
from labelhub.catalog.errors import CatalogProblem
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
        messages.success(request, "The example is in the instructions now.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ADMIN, methods=("POST",))
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Take an example out."""
    examples.remove(example=examples.example_for(person(request), project, pk), by=actor(request))
    messages.success(request, "The example was taken out of the instructions.")
    return redirect("manage-ontology", project.slug)


@project_page(Role.ANNOTATOR)
def picture(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Return an example's picture."""
    content = examples.png_of(examples.example_for(person(request), project, pk))
    response = HttpResponse(content, content_type="image/png")
    # Not for long: what was taken out is to be seen no more.
    response["Cache-Control"] = "private, max-age=300"
    return response


def _slice(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < 1:
        raise DomainError("A slice is a whole number from 1. Nothing was added.", code="slice-refused", status=400)
    return int(text) - 1
