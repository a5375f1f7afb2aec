"""Work for machines: take the next item, give it back, submit it. The same steps as the pages, with the same refusals.

What comes back says nothing about why an item was handed out, nor about scores, gold or anybody else's labels, and it comes
on a beat (``workflow.beat``). Not here: drawing (``documents``), and the rules of each step (``workflow.lifecycle``).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from rest_framework.exceptions import NotAuthenticated, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.annotations.replies import kept_reply
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import drawn_by, own_assignment, own_queue, own_view
from labelhub.projects.permissions import NotFound
from labelhub.projects.selectors import current_policy, labeler_of, project_for
from labelhub.reviews.questions import own_questions
from labelhub.reviews.tickets import own_ticket
from labelhub.reviews.verdicts import errors_returned
from labelhub.workflow import lifecycle
from labelhub.workflow.beat import on_a_beat


class QueueView(APIView):
    """One's own work in a project."""

    def get(self, request: Request, slug: str) -> Response:
        """Return the open assignments and the last closed ones."""
        queue = own_queue(labeler_of(_person(request), project_for(_person(request), slug)))
        return Response(
            {
                "open": [asdict(entry) for entry in queue.open],
                "paused": [asdict(entry) for entry in queue.paused],
                "closed": [asdict(entry) for entry in queue.closed],
                "n_submitted": queue.n_submitted,
            }
        )


class NextView(APIView):
    """The way to the next item."""

    @on_a_beat
    def post(self, request: Request, slug: str) -> Response:
        """Hand out the next item, or the one that is begun; 204 where there is nothing now."""
        assignment = lifecycle.hand_out(labeler=labeler_of(_person(request), project_for(_person(request), slug)))
        return Response(status=204) if assignment is None else Response(_own(assignment))


class SubmitView(APIView):
    """Freezing what was drawn."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Submit; the same ``request_id`` again gets the same answer and does nothing."""
        own = drawn_by(request.user, assignment)
        body = _body(request)
        extent = body.get("extent")
        if not (extent is None or isinstance(extent, Mapping)):
            raise ParseError("“extent” is an object. Nothing was stored.")
        submission = lifecycle.submit(
            assignment=own,
            by=_person(request),
            request_id=_request_id(body),
            no_finding=body.get("no_finding") is True,
            extent=extent,
        )
        answer = {"assignment": own.pk, "version": submission.version, "submitted_at": submission.submitted_at}
        kept = kept_reply(submission=submission, channel="rest", make=lambda: orjson.dumps(answer).decode())
        return Response(orjson.loads(kept))


class SkipView(APIView):
    """Giving an item back."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Skip; the item is not handed to the same person again."""
        own = own_assignment(request.user, assignment)
        lifecycle.skip(assignment=own, reason=_text(_body(request), "reason", 300))
        own.refresh_from_db()
        return Response(_own(own))


class ParkView(APIView):
    """Putting an item aside."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Park the item with its draft; nobody else gets it meanwhile."""
        return Response(_own(lifecycle.park(assignment=own_assignment(request.user, assignment), by=_person(request))))


class ResumeView(APIView):
    """Going on with an item that waits."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Open the item again under a new lease."""
        return Response(
            _own(lifecycle.resume(assignment=own_assignment(request.user, assignment), by=_person(request)))
        )


class QuestionView(APIView):
    """Questions to reviewers."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return what the labeler asked about the item, with the answers."""
        return Response([asdict(entry) for entry in own_questions(own_assignment(request.user, assignment))])

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Ask; with ``waits`` the item waits for the answer."""
        own = own_assignment(request.user, assignment)
        body = _body(request)
        lifecycle.ask(
            assignment=own, by=_person(request), text=_text(body, "text", 2000), is_waiting=body.get("waits") is True
        )
        return Response([asdict(entry) for entry in own_questions(own)], status=201)


class UnreadableView(APIView):
    """Items that cannot be read."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Say so, with a reason; a second person decides."""
        own = own_assignment(request.user, assignment)
        reason = _text(_body(request), "reason", 300)
        return Response(_own(lifecycle.cannot_read(assignment=own, by=_person(request), reason=reason)))


class TicketView(APIView):
    """What comes with work that was sent back."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return the reviewer's words, the marks, and whether it can be disputed; 404 for work that did not come back."""
        own = own_assignment(request.user, assignment)
        _, policy = current_policy(own.labeler.project)
        ticket = own_ticket(own, policy)
        if ticket is None:
            raise NotFound("This work did not come back, so there is no ticket.")
        return Response(asdict(ticket) | {"errors": errors_returned(own, policy)})


class DisputeView(APIView):
    """Standing by a reading that came back."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Dispute the return with a ``reason``; the work is closed, and somebody else looks."""
        own = own_assignment(request.user, assignment)
        lifecycle.dispute(assignment=own, by=_person(request), reason=_text(_body(request), "reason", 2000))
        own.refresh_from_db()
        return Response(_own(own))


class RecallView(APIView):
    """Taking a submission back."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return the work that goes on with it; refused once anybody else acted on the item."""
        return Response(
            _own(lifecycle.recall(assignment=own_assignment(request.user, assignment), by=_person(request)))
        )


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise ParseError(f"“{name}” is a text of at most {most} characters. Nothing was stored.")
    return value


def _person(request: Request) -> User:
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user


def _own(assignment: Assignment) -> dict[str, Any]:
    return asdict(own_view(assignment))


def _body(request: Request) -> Mapping[str, Any]:
    body = request.data
    if not isinstance(body, Mapping):
        raise ParseError("The body is a JSON object. Nothing was stored.")
    return body


def _request_id(body: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(body["request_id"])[:36])
    except (KeyError, ValueError) as error:
        raise ParseError("“request_id” is a UUID that you make, one a submit. Nothing was stored.") from error
