"""Making gold of what reviewers decided, taking bad gold out, and sending doubtful gold to experts.

Only an item whose label a person decided may be promoted: what labelers voted would measure them by themselves. The decided
label is stored as a reading of its own, of the person who decided, and votes on nothing. Not here: which gold is given to
whom (``placement``), how gold fares (``scoring.gold_health``).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.db import transaction

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.assignments import selectors as assigned
from labelhub.catalog.examples import shown_items
from labelhub.catalog.models import Item
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import current_settlement, readings_of_settlements, standing_settlements
from labelhub.consensus.services import REFERENCE_METHOD
from labelhub.projects.models import Project
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import labeler_of
from labelhub.reviews.tickets import undecided
from labelhub.routing.services import send_doubted
from labelhub.scoring.gold import GoldProblem, current_gold, doubt_gold, make_gold, retire_gold
from labelhub.scoring.gold_health import (
    GOOD_ABOVE,
    LEAST_FAILED,
    AuditRow,
    gold_audit,
    groups_with_gold,
    items_with_gold,
)
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import CURRENT_AGREEMENT
from labelhub.scoring.services import score_item
from labelhub.workflow import deciding, gating, lifecycle, panel, settling, steps
from labelhub.workflow.states import State, move

# How an item's readers agreed, cut into three strata of difficulty; items with one reader are a stratum of their own.
EASY_FROM, HARD_BELOW = 0.9, 0.7
MOST_DRAWN = 500
# From these gold goes to the reviewers by itself.
DOUBTED_IN = (State.READING, State.SETTLED, State.REVIEW)


@dataclass(frozen=True, slots=True)
class Promotable:
    """An item that may become gold: its settlement, its classes, and how hard its readers found it."""

    settlement: Settlement
    classes: tuple[str, ...]
    difficulty: str


def promotable(project: Project) -> list[Promotable]:
    """Return the settled items that a person decided and that are no gold, at most one a patient. Four queries."""
    decided = list(standing_settlements(project).filter(decided_by__isnull=False))
    keys = [row.item_id for row in decided]
    shown = shown_items(project)
    taken, groups = items_with_gold(keys), groups_with_gold(project)
    agreed = Score.objects.filter(
        item__in=keys, about=Score.About.ITEM, metric=CURRENT_AGREEMENT, label="", replaced_at=None
    )
    agreement = dict(agreed.values_list("item", "value"))
    labels: dict[int, set[str]] = {}
    for pk, label in Settlement.objects.filter(pk__in=[row.pk for row in decided]).values_list("pk", "shapes__label"):
        labels.setdefault(pk, set()).add(label or "no finding")
    found = []
    for row in decided:
        if row.item_id in taken or row.item_id in shown or row.item.group_key in groups:
            continue
        groups |= {row.item.group_key} - {""}
        found.append(Promotable(row, tuple(sorted(labels.get(row.pk, ()))), _difficulty(agreement.get(row.item_id))))
    return found


def promote(*, settlement: Settlement, kind: str, by: User, drawn: str = "settled") -> GoldReference:
    """Make the decided label of an item its gold. Writes ``submission.stored`` and ``gold.made``. Admins only.

    Raises ``GoldProblem`` where no person decided the label, or where the item is no longer settled.
    """
    require(by, Action.MANAGE, settlement.item)
    with transaction.atomic():
        item = lifecycle.locked(settlement.item_id)
        if settlement.decided_by is None or item.state != State.SETTLED:
            raise GoldProblem("Only a settled label that a person decided becomes gold. Nothing was changed.")
        reading = replace(readings_of_settlements([settlement])[0], version=1, planned_blind=False)
        author = labeler_of(settlement.decided_by, item.project)
        submission = steps.store(item, author, reading, at=None, is_gold=False, active_s=None)
        gold = make_gold(item=item, submission=submission, by=f"user:{by.pk}", kind=kind, drawn=drawn)
        score_item(item)
    return gold


def draw_gold(
    *, project: Project, n: int, kind: str, by: User, is_stratified: bool, rng: np.random.Generator | None = None
) -> list[GoldReference]:
    """Promote ``n`` items drawn at random, or in turn from strata of class and difficulty. Fewer where there are fewer."""
    if not 1 <= n <= MOST_DRAWN:
        raise GoldProblem(f"Draw from 1 to {MOST_DRAWN} items. Nothing was changed.", status=400)
    source = np.random.default_rng(secrets.randbits(128)) if rng is None else rng
    order = _stratified if is_stratified else _shuffled
    chosen = order(promotable(project), source)[:n]
    drawn = "stratified" if is_stratified else "random"
    return [promote(settlement=entry.settlement, kind=kind, by=by, drawn=drawn) for entry in chosen]


def exclude_gold(*, gold: GoldReference, reason: str, by: User) -> None:
    """Take bad gold out of use, with a reason; the item's scores are computed again. Writes ``gold.retired``. Admins only."""
    require(by, Action.MANAGE, gold)
    if not reason.strip():
        raise GoldProblem("Say what is wrong with this gold. Nothing was changed.", code="reason-missing", status=400)
    with transaction.atomic():
        item = lifecycle.locked(gold.item_id)
        retire_gold(gold=gold, reason=reason.strip(), by=f"user:{by.pk}")
        gold_changed(item)


def gold_changed(item: Item) -> None:
    """Bring everything up to date after a person made, replaced or retired an item's gold: scores, gates, and its label.

    Where gold is in use now its reference becomes the label, unless a person decided about the item or is about to in a
    panel. Where none is, a label that was only the reference no longer stands: the item is decided anew by its readers.
    """
    with transaction.atomic():
        held = lifecycle.locked(item.pk)
        score_item(held)
        gating.gold_dropped_out(held)
        reference, standing = deciding.reference_of(held), current_settlement(held)
        if reference is None:
            _without_reference(held, standing)
        elif held.state in (State.READING, State.REWORK):
            lifecycle.score_and_route(item=held)
        elif _stands_alone(held, standing, reference):
            settling.settle_by_reference(held, reference, reason="The item was made gold: its reference stands.")
        item.state = held.state


def _stands_alone(held: Item, standing: Settlement | None, reference: Submission) -> bool:
    """Whether nobody decided about the item, so that its reference becomes its label."""
    if held.state == State.REVIEW:
        return not panel.sits(held)
    if held.state != State.SETTLED or standing is None or standing.decided_by_id is not None:
        return False
    return reference not in standing.inputs.all()


def _without_reference(held: Item, standing: Settlement | None) -> None:
    if held.state != State.SETTLED or standing is None or standing.method != REFERENCE_METHOD:
        return
    move(item=held, to=State.REVIEW)
    if assigned.n_filled(held):
        move(item=held, to=State.READING)
        lifecycle.score_and_route(item=held)


def send_to_experts(*, gold: GoldReference, by: User, reason: str) -> None:
    """Put the item of doubtful gold on the reviewers' table. Writes ``gold.doubted`` and ``item.routed``. Admins only.

    The gold stays in use until somebody decides: excluding it is a decision of its own.
    """
    require(by, Action.MANAGE, gold)
    with transaction.atomic():
        item = lifecycle.locked(gold.item_id)
        if item.state == State.WAITING:
            raise GoldProblem("Nobody has read this item yet, so there is nothing to review. Nothing was changed.")
        _to_experts(item, gold, f"user:{by.pk}", reason)


def doubt_failed_gold(project: Project) -> int:
    """Send gold that good labelers fail to the reviewers, each once, and return how many were sent.

    Heard after each measure of a project, which every submission asks for: nothing that a labeler does takes longer on gold.
    Writes what :func:`send_to_experts` does, by the system and with the numbers.
    """
    return sum(_doubt_by_itself(row) for row in gold_audit(project) if row.gold.doubted_at is None)


def _doubt_by_itself(row: AuditRow) -> bool:
    """Send one; not while its author or a third reader is asked, and never what is ambiguous or excluded."""
    with transaction.atomic():
        item = lifecycle.locked(row.gold.item_id)
        gold = current_gold(item)
        if gold is None or gold.pk != row.gold.pk or gold.doubted_at is not None:
            return False
        if item.state not in DOUBTED_IN or undecided(item):
            return False
        reason = (
            f"{row.n_failed} of {row.n_good} labelers who do well on gold fail it; at least {LEAST_FAILED} whose accuracy, "
            f"shrunk, is above {GOOD_ABOVE} are enough."
        )
        _to_experts(item, gold, "system", reason, failed=row.n_failed, good=row.n_good)
    return True


def _to_experts(item: Item, gold: GoldReference, by: str, reason: str, **numbers: int) -> None:
    """Move the locked item to the reviewers, unless it is there: then its route stands, which a panel may rest on."""
    if item.state != State.REVIEW:
        move(item=item, to=State.REVIEW)
        send_doubted(item, **numbers)
    doubt_gold(gold=gold, by=by, reason=reason, **numbers)


def _difficulty(agreement: float | None) -> str:
    if agreement is None:
        return "unknown"
    return "hard" if agreement < HARD_BELOW else "easy" if agreement >= EASY_FROM else "middling"


def _shuffled(found: Sequence[Promotable], rng: np.random.Generator) -> list[Promotable]:
    return [found[place] for place in rng.permutation(len(found))]


def _stratified(found: Sequence[Promotable], rng: np.random.Generator) -> list[Promotable]:
    """One of each stratum in turn, at random within it, until all are drawn."""
    strata: dict[tuple[tuple[str, ...], str], list[Promotable]] = {}
    for entry in _shuffled(found, rng):
        strata.setdefault((entry.classes, entry.difficulty), []).append(entry)
    turns = max((len(stratum) for stratum in strata.values()), default=0)
    return [stratum[turn] for turn in range(turns) for stratum in strata.values() if turn < len(stratum)]
