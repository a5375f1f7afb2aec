"""What a reviewer or an admin may see of one item's story.

Admins see everything. Who may still be asked to read the item blind sees nothing that others did with it. While a panel of
reviewers votes, nobody sees the others' votes before their own. Annotators see no story at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.accounts.models import User
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.consensus.selectors import has_settled
from labelhub.projects.models import Role
from labelhub.projects.permissions import Action, require, role_in
from labelhub.projects.selectors import current_policy
from labelhub.reviews.models import Decision, PanelVote
from labelhub.reviews.reviewer_tests import kinds_placed
from labelhub.reviews.selectors import has_read, is_panel_tied
from labelhub.reviews.sightings import knows_others

BLIND = (
    "You may still be asked to read this item yourself, so what others saw in it is not shown to you. It is, once you have "
    "read or judged it, or if you look now: then it is not given to you any more."
)
AT_WORK = "You are at work on this item, so what others saw in it is shown to you once you have handed it in."
TO_JUDGE = "This item waits for a reviewer. Its story is shown to you once you have judged it, or others have."
SITTING = "A panel votes on this item. What the other reviewers said is shown after your own vote."


@dataclass(frozen=True, slots=True)
class Sight:
    """What is shown. ``why`` says what is not, and when it will be; empty where everything is shown.

    ``may_look``: who asks for it sees all, and is given the item for no blind read any more.
    """

    sees_others: bool = True
    may_look: bool = False
    hidden_decisions: frozenset[int] = frozenset()
    hidden_votes: frozenset[int] = frozenset()
    why: str = ""


def sight_of(user: User, item: Item) -> Sight:
    """Return what ``user`` may see of the item's story. Raises ``NotFound`` or ``NotAllowed`` for those who review nothing."""
    require(user, Action.REVIEW, item)
    if role_in(user, item.project) == Role.ADMIN:
        return Sight()
    if holds(user, item):
        return Sight(sees_others=False, why=AT_WORK)
    if item.state == Item.State.REVIEW and kinds_placed(current_policy(item.project)[1]):
        # In a project that tests its reviewers every story waits for the judgement, so that no closed one tells a test.
        return Sight(sees_others=False, why=TO_JUDGE)
    if may_still_read(user, item):
        return Sight(sees_others=False, may_look=True, why=BLIND)
    return _sitting(user, item)


def holds(user: User, item: Item) -> bool:
    """Whether ``user`` is at work on the item, but for a reading of theirs that came back."""
    mine = Assignment.objects.filter(item=item, labeler__user_id=user.pk, state__in=HELD)
    return mine.exclude(read_kind="rework").exists()


def may_still_read(user: User, item: Item) -> bool:
    """Whether the item may yet be given to ``user`` for a blind read: it may want a read, and they know nothing of it.

    Also what is settled may: as an audit, as an extra read, or anew under other rules. With a reviewer it is theirs to judge.
    """
    if has_read(user, item) or knows_others(user, item) or has_settled(user, item):
        return False
    return item.state not in (Item.State.REVIEW, Item.State.REWORK, Item.State.EXCLUDED)


def _sitting(user: User, item: Item) -> Sight:
    """Hide the others' votes and judgements of a sitting in which ``user`` has not voted yet."""
    _, policy = current_policy(item.project)
    if policy.panel_reviewers == 1 or item.state != Item.State.REVIEW or is_panel_tied(item):
        return Sight()
    votes = PanelVote.objects.filter(item=item, sat_since=item.state_changed_at)
    if votes.filter(reviewer_id=user.pk).exists():
        return Sight()
    judged = Decision.objects.filter(item=item, at__gte=item.state_changed_at).exclude(reviewer_id=user.pk)
    return Sight(
        hidden_decisions=frozenset(judged.values_list("pk", flat=True)),
        hidden_votes=frozenset(votes.values_list("pk", flat=True)), why=SITTING,
    )  # fmt: skip
