"""What handing out needs to know of a labeler and their project, read at once and locked together.

The labeler's row is locked while something is given to them, so that two windows of one person never get two items. It is
the first lock of a hand-out; items come after it, the audit chain last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery

from labelhub.assignments.models import Batch
from labelhub.projects.models import (
    Acknowledgement,
    GuidelineVersion,
    KeptApart,
    Labeler,
    Membership,
    PolicyVersion,
    Project,
    Role,
)
from labelhub.projects.policy import Policy, read_policy
from labelhub.scoring.models import GoldReference
from labelhub.workflow.errors import GuidelineUnread, NotALabelerNow

_ROLES = ["", *Role.values]


@dataclass(frozen=True, slots=True)
class Desk:
    """A labeler, the policy they work under, and which of the rarer rules concern them at all."""

    labeler: Labeler
    role: str
    policy: Policy
    is_kept_apart: bool
    has_batches: bool
    has_training: bool

    @property
    def project(self) -> Project:
        """The labeler's project."""
        return self.labeler.project

    @property
    def reads_blind(self) -> bool:
        """Whether what they read is a blind read: admins see everybody's labels."""
        return self.role != Role.ADMIN


def desk_of(labeler: Labeler, *, is_locked: bool = False) -> Desk:
    """Return the labeler's desk in one query; with ``is_locked`` their row is locked until the transaction ends.

    Raises ``NotALabelerNow`` where their membership ended or the account is disabled, and ``GuidelineUnread``.
    """
    rows = _annotated(labeler)
    if is_locked:
        # No key lock: rows that refer to the labeler may be written meanwhile, so steps that hold an item never wait here.
        rows = rows.select_for_update(of=("self",), no_key=True)
    row: Any = rows.first()
    if row is None or row.user is None or not row.user.is_active:
        raise NotALabelerNow
    role = max(row.own_role or "", row.user.site_role, key=_ROLES.index)
    if not role:
        raise NotALabelerNow
    if not (row.is_guideline_empty or row.is_guideline_read):
        raise GuidelineUnread(guideline_id=row.guideline_id, number=row.guideline_number)
    return Desk(row, role, read_policy(row.policy_content), row.is_kept_apart, row.has_batches, row.has_training)


def _annotated(labeler: Labeler) -> Any:
    project = labeler.project_id
    guideline = GuidelineVersion.objects.filter(project=project).order_by("-number")
    apart = KeptApart.objects.filter(ended_at=None).filter(Q(first=OuterRef("pk")) | Q(second=OuterRef("pk")))
    training = GoldReference.objects.filter(
        kind=GoldReference.Kind.TRAINING, retired_at=None, rested_at=None, item__project=project
    )
    current = Membership.objects.filter(project=project, user=OuterRef("user"), removed_at=None)
    return Labeler.objects.filter(pk=labeler.pk).select_related("user", "project").annotate(
        own_role=Subquery(current.values("role")[:1]),
        policy_content=Subquery(PolicyVersion.objects.filter(project=project).order_by("-number").values("content")[:1]),
        guideline_id=Subquery(guideline.values("pk")[:1]),
        guideline_number=Subquery(guideline.values("number")[:1]),
        is_guideline_empty=Exists(GuidelineVersion.objects.filter(pk__in=guideline.values("pk")[:1], text__regex=r"^\s*$")),
        is_guideline_read=Exists(
            Acknowledgement.objects.filter(labeler=OuterRef("pk"), guideline__in=guideline.values("pk")[:1])
        ),
        is_kept_apart=Exists(apart),
        has_batches=Exists(Batch.objects.filter(project=project)),
        has_training=Exists(training),
    )  # fmt: skip
