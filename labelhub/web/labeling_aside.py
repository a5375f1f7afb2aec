"""What an annotator does with an image besides labeling it: parks it, asks, says it cannot be read, disputes, takes it back.

Nothing here tells what others did, but that a submission can no longer be taken back. Not here: the steps' rules
(``workflow.lifecycle``), and drawing and submitting (``labeling``).
"""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect

from labelhub.assignments.errors import NotOpen
from labelhub.assignments.selectors import own_assignment
from labelhub.projects.errors import DomainError
from labelhub.projects.permissions import NotFound
from labelhub.reviews import threads
from labelhub.web.access import page, person
from labelhub.web.labeling import answers_json, body_of, onward, queue_address
from labelhub.workflow import lifecycle
from labelhub.workflow.beat import on_a_beat
from labelhub.workflow.errors import StepRefused


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def park(request: HttpRequest, assignment: uuid.UUID) -> JsonResponse:
    """Put the image aside with its draft, and go on with the next."""
    own = own_assignment(request.user, assignment)
    lifecycle.park(assignment=own, by=person(request))
    return JsonResponse({"next": onward(own.labeler)})


@page("annotator", methods=("POST",))
@on_a_beat
def resume(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Go on with an image that waits."""
    own = own_assignment(request.user, assignment)
    try:
        lifecycle.resume(assignment=own, by=person(request))
    except (StepRefused, NotOpen) as refusal:
        messages.warning(request, str(refusal))
        return redirect(queue_address(own.labeler))
    return redirect("label-workspace", own.pk)


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def ask(request: HttpRequest, assignment: uuid.UUID) -> JsonResponse:
    """Ask reviewers about the image; who waits for the answer goes on with the next, who does not stays here."""
    own = own_assignment(request.user, assignment)
    body = body_of(request)
    text, waits = body.get("text"), body.get("waits") is True
    if not isinstance(text, str):
        raise DomainError("Write your question. Nothing was changed.", code="text-missing", status=422)
    lifecycle.ask(assignment=own, by=person(request), text=text, is_waiting=waits)
    if waits:
        return JsonResponse({"next": onward(own.labeler)})
    return JsonResponse(
        {"said": "Your question was sent to the reviewers. Their answer appears here and on your queue."}
    )


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def cannot_read(request: HttpRequest, assignment: uuid.UUID) -> JsonResponse:
    """Say that the image cannot be read, with a reason that a second person looks at."""
    own = own_assignment(request.user, assignment)
    reason = body_of(request).get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise DomainError("Say why it cannot be read. Nothing was changed.", code="reason-missing", status=422)
    lifecycle.cannot_read(assignment=own, by=person(request), reason=reason[:300])
    return JsonResponse({"next": onward(own.labeler)})


@page("annotator", methods=("POST",))
@on_a_beat
@answers_json
def dispute(request: HttpRequest, assignment: uuid.UUID) -> JsonResponse:
    """Stand by a reading that came back, with a reason that reviewers read; then go on with the next image."""
    own = own_assignment(request.user, assignment)
    reason = body_of(request).get("reason")
    lifecycle.dispute(assignment=own, by=person(request), reason=reason if isinstance(reason, str) else "")
    return JsonResponse({"next": onward(own.labeler)})


@page("annotator", methods=("POST",))
def reply_in_thread(request: HttpRequest, assignment: uuid.UUID, pk: int) -> HttpResponse:
    """Answer what a reviewer wrote to the author of this work."""
    own, thread = own_assignment(request.user, assignment), threads.own_thread(person(request), pk)
    if thread.item_id != own.item_id:
        raise NotFound("There is no such thread on this image.")
    try:
        request_id = uuid.UUID(request.POST.get("request_id", "")[:36])
    except ValueError as error:
        sentence = "This form has no number, so it could be stored twice. Nothing was stored. Load the page again."
        raise DomainError(sentence, code="request-id-missing", status=400) from error
    threads.reply(thread=thread, by=person(request), text=request.POST.get("text", ""), request_id=request_id)
    messages.success(request, "Sent to the reviewers.")
    return redirect("label-workspace", own.pk)


@page("annotator", methods=("POST",))
@on_a_beat
def recall(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Take a submission back and open it; where somebody went on with it since, say so on the queue."""
    own = own_assignment(request.user, assignment)
    try:
        again = lifecycle.recall(assignment=own, by=person(request))
    except StepRefused as refusal:
        messages.warning(request, str(refusal))
        return redirect(queue_address(own.labeler))
    return redirect("label-workspace", again.pk)
