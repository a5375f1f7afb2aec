"""Taking a submission back: its labeler may, until anybody else has acted on it. A step of ``lifecycle``.

The submission stays, and its first version is what scores rest on; the labeler goes on in a rework that starts from it, and
with them who sat there when it was labeled together. Whether somebody acted is all that a refusal says, never what they did.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import HELD, Assignment, Recall
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import current_settlement
from labelhub.exports.models import Release
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_policy
from labelhub.reviews.error_models import ObjectVerdict
from labelhub.reviews.models import Decision, Dispute, UnreadableClaim
from labelhub.scoring.models import GoldReference
from labelhub.workflow import handing_out, steps, together
from labelhub.workflow.errors import CannotRecall
from labelhub.workflow.states import State, Work, move

REASON = "Its author took it back."
LIVE = (State.READING, State.REWORK, State.REVIEW)


def recall(*, assignment: Assignment, by: User) -> Assignment:
    """Take the submission of ``assignment`` back and return the work that goes on with it. Twice is once.

    Writes ``submission.recalled``. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler, ``CannotRecall``, and
    as ``lifecycle.hand_out``.
    """
    require(by, Action.LABEL, assignment)
    handing_out.require_may_label(assignment.labeler)
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        former = assigned.of_item(item).get(pk=assignment.pk)
        earlier = Recall.objects.filter(former=former).select_related("again").first()
        if earlier is not None and earlier.again.state in HELD:
            return earlier.again
        submission = Submission.objects.filter(assignment=former).order_by("version").last()
        if former.state != Work.SUBMITTED or submission is None:
            raise CannotRecall("Only what you submitted can be taken back. Nothing was changed.", code="not-submitted")
        is_held = assigned.of_item(item).filter(labeler=former.labeler, state__in=HELD).exists()
        if earlier is not None or is_held or acted_on(item, submission):
            raise CannotRecall(
                "Somebody else went on with this image since, so it can no longer be taken back. Your submission stands as it "
                "is."
            )
        again = assignments.open_assignment(
            item=item, labeler=former.labeler, read_kind="rework", planned_blind=False, reason=REASON,
            lease_s=current_policy(item.project)[1].lease_s, follows=former,
        )  # fmt: skip
        assignments.record_recall(former=former, again=again)
        brought = together.bring_back(former=former, again=again)
        if item.state in LIVE or _rests_on(item, submission):
            move(item=item, to=State.REWORK)
        steps.event(
            item,
            "submission.recalled",
            f"labeler:{former.labeler_id}",
            submission=submission.pk,
            assignment=str(again.pk),
            companions=[labeler.pk for labeler in brought],
        )
        _tell(again, brought)
    return again


def _tell(again: Assignment, brought: Sequence[Labeler]) -> None:
    """Tell who sits there that it goes on: they label it together, so who took it back is no secret to them."""
    code = again.item.code
    notify(
        users=[labeler.user for labeler in brought if labeler.user is not None], kind="returned",
        text=f"{again.labeler.name} took {code} back, which you labeled together. You sit at it again.",
        about=f"work:{again.pk}", project_id=again.item.project_id, key=f"recalled:{again.pk}",
    )  # fmt: skip


def acted_on(item: Item, submission: Submission) -> bool:
    """Whether anybody but its author acted on the item after the submission: read it, judged it, settled it, released it."""
    since = submission.submitted_at
    labeler = submission.assignment.labeler_id
    later = Submission.objects.filter(assignment__item=item, pk__gt=submission.pk)
    claims = UnreadableClaim.objects.filter(item=item, at__gte=since)
    settled = current_settlement(item) if item.state == State.SETTLED else None
    return (
        item.state in (State.EXCLUDED, State.AMBIGUOUS)
        or later.exclude(assignment__labeler=labeler).exists()
        or claims.exclude(assignment__labeler=labeler).exists()
        or Decision.objects.filter(item=item, at__gte=since).exists()
        or ObjectVerdict.objects.filter(item=item, at__gte=since).exists()
        or Settlement.objects.filter(item=item, at__gte=since, decided_by__isnull=False).exists()
        or Dispute.objects.filter(item=item, ticket__submission=submission).exists()
        or GoldReference.objects.filter(submission=submission).exists()
        or (settled is not None and Release.objects.filter(project=item.project_id, made_at__gte=settled.at).exists())
    )


def _rests_on(item: Item, submission: Submission) -> bool:
    settled = current_settlement(item)
    return item.state == State.SETTLED and settled is not None and submission in settled.inputs.all()
