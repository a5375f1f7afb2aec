"""What a labeler is told of training work: how like the gold it was. The only page for annotators that depends on gold.

A declared disclosure: training gold exists to teach, its reads vote on nothing, and no other kind of gold is ever shown.
"""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from labelhub.assignments.selectors import own_assignment
from labelhub.scoring.training import feedback_on
from labelhub.web.access import page


@page("annotator")
def feedback(request: HttpRequest, assignment: uuid.UUID) -> HttpResponse:
    """Show how one's submitted training work compares with its gold."""
    own = own_assignment(request.user, assignment)
    request.project = own.labeler.project  # type: ignore[attr-defined]
    return render(request, "label/feedback.html", {"assignment": own, "rows": feedback_on(own)})
