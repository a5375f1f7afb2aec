"""Labeling one image with others: the page that asks whether to join, joining, and giving the seat back.

Who sits at an image of a shared batch is told to members of its project: the batch is labeled together, so nothing there is
blind. Not here: the rules (``workflow.together``) and the labeling page (``labeling``).
"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from labelhub.projects.selectors import labeler_of
from labelhub.web.access import page, person
from labelhub.web.labeling import queue_address
from labelhub.workflow import together
from labelhub.workflow.beat import on_a_beat
from labelhub.workflow.errors import GuidelineUnread, StepRefused


@page("annotator", methods=("GET", "POST"))
@on_a_beat
def join(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Ask whether to join, and on POST take a seat and open the image."""
    work = together.work_to_join(person(request), assignment)
    labeler = labeler_of(person(request), work.item.project)
    queue = queue_address(labeler)
    if request.method == "POST":
        try:
            together.join(assignment=work, by=person(request))
        except GuidelineUnread:
            messages.info(request, "Read the instructions first; then join again.")
            return redirect(queue)
        except StepRefused as refusal:
            messages.warning(request, str(refusal))
            return redirect(queue)
        return redirect("label-workspace", work.pk)
    if work.labeler_id == labeler.pk or together.sits_at(person(request), work):
        return redirect("label-workspace", work.pk)
    seats = [seat.labeler.name for seat in work.companions.all() if seat.left_at is None]
    return render(
        request, "label/join.html", {"assignment": work, "names": [work.labeler.name, *seats], "queue_address": queue}
    )


@page("annotator", methods=("POST",))
@on_a_beat
def leave(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Give the seat back; what was drawn stays."""
    work = together.seat_of(person(request), assignment)
    together.leave(assignment=work, by=person(request))
    messages.success(request, f"You left {work.item.code}. What you drew there stays.")
    return redirect(queue_address(labeler_of(person(request), work.item.project)))
