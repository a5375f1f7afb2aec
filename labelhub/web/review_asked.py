"""What labelers ask reviewers: answers to questions, and verdicts on images that somebody could not read."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from labelhub.projects.models import Project, Role
from labelhub.reviews import questions
from labelhub.web.access import person, project_page
from labelhub.workflow import lifecycle


@project_page(Role.REVIEWER, methods=("POST",))
def answer(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Answer one question; what is marked general goes into the next instructions."""
    question = questions.question_for(person(request), project, pk)
    is_general = request.POST.get("general") == "1"
    lifecycle.answer(question=question, by=person(request), text=request.POST.get("text", ""), is_general=is_general)
    tail = " It goes into the next version of the instructions." if is_general else ""
    messages.success(request, f"Answered. Its asker reads it on the image {question.item.code}.{tail}")
    return _inbox(project, "questions")


@project_page(Role.REVIEWER, methods=("POST",))
def decide_claim(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Confirm that an image cannot be read, which takes it out, or let it go on."""
    claim = questions.claim_for(person(request), project, pk)
    is_confirmed = request.POST.get("verdict") == "confirm"
    lifecycle.decide_claim(
        claim=claim, by=person(request), is_confirmed=is_confirmed, comment=request.POST.get("comment", "")[:300]
    )
    what = "was taken out; its readings are kept" if is_confirmed else "goes on to its next reader"
    messages.success(request, f"Item {claim.item.code} {what}.")
    return _inbox(project, "unreadable")


def _inbox(project: Project, part: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('review-inbox')}?project={project.slug}#{part}")
