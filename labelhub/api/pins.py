"""Pins of a working copy over HTTP: what was said at which place, and each act; every answer holds all pins as they stand.

For who draws in the copy or watches it. Windows hear over the socket that there is something new (``live``) and ask here. Not
here: the rules (``reviews.pins``).
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment
from labelhub.assignments.onlookers import seen_by
from labelhub.reviews import pins
from labelhub.reviews.pins import PinView, Place


class PinListView(APIView):
    """The pins of a working copy."""

    def get(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return all pins; only the version where ``?seen=`` names it: nothing changed then."""
        answer = _answer(request, seen_by(request.user, assignment)[0])
        is_known = request.query_params.get("seen") == answer.data["version"]
        return Response({"version": answer.data["version"]}) if is_known else answer

    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Set a pin with its first comment."""
        own, body = seen_by(request.user, assignment)[0], _body(request)
        place = Place(_whole(body, "medium"), _real(body, "x"), _real(body, "y"), _whole(body, "z"))
        pins.open_pin(
            assignment=own, by=_author(request), place=place, text=_text(body), request_id=_uuid(body, "request_id")
        )
        return _answer(request, own)


class PinCommentsView(APIView):
    """What is said at one pin."""

    def post(self, request: Request, assignment: uuid.UUID, pin: uuid.UUID) -> Response:
        """Answer; or, with ``replaces``, put other words in place of one's own."""
        own, body = seen_by(request.user, assignment)[0], _body(request)
        by, text, request_id = _author(request), _text(body), _uuid(body, "request_id")
        if "replaces" in body:
            remark = _uuid(body, "replaces")
            pins.mend_remark(assignment=own, pin=pin, remark=remark, by=by, text=text, request_id=request_id)
        else:
            pins.answer_pin(assignment=own, pin=pin, by=by, text=text, request_id=request_id)
        return _answer(request, own)


class PinTurnView(APIView):
    """Whether one pin is resolved."""

    def post(self, request: Request, assignment: uuid.UUID, pin: uuid.UUID) -> Response:
        """Resolve it, or open it again."""
        own, body = seen_by(request.user, assignment)[0], _body(request)
        is_resolved = body.get("is_resolved")
        if not isinstance(is_resolved, bool):
            raise ParseError("“is_resolved” is true or false. Nothing was stored.")
        pins.turn_pin(
            assignment=own, pin=pin, by=_author(request), is_resolved=is_resolved, seen=_uuid(body, "seen"),
            request_id=_uuid(body, "request_id"),
        )  # fmt: skip
        return _answer(request, own)


def _answer(request: Request, own: Assignment) -> Response:
    shown = [_shown(view) for view in pins.pins_of(_author(request), own)]
    version = hashlib.sha256(orjson.dumps(shown)).hexdigest()[:16]
    return Response({"version": version, "pins": shown})


def _shown(view: PinView) -> dict[str, Any]:
    said = [
        {
            "id": str(remark.id), "who": remark.who, "is_mine": remark.is_mine, "text": remark.text,
            "at": remark.at.isoformat(), "is_edited": remark.is_edited,
        }
        for remark in view.said
    ]  # fmt: skip
    at = asdict(view.place)
    return {"id": str(view.id), **at, "is_resolved": view.is_resolved, "said": said, "newest": str(view.newest)}


def _author(request: Request) -> User:
    """Who is signed in; anonymous requests were refused before the view ran."""
    assert isinstance(request.user, User)
    return request.user


def _body(request: Request) -> Mapping[str, Any]:
    return request.data if isinstance(request.data, Mapping) else {}


def _text(body: Mapping[str, Any]) -> str:
    value = body.get("text")
    if not isinstance(value, str) or "\0" in value:
        raise ParseError("“text” is what you say. Nothing was stored.")
    return value


def _uuid(body: Mapping[str, Any], name: str) -> uuid.UUID:
    value = body.get(name)
    try:
        return uuid.UUID(value if isinstance(value, str) and len(value) <= 36 else "")
    except ValueError as error:
        raise ParseError(f"“{name}” must be a UUID. Nothing was stored.") from error


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int or not 0 <= value < 2**53:
        raise ParseError(f"“{name}” must be a whole number from 0. Nothing was stored.")
    return value


def _real(body: Mapping[str, Any], name: str) -> float:
    value: Any = body.get(name)
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ParseError(f"“{name}” must be a number. Nothing was stored.")
    return float(value)
