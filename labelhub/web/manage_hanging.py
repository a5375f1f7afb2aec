"""How the series of an item stand side by side in the editor: the project's hanging protocol, set by its admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.catalog.selectors import series_of
from labelhub.projects import selectors, services
from labelhub.projects.hanging import LAYOUTS, PANES, PLANES, HangingProblem, Protocol, read_protocol
from labelhub.projects.models import Project, Role
from labelhub.web.access import person, project_page
from labelhub.web.manage_rules import kept_edits, version_seen

WORDS = {
    "one": "One pane",
    "two": "Two panes side by side",
    "stacked": "Two panes, one above the other",
    "four": "Three panes, with facts or 3-D in the fourth quarter",
}
FIELDS = ("series", "plane", "centre", "width")


@project_page(Role.ADMIN, methods=("GET", "POST"))
def hanging(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the protocol; sending it publishes the next version. Images opened from then on follow it."""
    number, current = selectors.current_hanging(project)
    if request.method == "GET":
        return _page(request, project, number, _typed_of(current))
    try:
        asked = protocol_of(request.POST)
        if asked == current:
            messages.info(request, "Nothing differs from the current version, so no new one was made.")
        else:
            made = services.publish_hanging(
                project=project, protocol=asked, by=person(request), seen=version_seen(request)
            )
            messages.success(request, f"Version {made.number}: images opened from now on hang like this.")
        return redirect("manage-hanging", project.slug)
    except HangingProblem as problem:
        return _page(request, project, number, _typed(request.POST), f"{problem} Nothing was changed.", 400)
    except services.StaleVersion as stale:
        newest, _ = selectors.current_hanging(project)
        return _page(request, project, newest, _typed(request.POST), str(stale), stale.status)


def protocol_of(form: Mapping[str, str]) -> Protocol:
    """Return the protocol that the form states; a pane without a series says nothing. Raises ``HangingProblem``."""
    typed = _typed(form)
    most = PANES.get(typed["layout"], 0)
    rules = []
    for number, pane in enumerate(typed["panes"], start=1):
        if not pane["series"].strip():
            continue
        if number > most:
            raise HangingProblem(f"{WORDS.get(typed['layout'], 'This layout')}: pane {number} would not be seen.")
        rules.append({"series": pane["series"], "plane": pane["plane"], "window": _window(number, pane)})
    return read_protocol({"layout": typed["layout"], "panes": rules, "is_one_space": typed["is_one_space"]})


def _window(number: int, pane: Mapping[str, str]) -> list[float] | None:
    texts = [pane["centre"].strip(), pane["width"].strip()]
    if not any(texts):
        return None
    try:
        return [float(text) for text in texts]
    except ValueError:
        raise HangingProblem(f"Pane {number}: a window is two numbers, its centre and its width.") from None


def _typed(form: Mapping[str, str]) -> dict[str, Any]:
    panes = [{name: form.get(f"{name}-{number}", "") for name in FIELDS} for number in (1, 2, 3)]
    return {"layout": form.get("layout", ""), "panes": panes, "is_one_space": form.get("is_one_space") == "yes"}


def _typed_of(protocol: Protocol) -> dict[str, Any]:
    panes = [{"series": "", "plane": "axial", "centre": "", "width": ""} for _ in range(3)]
    for pane, rule in zip(panes, protocol.panes, strict=False):
        centre, width = ("", "") if rule.window is None else (f"{rule.window[0]:g}", f"{rule.window[1]:g}")
        pane |= {"series": rule.series, "plane": rule.plane, "centre": centre, "width": width}
    return {"layout": protocol.layout, "panes": panes, "is_one_space": protocol.is_one_space}


def _page(
    request: HttpRequest, project: Project, number: int, typed: dict[str, Any], refusal: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "number": number,
        "typed": typed,
        "refusal": refusal,
        "layouts": [(name, WORDS[name]) for name in LAYOUTS],
        "planes": PLANES,
        "series": series_of(project),
        "kept": kept_edits(project, "hanging"),
    }
    return render(request, "manage/hanging.html", context, status=status)
