"""Reviewers who watch people label an item together: who may, and who does.

Only work of shared batches, where the policy says so: in a solo batch, where hidden gold, exams and repeats lie, nobody is ever
there, so that nothing about who can be watched tells one item from another. Not here: coming and going (``workflow.watching``),
drawing along (``Companion``).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from labelhub.accounts.models import User
from labelhub.assignments.models import Assignment, BatchItem, Onlooker
from labelhub.assignments.selectors import drawn_by
from labelhub.projects.models import Project
from labelhub.projects.permissions import NotFound, Person
from labelhub.projects.selectors import current_policy
from labelhub.projects.telling import REVIEWING, seated


def open_together() -> QuerySet[Assignment]:
    """Return the work that people do together now; also what they took back, which goes on as it was begun."""
    in_shared = BatchItem.objects.filter(item=OuterRef("item"), batch__is_shared=True)
    is_shared = Q(read_kind="co-edited") | Q(recall_of__isnull=False)
    rows = Assignment.objects.filter(Exists(in_shared), is_shared, state=Assignment.State.OPEN)
    return rows.select_related("item__project", "labeler__user")


def lets_watch(project: Project) -> bool:
    """Whether the project's policy lets reviewers watch. Never where they review blind: who is at work is seen by name."""
    policy = current_policy(project)[1]
    return policy.reviewers_join != "no" and not policy.review_blind


def work_to_watch(user: Person, assignment_id: uuid.UUID) -> Assignment:
    """Return open work that ``user`` may watch as a reviewer of its project. Raises ``NotFound``."""
    row = open_together().filter(pk=assignment_id).first()
    if row is None or not lets_watch(row.item.project):
        raise NotFound("Nobody labels this together now, or it is not yours to watch.")
    if not seated(row.item.project, REVIEWING).filter(pk=user.pk or 0).exists():
        raise NotFound("Nobody labels this together now, or it is not yours to watch.")
    return row


def watched_by(user: Person, assignment_id: uuid.UUID) -> Assignment:
    """Return the work that ``user`` watches and still may. Raises ``NotFound``."""
    if not Onlooker.objects.filter(assignment=assignment_id, user_id=user.pk or 0, left_at=None).exists():
        raise NotFound("There is no such work, or it is not yours.")
    return work_to_watch(user, assignment_id)


def seen_by(user: Person, assignment_id: uuid.UUID) -> tuple[Assignment, bool]:
    """Return the work that ``user`` draws in or watches, and whether they only watch. Raises ``NotFound``."""
    try:
        return drawn_by(user, assignment_id), False
    except NotFound:
        return watched_by(user, assignment_id), True


def onlookers_of(assignment_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, set[int]]:
    """Return, for each work, the people who watch it and still may. One query where nobody watches."""
    rows = Onlooker.objects.filter(assignment__in=assignment_ids, left_at=None)
    pairs = list(rows.values_list("assignment", "user"))
    found: dict[uuid.UUID, set[int]] = {}
    works = {row.pk: row for row in open_together().filter(pk__in={work for work, _ in pairs})} if pairs else {}
    allowed: dict[int, set[int]] = {}
    for work, user in pairs:
        project = works[work].item.project if work in works else None
        if project is None:
            continue
        if project.pk not in allowed:
            people = seated(project, REVIEWING).values_list("pk", flat=True)
            allowed[project.pk] = set(people) if lets_watch(project) else set()
        if user in allowed[project.pk]:
            found.setdefault(work, set()).add(user)
    return found


def were_there(assignment_ids: Collection[uuid.UUID]) -> dict[int, User]:
    """Return who watches or watched one of these works, by id."""
    rows = Onlooker.objects.filter(assignment__in=assignment_ids).select_related("user")
    return {row.user_id: row.user for row in rows}
