"""Cost on the models page: its figures, and the form of what an hour of work costs.

Not here: what was spent (``analytics.costs``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from labelhub.analytics.costs import project_cost
from labelhub.analytics.draft_effects import DraftEffect
from labelhub.numerics.results import Estimate
from labelhub.projects import selectors, services
from labelhub.projects.models import Project, Role
from labelhub.projects.prices import Prices, PricesProblem, read_prices
from labelhub.web.access import person, project_page
from labelhub.web.manage_rules import kept_edits, version_seen

FIELDS: Final = ("labeling", "reviewing", "currency")
# One or a thousand, depending on where one learned to write numbers.
_UNCLEAR: Final = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
# Below this a figure is shown with two places: rounded to whole units its interval would have no width.
_SMALL: Final = 100.0


@dataclass(frozen=True, slots=True)
class CostFigure:
    """A figure as the page shows it: grey below ``least`` units; ``of`` begins the sentence that says why it is not known."""

    name: str
    of: str
    tip: str
    estimate: Estimate
    least: int

    @property
    def places(self) -> int:
        """How many decimal places it is shown with."""
        return places_of(self.estimate)


def places_of(estimate: Estimate) -> int:
    """Return how many decimal places an amount of money or hours is shown with."""
    return 2 if estimate.is_defined and abs(estimate.value) < _SMALL else 0


def cost_context(project: Project, effect: DraftEffect, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return what the models page shows of cost; ``typed`` are fields of a form that was refused, so that nothing is lost."""
    cost = project_cost(project, effect)
    fields = {name: _plain(getattr(cost.prices, name)) for name in FIELDS}
    return {
        "cost": cost,
        "cost_figures": (
            CostFigure(
                "Spent on labeling", "What labeling cost",
                "Measured active time of readings by people here, each at the price that held when it was handed in. Readings "
                "without a measured time are taken at the mean of the others, and only that part has an interval",
                cost.labeling, 20,
            ),
            CostFigure(
                "Spent on reviewing", "What reviewing cost",
                "Measured time of reviewers at items\' desks, each at the price of its day", cost.reviewing, 20,
            ),
            CostFigure(
                "Saved by drafts", "What drafts saved",
                "The hours that drafts saved, from those who asked and got none by lot, at today\'s price of labeling. A "
                "negative number was lost", cost.saved, 40,
            ),
        ),
        "price_fields": fields | {name: typed[name] for name in FIELDS if name in typed},
        "kept_prices": kept_edits(project, "prices"),
    }  # fmt: skip


@project_page(Role.ADMIN, methods=("POST",))
def prices(request: HttpRequest, project: Project) -> HttpResponse:
    """Publish what an hour costs from now on; what was done before keeps the price of its day."""
    history = selectors.price_versions(project)
    typed = ""
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
            before = "" if history else ", and for all that was done before"
            messages.success(request, f"Version {made.number} of the prices holds for work from now on{before}.")
    except PricesProblem as problem:
        messages.error(request, f"{problem} Nothing was changed.")
        # In the address, so that the form still holds what was typed and a reload sends nothing again.
        typed = "?" + urlencode({name: request.POST.get(name, "")[:40] for name in FIELDS})
    except services.StaleVersion as stale:
        messages.error(request, str(stale))
    return redirect(f"{reverse('manage-models', args=[project.slug])}{typed}#cost")


def _plain(value: float | str | None) -> str:
    """A price as people type it: whole ones without a point."""
    if isinstance(value, float | int):
        return str(int(value)) if value == int(value) else str(value)
    return value or ""


def _number(text: str, work: str) -> float | None:
    """A price as people type it, with a comma or a point; None where the field is empty."""
    plain = text.strip()
    if not plain:
        return None
    if _UNCLEAR.fullmatch(plain):
        raise PricesProblem(
            f"{plain} may be {plain[:-4]} or {plain[:-4]} thousand. Write what an hour of {work} costs without a separator of "
            "thousands."
        )
    try:
        return float(plain.replace(",", "."))
    except ValueError:
        raise PricesProblem(
            f"What an hour of {work} costs is a number without a separator of thousands, as 1000 or 32.50, or empty."
        ) from None
