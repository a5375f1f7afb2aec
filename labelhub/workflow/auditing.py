"""The random audit in the life of an item: drawing at acceptance, handing out blind, and what an auditor's reading leads to.

To who reads it, an audit is a read like any other. Not here: the draw and the comparison (``consensus.audits``).
"""

from __future__ import annotations

from labelhub.assignments.selectors import has_open, never_met
from labelhub.catalog.models import Item
from labelhub.consensus import audits
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import settled_by
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.reviews.selectors import rejected
from labelhub.reviews.sightings import known_to
from labelhub.routing.policy_rules import Situation
from labelhub.routing.services import route_item, send_drawn, situation_of
from labelhub.scoring.gold import current_gold, gold_items
from labelhub.scoring.services import score_item
from labelhub.workflow import queue
from labelhub.workflow.draws import draw as secret_draw
from labelhub.workflow.states import State, move

# How many candidates are looked at before others' work comes first.
MOST_CANDIDATES = 50
REASON = "Audit of an accepted label."


def draw(item: Item, settlement: Settlement) -> None:
    """Draw whether the label that was just accepted is audited; of gold the answer is known already."""
    if current_gold(item) is not None:
        return
    _, policy = current_policy(item.project)
    asked = {entry.fact for rule in policy.rules if rule.trigger == "acceptance" for entry in rule.conditions}
    situation = Situation((), wanted_reads=0)
    if asked - {"audit_drawn"}:
        situation = situation_of(item, score_item(item, set_aside=rejected(item)), policy)
    audits.draw_lot(settlement, situation, policy)


def is_drawn_for_review(item: Item) -> bool:
    """Whether an item that the rules accept goes to a reviewer, by a secret draw that stays. Keeps the route then."""
    share = current_policy(item.project)[1].review_share
    if review_draw(item) >= share:
        return False
    send_drawn(item, share)
    return True


def review_draw(item: Item) -> float:
    """Return the item's draw, which never changes: below the policy's share its accepted label goes to a reviewer."""
    return secret_draw(item.project, "review", item.pk)


def items_to_audit(labeler: Labeler, policy: Policy) -> list[int]:
    """Return the first drawn items that this labeler may audit by the policy.

    They never had, judged or settled them; nobody who is kept apart from them read them; no batch closes them to them.
    """
    user = labeler.user
    if user is None or (role := role_in(user, labeler.project)) is None or role == Role.ADMIN:
        return []
    if policy.audit_by == "reviewers" and role != Role.REVIEWER:
        return []
    drawn = audits.open_lots(labeler.project).values("item_id")
    gold = gold_items(labeler.project).values("pk")
    own = settled_by(user).values("item_id")
    items = Item.objects.filter(pk__in=drawn).exclude(pk__in=gold).exclude(pk__in=own).exclude(known_to(user.pk))
    items = items.exclude(queue.read_by_partners(labeler.pk)).exclude(queue.closed_to(labeler.pk))
    fresh = never_met(labeler, items).select_related("project").order_by("pk")
    return [item.pk for item in fresh[:MOST_CANDIDATES] if not _is_being_audited(item)]


def hear_auditor(item: Item) -> None:
    """Keep the audit if a blind read of a drawn item came in, and send the item where the policy says."""
    if item.state != State.SETTLED:
        return
    lot = audits.open_lot(item)
    submission = audits.auditing_read(lot) if lot is not None else None
    if lot is None or submission is None:
        return
    found = audits.keep_audit(lot, submission)
    scores = score_item(item, set_aside=rejected(item))
    _, verdict = route_item(item, scores, trigger="audit", audit_similarity=found.similarity)
    if verdict.outcome == "reviewer":
        move(item=item, to=State.REVIEW)


def awaits_audit(project: Project) -> int:
    """Return how many drawn labels wait for their auditor."""
    return audits.open_lots(project).count()


def _is_being_audited(item: Item) -> bool:
    """Whether somebody reads the item now: one auditor is enough."""
    return has_open(item, read_kind="independent")
