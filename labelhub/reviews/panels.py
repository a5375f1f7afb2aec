"""A panel of reviewers: each votes once without seeing the others' votes, and more than half for one label decide.

Not here: settling the item, and who decides where there is no majority (``workflow``).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import QuerySet

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.permissions import Action, require
from labelhub.reviews.models import PanelVote
from labelhub.reviews.selectors import has_read
from labelhub.reviews.services import ReviewRefused


@dataclass(frozen=True, slots=True)
class Tally:
    """How a sitting stands. ``winner`` is a vote of those that won, None while nobody has more than half of ``size``.

    ``is_tied``: no label can get more than half any more.
    """

    size: int
    votes: tuple[PanelVote, ...]
    winner: PanelVote | None
    is_tied: bool


def votes_of(item: Item) -> QuerySet[PanelVote]:
    """Return the votes of the present sitting, oldest first."""
    return (
        PanelVote.objects.filter(item=item, sat_since=item.state_changed_at).select_related("reviewer").order_by("pk")
    )


def has_voted(user: User, item: Item) -> bool:
    """Whether ``user`` voted in the present sitting."""
    return votes_of(item).filter(reviewer_id=user.pk).exists()


def cast_vote(*, item: Item, reviewer: User, submission: Submission | None, comment: str) -> PanelVote:
    """Keep a vote. Writes ``panel.voted``. Runs in the caller's transaction, with the item locked.

    Raises ``NotFound``/``NotAllowed`` for those who do not review here, and ``ReviewRefused`` with code ``own-read`` or
    ``already-voted``.
    """
    require(reviewer, Action.REVIEW, item)
    if has_read(reviewer, item):
        raise ReviewRefused(
            "You read this item yourself, so others vote on it. Nothing was stored. Take the next one.", code="own-read"
        )
    if has_voted(reviewer, item):
        raise ReviewRefused(
            "You have voted on this item, and a vote is never changed. Nothing was stored. Take the next one.",
            code="already-voted",
        )
    vote = PanelVote.objects.create(
        item=item, reviewer=reviewer, submission=submission, comment=comment.strip(), sat_since=item.state_changed_at
    )
    audit.append(
        project_id=item.project_id, kind="panel.voted", actor=f"user:{reviewer.pk}", subject=f"item:{item.pk}",
        facts={"vote": vote.pk, "submission": submission.pk if submission is not None else None},
    )  # fmt: skip
    return vote


def tally(item: Item, size: int) -> Tally:
    """Count the votes of the present sitting of ``size`` reviewers."""
    votes = tuple(votes_of(item))
    counts = Counter(vote.submission_id for vote in votes)
    best = max(counts.values(), default=0)
    winner = next((vote for vote in votes if counts[vote.submission_id] * 2 > size), None)
    is_open = (best + max(0, size - len(votes))) * 2 > size
    return Tally(size, votes, winner, is_tied=winner is None and not is_open)
