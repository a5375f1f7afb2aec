"""What an hour of work costs: the form on the models page. Not here: what was spent (``analytics.costs``)."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from labelhub.projects import selectors, services
from labelhub.projects.models import Project, Role
from labelhub.projects.prices import Prices, PricesProblem, read_prices
from labelhub.web.access import person, project_page
from labelhub.web.manage_rules import version_seen


@project_page(Role.ADMIN, methods=("POST",))
def prices(request: HttpRequest, project: Project) -> HttpResponse:
    """Publish what an hour costs from now on; what was done before keeps the price of its day."""
    history = selectors.price_versions(project)
    try:
        asked = read_prices(
            {
                "labeling": _number(request.POST.get("labeling", ""), "labeling"),
                "reviewing": _number(request.POST.get("reviewing", ""), "reviewing"),
                "currency": request.POST.get("currency", ""),
            }
        )
        if asked == (history[-1][1] if history else Prices()):
            messages.info(request, "Nothing differs from the current prices, so no new version was made.")
        else:
            made = services.publish_prices(
                project=project, prices=asked, by=person(request), seen=version_seen(request)
            )
            messages.success(request, f"Version {made.number} of the prices holds for work from now on.")
    except PricesProblem as problem:
        messages.error(request, f"{problem} Nothing was changed.")
    except services.StaleVersion as stale:
        messages.error(request, str(stale))
    return redirect(f"{reverse('manage-models', args=[project.slug])}#cost")


def _number(text: str, work: str) -> float | None:
    """A price as people type it, with a comma or a point; None where the field is empty."""
    plain = text.strip().replace(",", ".")
    if not plain:
        return None
    try:
        return float(plain)
    except ValueError:
        raise PricesProblem(f"What an hour of {work} costs is a number, or empty.") from None
