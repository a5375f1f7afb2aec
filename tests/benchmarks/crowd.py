"""A project with many items and labelers, made of rows alone: what benchmarks of pages and claims need."""

from __future__ import annotations

import secrets
from datetime import timedelta

import numpy as np
from django.utils import timezone

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Membership, Project, Role
from labelhub.projects.ontology import read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_guideline, current_ontology, current_policy
from labelhub.projects.services import create_project
from labelhub.scoring.models import GoldReference
from tests.cast import ONTOLOGY

A_TIME = 5000


def make_project(*, n_items: int, n_labelers: int, policy: Policy) -> tuple[Project, list[Labeler]]:
    """Make a project with items that nobody has, and labelers who are members."""
    word = secrets.token_hex(4)
    admin = User.objects.create(username=f"admin-{word}", display_name="Admin")
    project = create_project(name=f"bench {word}", ontology=read_ontology(ONTOLOGY), policy=policy, created_by=admin)
    people = User.objects.bulk_create(
        User(username=f"w-{word}-{n}", display_name=f"Worker {n}") for n in range(n_labelers)
    )
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.ANNOTATOR) for user in people)
    labelers = Labeler.objects.bulk_create(Labeler(project=project, user=user, name=str(user)) for user in people)
    Item.objects.bulk_create(
        (Item(project=project, code=f"{n:012d}", group_key=f"g{n // 3}", group_kind="patient") for n in range(n_items)),
        batch_size=A_TIME,
    )
    return project, labelers


def make_reads(project: Project, labelers: list[Labeler], *, n_items: int, seed: int) -> None:
    """Give the first items of the project one submitted read each, by labelers drawn at random; one in 50 is gold."""
    rng = np.random.default_rng(seed)
    items = list(Item.objects.filter(project=project).order_by("pk")[:n_items])
    now = timezone.now()
    rows = [
        Assignment(
            item=item, labeler=labelers[rng.integers(len(labelers))], state=Assignment.State.SUBMITTED,
            read_kind="independent", planned_blind=True, reason="First reader of 2.", begun_at=now, closed_at=now,
        )
        for item in items
    ]  # fmt: skip
    Assignment.objects.bulk_create(rows, batch_size=A_TIME)
    ontology, guideline, policy = current_ontology(project)[0], current_guideline(project), current_policy(project)[0]
    days = rng.integers(0, 60, size=len(rows))
    Submission.objects.bulk_create(
        (
            Submission(
                assignment=row, version=1, request_id=row.pk, ontology=ontology, guideline=guideline, policy=policy,
                read_kind="independent", planned_blind=True, no_finding=True, active_s=20.0,
                submitted_at=now - timedelta(days=int(day)), day=(now - timedelta(days=int(day))).date(),
            )
            for row, day in zip(rows, days, strict=True)
        ),
        batch_size=A_TIME,
    )  # fmt: skip
    Item.objects.filter(project=project, pk__in=[item.pk for item in items]).update(state="reading", reads_taken=1)
    Item.objects.filter(project=project, pk__in=[item.pk for item in items[::2]]).update(state="settled")
    gold = Submission.objects.filter(
        assignment__item__in=[item.pk for item in items[:: 50 if n_items < 50_000 else 500]]
    )
    GoldReference.objects.bulk_create(
        GoldReference(item_id=row.assignment.item_id, submission=row, made_by="bench")
        for row in gold.select_related("assignment")
    )
