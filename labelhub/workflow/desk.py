"""What handing out needs to know of a labeler and their project, read at once and locked together.

The labeler's row is locked while something is given to them, so that two windows of one person never get two items. It is
the first lock of a hand-out; items come after it, the audit chain last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from labelhub.assignments.models import Batch
from labelhub.audit.prepared import SLOTS, rows
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
from labelhub.routing.gates import STATES, UNDECIDED
from labelhub.routing.models import Gate
from labelhub.scoring.models import ExamRuling, GoldReference
from labelhub.workflow.errors import GuidelineUnread, NotALabelerNow, PausedNow

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
    gate: str = UNDECIDED
    had_other_seat: bool = False
    # The newest ruling on their entry exam; empty where there is none.
    ruling: str = ""

    @property
    def project(self) -> Project:
        """The labeler's project."""
        return self.labeler.project

    @property
    def reads_blind(self) -> bool:
        """Whether what they read is a blind read: admins see everybody's labels."""
        return self.role != Role.ADMIN

    @property
    def may_know_others(self) -> bool:
        """Whether they have or had a seat from which other people's reads are seen, so that some items are known to them."""
        return self.role != Role.ANNOTATOR or self.had_other_seat

    @property
    def may_decide_disputes(self) -> bool:
        """Whether they can be a third reader: they never had a seat from which other people's reads are seen."""
        return self.role == Role.ANNOTATOR and not self.had_other_seat


def desk_of(labeler: Labeler, *, is_locked: bool = False) -> Desk:
    """Return the labeler's desk in one query; with ``is_locked`` their row is locked until the transaction ends.

    Raises ``NotALabelerNow`` where their membership ended or the account is disabled, ``PausedNow`` and ``GuidelineUnread``.
    """
    found = rows(
        ("desk", labeler.project_id, is_locked), lambda: _query(labeler.project_id, is_locked=is_locked), [labeler.pk]
    )
    if not found:
        raise NotALabelerNow
    facts = Facts(*found[0])
    role = max(facts.own_role or "", facts.site_role or "", key=_ROLES.index)
    if not (role and facts.is_active):
        raise NotALabelerNow
    gate = STATES[facts.newest_gate] if facts.newest_gate else UNDECIDED
    if gate == "paused":
        raise PausedNow
    if (facts.guideline_text.strip() or facts.n_examples) and not facts.is_guideline_read:
        raise GuidelineUnread(guideline_id=facts.guideline_id, number=facts.guideline_number)
    labeler.n_handed = facts.n_handed
    return Desk(
        labeler, role, _policy(facts.policy_content), is_kept_apart=bool(facts.is_kept_apart),
        has_batches=bool(facts.has_batches), has_training=bool(facts.has_training), gate=gate,
        had_other_seat=bool(facts.had_other_seat) or bool(facts.site_role),
        ruling=facts.newest_ruling or "",
    )  # fmt: skip


class Facts(NamedTuple):
    """One row of the desk's query, in its order."""

    n_handed: int
    is_active: bool
    site_role: str | None
    own_role: str | None
    policy_content: Any
    guideline_id: int
    guideline_number: int
    guideline_text: str
    n_examples: int
    is_guideline_read: bool
    is_kept_apart: bool
    has_batches: bool
    has_training: bool
    newest_gate: str | None
    had_other_seat: bool
    newest_ruling: str | None


@lru_cache(maxsize=64)
def _policy_of(content: str) -> Policy:
    return read_policy(json.loads(content))


def _policy(content: Any) -> Policy:
    return _policy_of(content) if isinstance(content, str) else read_policy(content)


def _query(project: int, *, is_locked: bool) -> QuerySet[Any, Any]:
    guideline = GuidelineVersion.objects.filter(project=project).order_by("-number")
    apart = KeptApart.objects.filter(ended_at=None).filter(Q(first=OuterRef("pk")) | Q(second=OuterRef("pk")))
    training = GoldReference.objects.filter(
        kind=GoldReference.Kind.TRAINING, retired_at=None, rested_at=None, item__project=project
    )
    current = Membership.objects.filter(project=project, user=OuterRef("user"), removed_at=None)
    read = Acknowledgement.objects.filter(labeler=OuterRef("pk"), guideline__in=guideline.values("pk")[:1])
    labelers = Labeler.objects.filter(pk=SLOTS[0], user__isnull=False)
    if is_locked:
        # No key lock: rows that refer to the labeler may be written meanwhile, so steps that hold an item never wait here.
        labelers = labelers.select_for_update(of=("self",), no_key=True)
    return labelers.values_list(
        "n_handed", "user__is_active", "user__site_role",
        Subquery(current.values("role")[:1]),
        Subquery(PolicyVersion.objects.filter(project=project).order_by("-number").values("content")[:1]),
        Subquery(guideline.values("pk")[:1]), Subquery(guideline.values("number")[:1]), Subquery(guideline.values("text")[:1]),
        Subquery(guideline.values("n_examples")[:1]),
        Exists(read), Exists(apart), Exists(Batch.objects.filter(project=project)), Exists(training),
        Subquery(Gate.objects.filter(labeler=OuterRef("pk")).order_by("-pk").values("kind")[:1]),
        Exists(Membership.objects.filter(project=project, user=OuterRef("user")).exclude(role=Role.ANNOTATOR)),
        Subquery(ExamRuling.objects.filter(labeler=OuterRef("pk")).order_by("-pk").values("verdict")[:1]),
    )  # fmt: skip
