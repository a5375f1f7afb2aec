"""How a reviewer's acceptance takes effect: at once, or as one vote of a panel. Votes themselves are ``reviews.panels``.

Each function runs inside a step's transaction, with the item locked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.consensus.services import UnsettledTie, merged_label
from labelhub.projects.models import Role
from labelhub.projects.permissions import role_in
from labelhub.projects.selectors import current_policy
from labelhub.reviews import panels
from labelhub.reviews.selectors import is_panel_tied
from labelhub.routing.services import send_to_admin
from labelhub.workflow import steps
from labelhub.workflow.errors import StepRefused
from labelhub.workflow.states import State


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an acceptance came to. Where ``is_settled``: with this reading, or by all readers where there is none."""

    submission: Submission | None
    reason: str
    is_settled: bool = True


def sits(item: Item) -> bool:
    """Whether a panel votes on the item: what others judged meanwhile does not make one's own vote stale."""
    _, policy = current_policy(item.project)
    return policy.panel_reviewers > 1 and item.state == State.REVIEW


@dataclass(frozen=True, slots=True)
class PanelSeen:
    """What a reviewer hears of the panel before voting: how many vote, and whether they could also end it alone."""

    size: int
    may_end_it: bool


def panel_seen(user: User, item: Item) -> PanelSeen | None:
    """Return what ``user`` hears of the panel that votes on the item; None where none does."""
    if not sits(item):
        return None
    _, policy = current_policy(item.project)
    return PanelSeen(policy.panel_reviewers, role_in(user, item.project) == Role.ADMIN)


def is_left_to(item: Item, by: User | None) -> bool:
    """Whether the panel found no majority and ``by`` is an admin, who then decides."""
    return by is not None and is_panel_tied(item) and role_in(by, item.project) == Role.ADMIN


def accept(item: Item, submission: Submission | None, by: User, reason: str) -> Accepted:
    """Take an acceptance: settled where one reviewer decides, else one vote more.

    Raises ``StepRefused`` where a panel found no majority and ``by`` is no admin, and what voting refuses.
    """
    _, policy = current_policy(item.project)
    if not sits(item):
        return Accepted(submission, reason)
    if is_panel_tied(item):
        if not is_left_to(item, by):
            raise StepRefused(
                "The panel found no majority, so an admin decides. Nothing was changed. Take the next one.",
                code="panel-tied",
            )
        return Accepted(submission, f"The panel found no majority. {reason}")
    if submission is None and (merged := merged_label(item, steps.current_reads(item)).merged).ties:
        raise UnsettledTie(merged)
    panels.cast_vote(item=item, reviewer=by, submission=submission, comment=reason)
    found = panels.tally(item, policy.panel_reviewers)
    if found.is_tied:
        send_to_admin(item, list(Counter(vote.submission_id for vote in found.votes).values()))
    if found.winner is None:
        return Accepted(None, "", is_settled=False)
    chosen = found.winner.submission
    n_for = sum(vote.submission_id == found.winner.submission_id for vote in found.votes)
    what = "this reading" if chosen is not None else "what the readers say together"
    return Accepted(chosen, f"{n_for} of a panel of {found.size} reviewers chose {what}.")
