"""What a labeler is shown of a model's draft of the image they have. Not here: whether anything is (``workflow.drafting``)."""

from __future__ import annotations

import uuid

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labelhub.accounts.models import User
from labelhub.assignments.selectors import drawn_by
from labelhub.predictions.models import SEEN_ARMS
from labelhub.workflow.beat import on_a_beat
from labelhub.workflow.drafting import ask_draft


class DraftView(APIView):
    """A model's draft of an image that one has."""

    @on_a_beat
    def post(self, request: Request, assignment: uuid.UUID) -> Response:
        """Return the draft's shapes, or null where there is none for this image; asking again gets the same answer.

        Why there is none, and whether what is shown was altered, is told to nobody who labels.
        """
        assert isinstance(request.user, User)
        draft = ask_draft(assignment=drawn_by(request.user, assignment), by=request.user)
        return Response({"shapes": draft.shapes if draft.arm in SEEN_ARMS else None})
