"""Who looked at what others saw in an item, by their own choice, and so reads it blind no more.

Not here: what is shown before and after (``analytics.sight``), who is given the item (``workflow.queue``).
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.models import Membership, Role
from labelhub.projects.permissions import Action, require
from labelhub.reviews.models import Decision, MatterAnswer, Sighting
from labelhub.reviews.selectors import has_judged, written_on_others


def keep_sighting(*, item: Item, by: User) -> Sighting:
    """Keep that ``by`` looks at the others' readings; twice is once. Writes ``item.seen``.

    Raises ``NotFound`` or ``NotAllowed`` for those who do not review here.
    """
    require(by, Action.REVIEW, item)
    with transaction.atomic():
        sighting, is_new = Sighting.objects.get_or_create(item=item, user=by)
        if is_new:
            audit.append(
                project_id=item.project_id, kind="item.seen", actor=f"user:{by.pk}", subject=f"item:{item.pk}",
                facts={"sighting": sighting.pk},
            )  # fmt: skip
    return sighting


def has_seen(user: User, item: Item) -> bool:
    """Whether ``user`` looked at the others' readings of the item."""
    return Sighting.objects.filter(item=item, user_id=user.pk).exists()


def knows_others(user: User, item: Item) -> bool:
    """Whether ``user`` is not blind to the item any more: of one item what :func:`known_to` asks of many."""
    # Whoever opens it a second time has seen it: that is asked first.
    return (
        has_seen(user, item)
        or has_judged(user, item)
        or MatterAnswer.objects.filter(item=item, reviewer_id=user.pk).exists()
        or written_on_others(user.pk).filter(thread__item=item).exists()
        or _open_to_admin(user.pk).filter(assignment__item=item).exists()
    )


def known_to(user: int | None) -> Q:
    """Return the condition that the person with this id is not blind to an item any more, whatever their role is now.

    They judged or decided of it, wrote of it, looked at the others' readings, or were an admin when one came in or later.
    """
    known = Q(Exists(Decision.objects.filter(item=OuterRef("pk"), reviewer=user)))
    known |= Q(Exists(written_on_others(user).filter(thread__item=OuterRef("pk"))))
    known |= Q(Exists(MatterAnswer.objects.filter(item=OuterRef("pk"), reviewer=user)))
    known |= Q(Exists(Sighting.objects.filter(item=OuterRef("pk"), user=user)))
    return known | Q(Exists(_open_to_admin(user).filter(assignment__item=OuterRef("pk"))))


def _open_to_admin(user: int | None) -> QuerySet[Submission]:
    """Return others' readings that the person with this id could see as an admin of the project, which they are no more."""
    seats = Membership.objects.filter(
        project=OuterRef("assignment__item__project"), user=user, role=Role.ADMIN,
        removed_at__gte=OuterRef("submitted_at"),
    )  # fmt: skip
    return Submission.objects.filter(Exists(seats)).exclude(assignment__labeler__user=user)
