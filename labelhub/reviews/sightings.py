"""Who looked at what others saw in an item, by their own choice, and so reads it blind no more.

Not here: what is shown before and after (``analytics.sight``), who is given the item (``workflow.queue``).
"""

from __future__ import annotations

from django.db import transaction

from labelhub.accounts.models import User
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.permissions import Action, require
from labelhub.reviews.models import MatterAnswer, Sighting
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
    """Whether ``user`` judged or decided of the item, wrote of it, or looked at the others' readings: they are not blind."""
    # Whoever opens it a second time has seen it: that is asked first.
    return (
        has_seen(user, item)
        or has_judged(user, item)
        or MatterAnswer.objects.filter(item=item, reviewer_id=user.pk).exists()
        or written_on_others(user.pk).filter(thread__item=item).exists()
    )
