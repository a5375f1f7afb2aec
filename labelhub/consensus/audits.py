"""The random audit of accepted labels: the secret draw, what an auditor found, and the error that is left, by who accepted.

The draw falls at acceptance and depends on the project's secret alone. The auditor reads the item blind, as any other work.
What is wrong is wrong *against an auditor*. Not here: handing the item out and what follows (``workflow``).

References
----------
Horvitz DG, Thompson DJ (1952) A generalization of sampling without replacement from a finite universe. JASA 47:663-685.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Count, Exists, OuterRef, QuerySet
from numpy import isnan

from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.consensus.models import AuditLot, AuditReading, Settlement
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.numerics.residual_error import residual_error
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project, Team
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy, translations_of
from labelhub.projects.teams import labelers_in
from labelhub.reviews.selectors import rejected
from labelhub.routing.policy_rules import Situation, decide
from labelhub.scoring.audited import keep_audited
from labelhub.scoring.compare import METHOD, VERSION, compare
from labelhub.scoring.evidence import VERSION as EVIDENCE_VERSION
from labelhub.scoring.loaded import Loaded
from labelhub.scoring.models import AuditedItem
from labelhub.scoring.posteriors import judge
from labelhub.scoring.reads import reads_of
from labelhub.scoring.rows import method_of
from labelhub.scoring.services import terms_now
from labelhub.scoring.versions import translated

Stratum = AuditLot.Stratum
# The number drawn varies: that many standard deviations more are aimed at, so that it rarely falls below the least.
SPARE_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Residual:
    """What the audit says of one stratum: the estimate, and how many labels were accepted, drawn, read, and are wrong."""

    stratum: str
    error: Estimate
    n_accepted: int
    n_drawn: int
    n_read: int
    n_wrong: int
    n_undefined: int
    wrong_items: tuple[str, ...]


def chance_of_audit(n_items: int, policy: Policy) -> float:
    """Return the chance with which an accepted item is drawn: the policy's share, or what the least number needs."""
    return min(1.0, max(policy.audit_share, _aimed_at(policy) / max(n_items, 1)))


def draw_lot(settlement: Settlement, situation: Situation, policy: Policy) -> AuditLot | None:
    """Draw whether the accepted label is audited and keep the lot; None where it had no chance.

    ``situation`` is that of the acceptance. Runs in the caller's transaction.
    """
    item = settlement.item
    share = chance_of_audit(_items_that_matter(item.project_id, policy), policy)
    is_lucky = _draw(item, settlement.number) < share
    orders = {
        drawn: decide(replace(situation, trigger="acceptance", audit_drawn=drawn), policy) for drawn in (True, False)
    }
    is_audited = {drawn: verdict.outcome == "audit" for drawn, verdict in orders.items()}
    chance = share * is_audited[True] + (1 - share) * is_audited[False]
    if chance <= 0:
        return None
    return AuditLot.objects.create(
        item=item, settlement=settlement, is_drawn=is_audited[is_lucky], chance=chance,
        stratum=Stratum.AUTOMATIC if settlement.decided_by_id is None else Stratum.REVIEWED,
        rule=orders[is_audited[True]].rule,
    )  # fmt: skip


def open_lots(project: Project | int) -> QuerySet[AuditLot]:
    """Return drawn lots of labels that stand and that nobody has audited yet, in an order that tells nothing.

    ``project`` may be its id.
    """
    newer = Settlement.objects.filter(item=OuterRef("item"), number__gt=OuterRef("settlement__number"))
    rows = AuditLot.objects.filter(
        item__project=project, is_drawn=True, reading=None, item__state=Item.State.SETTLED
    ).exclude(Exists(newer))
    return rows.order_by("pk")


def open_lot(item: Item) -> AuditLot | None:
    """Return the lot of the item's standing label if it was drawn and waits for its auditor."""
    rows = AuditLot.objects.filter(item=item, is_drawn=True, reading=None).select_related("settlement__item")
    lot = rows.order_by("-settlement__number").first()
    settlement = current_settlement(item)
    return lot if lot is not None and settlement is not None and lot.settlement_id == settlement.pk else None


def auditing_read(lot: AuditLot) -> Submission | None:
    """Return the first blind read of the item that was handed out after the draw, to somebody with no part in its label."""
    readers = lot.settlement.inputs.values("assignment__labeler_id")
    rows = Submission.objects.filter(assignment__item_id=lot.item_id, read_kind="independent", version=1)
    fresh = rows.filter(assignment__created_at__gte=lot.at).exclude(assignment__labeler_id__in=readers)
    return fresh.select_related("assignment__labeler__user").order_by("pk").first()


def keep_audit(lot: AuditLot, submission: Submission) -> AuditReading:
    """Compare the auditor's reading with the accepted label and keep what it says. Runs in the caller's transaction.

    Beside gold it is a known answer by which posteriors are calibrated: against an auditor, by the chance of the draw.
    """
    item = lot.settlement.item
    _, policy = current_policy(item.project)
    terms = terms_now(item.project, policy)
    grids = [grid_of(medium) for medium in media_of(item)]
    _keep_known_answer(lot, submission)
    translations = translations_of(item.project)
    accepted = replace(readings_of_settlements([lot.settlement])[0], ontology=lot.settlement.ontology.number)
    found = compare(
        translated(accepted, translations), translated(reading_of(submission), translations), terms=terms, grids=grids
    )
    is_defined = not isnan(found.similarity)
    return AuditReading.objects.create(
        lot=lot, submission=submission, similarity=float(found.similarity) if is_defined else None,
        is_wrong=bool(found.similarity < policy.accept_agreement) if is_defined else None,
        reason="" if is_defined else (found.reason or "the two do not answer the same")[:200],
        method=method_of(METHOD, terms)[:80], method_version=VERSION,
    )  # fmt: skip


def keep_known_answers(project: Project) -> int:
    """Keep what audits told that came in before known answers were kept, or under another method; return how many."""
    current = AuditedItem.objects.filter(submission=OuterRef("submission"), method_version=EVIDENCE_VERSION)
    rows = AuditReading.objects.filter(lot__item__project=project).exclude(Exists(current)).order_by("pk")
    found = list(rows.select_related("lot__settlement__item__project", "submission__assignment"))
    for row in found:
        _keep_known_answer(row.lot, row.submission)
    return len(found)


def _keep_known_answer(lot: AuditLot, submission: Submission) -> None:
    """Keep what the readers before the draw said, unit by unit, with the auditor's reading as truth."""
    item = lot.settlement.item
    _, policy = current_policy(item.project)
    before = [
        entry for entry in reads_of(item, set_aside=rejected(item)).current
        if entry.assignment_id != submission.assignment_id and entry.submitted_at <= lot.at
    ]  # fmt: skip
    if not before:
        return
    judged = judge(Loaded(item, terms_now(item.project, policy)), before, gold=submission)
    raters = [entry.assignment.labeler_id for entry in before]
    keep_audited(
        item=item, submission=submission, chance=lot.chance, units=[unit.to_document(raters) for unit in judged.units]
    )


def residuals(project: Project, *, team: Team | None = None) -> tuple[Residual, ...]:
    """Return the error left among accepted labels, against an auditor, for each stratum that had an acceptance.

    With a ``team`` only labels count that rest on a reading of somebody who is in it now.
    """
    lots = AuditLot.objects.filter(item__project=project).exclude(item__state=Item.State.EXCLUDED)
    if team is not None:
        resting = Settlement.objects.filter(inputs__assignment__labeler__in=labelers_in(team))
        lots = lots.filter(settlement__in=resting)
    accepted = dict(lots.order_by().values_list("stratum").annotate(n=Count("pk")))
    rows = list(lots.filter(is_drawn=True).select_related("item", "reading").order_by("pk"))
    by_stratum = {stratum: [lot for lot in rows if lot.stratum == stratum] for stratum in Stratum.values}
    return tuple(
        _residual(stratum, found, accepted[stratum]) for stratum, found in by_stratum.items() if stratum in accepted
    )


def _residual(stratum: str, drawn: Sequence[AuditLot], n_accepted: int) -> Residual:
    read = [(lot, lot.reading) for lot in drawn if hasattr(lot, "reading")]
    known = [(lot, reading) for lot, reading in read if reading.is_wrong is not None]
    wrong = [lot for lot, reading in known if reading.is_wrong]
    error = residual_error(
        [bool(reading.is_wrong) for _, reading in known], [lot.chance for lot, _ in known],
        groups=[lot.item.group_key or f"item:{lot.item_id}" for lot, _ in known], group_unit="patients or items",
    )  # fmt: skip
    return Residual(
        stratum, error, n_accepted=n_accepted, n_drawn=len(drawn), n_read=len(read), n_wrong=len(wrong),
        n_undefined=len(read) - len(known), wrong_items=tuple(lot.item.code for lot in wrong),
    )  # fmt: skip


def _aimed_at(policy: Policy) -> float:
    """How many audits are aimed at, so that there are rarely fewer than the policy's least."""
    return policy.audit_least + SPARE_DEVIATIONS * math.sqrt(policy.audit_least)


def _items_that_matter(project_id: int, policy: Policy) -> int:
    """How many items the project has, counted no further than they move the chance: that of 100,000 takes long to count."""
    rows = Item.objects.filter(project_id=project_id).exclude(state=Item.State.EXCLUDED)
    if policy.audit_share > 0:
        rows = rows[: math.ceil(_aimed_at(policy) / policy.audit_share) + 1]
    return rows.count()


def _draw(item: Item, number: int) -> float:
    """A number from 0 to 1 that only who knows the project's secret can foretell."""
    text = f"{item.project.pseudonym_salt}:audit:{item.pk}:{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
