"""Reviewers are calibrated: reviews whose outcome is known are placed among theirs, and their judgement is compared with it.

Whether one is placed, which item, and who gets it are secret draws. A decision of a reviewer is judged again by another who
knows nothing of the item, or where there is none by the same one after the policy's time. Gold is placed where the policy's
rules would have sent the item to a reviewer had it no gold, so that it looks like what waits there. Admins, who see
everything, get none. The item goes on as it is; only where a second reviewer decides otherwise it is opened again.

Not here: how the item looks meanwhile (``reviews.reviewer_tests``), and the rates (``reviews.calibration``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from numpy import isnan

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import reading_of
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.consensus.adjudicated import IGNORE
from labelhub.consensus.models import Settlement
from labelhub.consensus.selectors import current_settlement, readings_of_settlements
from labelhub.consensus.services import UnsettledTie, merged_label
from labelhub.formats.shapes import Reading, Shape, Value
from labelhub.jobs import services as jobs
from labelhub.jobs.registry import Running
from labelhub.projects.models import Project, Role
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology, current_policy, translations_of
from labelhub.projects.telling import seated
from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult
from labelhub.reviews.models import Decision
from labelhub.reviews.reviewer_tests import Choice, Kind, keep_result, place_test
from labelhub.reviews.selectors import has_read, rejected
from labelhub.reviews.services import check_judgement
from labelhub.reviews.sightings import knows_others
from labelhub.routing.models import Route
from labelhub.routing.selectors import current_route
from labelhub.routing.services import DRAWN_REASON, send_judged_otherwise, verdict_without_gold
from labelhub.scoring.compare import METHOD, VERSION, compare
from labelhub.scoring.gold import current_gold, gold_items
from labelhub.scoring.rows import method_of
from labelhub.scoring.services import score_item, terms_now
from labelhub.scoring.versions import translated
from labelhub.workflow import steps
from labelhub.workflow.draws import draw
from labelhub.workflow.states import State, move

JOB_KIND = "workflow.place_gold_test"
# Of so many gold items, in the order of a draw, the first that looks like what waits is placed.
MOST_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a tested reviewer decided: the label as they would settle it, or the reading that they returned."""

    choice: str
    label: Reading | None = None
    submission: Submission | None = None
    score: int | None = None
    comment: str = ""


def place(item: Item, settlement: Settlement, by: User | None, came_at: datetime) -> None:
    """Draw whether a reviewer's decision is judged again, and whether gold is due among their reviews.

    ``came_at`` is when the item came to review. Runs in the transaction that settles it.
    """
    _, policy = current_policy(item.project)
    if by is None or role_in(by, item.project) != Role.REVIEWER:
        return
    if draw(item.project, "rereview", item.pk, settlement.number) < policy.rereview_share:
        _place_again(item, settlement, by, came_at, policy)
    share = policy.review_gold_share
    if share and draw(item.project, "review-gold", by.pk, settlement.pk) < share / (1 - share):
        jobs.enqueue(
            kind=JOB_KIND, arguments={"project": item.project_id, "reviewer": by.pk, "turn": settlement.pk},
            project_id=item.project_id, asked_by="system", dedupe_key=f"{JOB_KIND}:{settlement.pk}",
        )  # fmt: skip


def run_place_gold(running: Running) -> Mapping[str, Any]:
    """The job: place gold among a reviewer's items, where any looks like what waits there."""
    project = Project.objects.get(pk=running.arguments["project"])
    reviewer = seated(project, (Role.REVIEWER,)).filter(pk=running.arguments["reviewer"]).first()
    if reviewer is None or role_in(reviewer, project) != Role.REVIEWER:
        return {"placed": False}
    return {"placed": place_gold(project, reviewer, turn=int(running.arguments["turn"])) is not None}


def place_gold(project: Project, reviewer: User, *, turn: int) -> ReviewTest | None:
    """Place the first gold item, in the order of a draw, that would have come to a reviewer; one of a patient, once each."""
    _, policy = current_policy(project)
    met = ReviewTest.objects.filter(reviewer=reviewer, kind=Kind.GOLD, item__project=project)
    groups = set(met.exclude(item__group_key="").values_list("item__group_key", flat=True))
    rows = gold_items(project).filter(state=State.SETTLED).exclude(pk__in=met.values("item"))
    keys = sorted(
        rows.values_list("pk", flat=True), key=lambda key: draw(project, "review-gold-which", reviewer.pk, turn, key)
    )
    for item in (Item.objects.select_related("project").get(pk=key) for key in keys[:MOST_CANDIDATES]):
        if item.group_key in groups or has_read(reviewer, item) or knows_others(reviewer, item):
            continue
        with transaction.atomic():
            reason = _reason_of_gold(item, policy)
        if reason:
            return place_test(
                item=item, reviewer=reviewer, kind=Kind.GOLD, decided_by=None, settled_as=None, hides_from=item.created_at,
                reason=reason[:400], due_from=timezone.now(),
            )  # fmt: skip
    return None


def hear_judgement(test: ReviewTest, submission: Submission, verdict: str, score: int | None, comment: str) -> None:
    """Hear that a tested reviewer accepted a reading or returned it. Raises as ``reviews.services.decide``."""
    check_judgement(verdict, score, comment)
    label = reading_of(submission) if verdict == Decision.Verdict.ACCEPT else None
    hear(test, Judgement(verdict, label, submission, score, comment))


def hear_vote(test: ReviewTest, comment: str) -> None:
    """Hear that a tested reviewer took the readers' vote. Raises ``UnsettledTie`` where they are tied."""
    reads = steps.current_reads(test.item)
    merged = merged_label(test.item, reads).merged
    if merged.ties:
        raise UnsettledTie(merged)
    hear(
        test,
        Judgement(Choice.VOTE, _label(test.item, [s.shape for s in merged.shapes], merged.answers), comment=comment),
    )


def hear_regions(test: ReviewTest, shapes: Sequence[Shape], answers: Mapping[str, Value], comment: str) -> None:
    """Hear the label that a tested reviewer put together region by region."""
    hear(test, Judgement(Choice.REGIONS, _label(test.item, shapes, answers), comment=comment))


def hear_ambiguous(test: ReviewTest, comment: str, submission: Submission | None, shapes: Collection[str]) -> None:
    """Hear that a tested reviewer found no label right, or took a reading but for single shapes."""
    if submission is None or not shapes:
        hear(test, Judgement(Choice.AMBIGUOUS, comment=comment))
        return
    reading = reading_of(submission)
    kept = tuple(shape for shape in reading.shapes if shape.shape_id not in shapes)
    hear(test, Judgement(Choice.ACCEPT, replace(reading, shapes=kept), submission, comment=comment))


def hear(test: ReviewTest, judged: Judgement) -> ReviewTestResult:
    """Compare a tested reviewer's judgement with what is known and keep both. Twice is once. Writes ``review.tested``.

    Where a second reviewer decides otherwise than the first, the item is opened for a third: writes ``item.routed``.
    """
    with transaction.atomic():
        item = steps.locked(test.item_id)
        earlier = ReviewTestResult.objects.filter(test=test).first()
        if earlier is not None:
            return earlier
        result = keep_result(test, **_compared(item, test, judged))
        steps.event(item, "review.tested", f"user:{test.reviewer_id}", test=test.pk, choice=judged.choice)
        if test.kind == Kind.AGAIN and result.held is False and item.state == State.SETTLED:
            send_judged_otherwise(item, test.pk)
            move(item=item, to=State.REVIEW)
    return result


def _place_again(item: Item, settlement: Settlement, by: User, came_at: datetime, policy: Policy) -> None:
    """Have the decision judged again, unless it was not the whole of it: a panel's, or one that returned readings before."""
    returned = Decision.objects.filter(item=item, at__gte=came_at, verdict=Decision.Verdict.REJECT)
    if policy.panel_reviewers > 1 or current_gold(item) is not None or returned.exists():
        return
    others = [user for user in seated(item.project, (Role.REVIEWER,)).exclude(pk=by.pk) if _may_judge(user, item)]
    others.sort(key=lambda user: draw(item.project, "rereview-who", item.pk, settlement.number, user.pk))
    route, now = current_route(item), timezone.now()
    is_routed = route is not None and route.outcome in (Route.Outcome.REVIEWER, Route.Outcome.MAYBE_AMBIGUOUS)
    place_test(
        item=item, reviewer=others[0] if others else by, kind=Kind.AGAIN if others else Kind.OWN, decided_by=by,
        settled_as=settlement.number, hides_from=came_at, reason=route.reason if route is not None and is_routed else "",
        due_from=now if others else now + timedelta(days=policy.rereview_after_days),
    )  # fmt: skip


def _may_judge(user: User, item: Item) -> bool:
    """Whether the item could come to ``user`` as any other: no admin, and they know nothing of it."""
    return role_in(user, item.project) == Role.REVIEWER and not has_read(user, item) and not knows_others(user, item)


def _reason_of_gold(item: Item, policy: Policy) -> str:
    """What would have sent the item to a reviewer had it no gold; empty where nothing would."""
    reads = steps.current_reads(item)
    if not reads or (len(reads) < 2 and policy.readers > 1):
        return ""
    verdict = verdict_without_gold(item, score_item(item, set_aside=rejected(item)), policy)
    if verdict.outcome in ("reviewer", "maybe-ambiguous"):
        return verdict.reason
    return DRAWN_REASON if verdict.outcome == "accept" and policy.review_share else ""


def _compared(item: Item, test: ReviewTest, judged: Judgement) -> dict[str, Any]:
    """The fields of the result."""
    _, policy = current_policy(item.project)
    terms = terms_now(item.project, policy)
    fields: dict[str, Any] = {
        "choice": judged.choice, "submission": judged.submission, "score": judged.score, "comment": judged.comment.strip(),
        "threshold": policy.accept_agreement, "method": method_of(METHOD, terms)[:80], "method_version": VERSION,
    }  # fmt: skip
    known, why_not = _known(item, test)
    if known is None:
        return fields | {"reason": why_not}
    if judged.choice == Choice.AMBIGUOUS:
        return fields | {"held": False, "reason": "a label is known, and they found that none is right"}
    mine = judged.label
    if judged.choice == Choice.REJECT and judged.submission is not None:
        mine = reading_of(judged.submission)
    assert mine is not None
    translations = translations_of(item.project)
    found = compare(
        translated(_plain(mine), translations), translated(_plain(known), translations), terms=terms,
        grids=[grid_of(medium) for medium in media_of(item)],
    )  # fmt: skip
    if isnan(found.similarity):
        return fields | {"reason": (found.reason or "the two do not answer the same")[:200]}
    similarity = float(found.similarity)
    is_alike = similarity >= policy.accept_agreement
    # Who returns a reading says that it is not what is known.
    return fields | {"similarity": similarity, "held": is_alike != (judged.choice == Choice.REJECT)}


def _known(item: Item, test: ReviewTest) -> tuple[Reading | None, str]:
    """The label that the judgement is compared with; None and why where it no longer stands."""
    if test.kind == Kind.GOLD:
        gold = current_gold(item)
        return (None, "the gold was taken out of use meanwhile") if gold is None else (reading_of(gold.submission), "")
    settlement = current_settlement(item)
    if settlement is None or settlement.number != test.settled_as:
        return None, "the item was settled anew meanwhile"
    return replace(readings_of_settlements([settlement])[0], ontology=settlement.ontology.number), ""


def _label(item: Item, shapes: Sequence[Shape], answers: Mapping[str, Value]) -> Reading:
    """A label of several readers as a plain reading under the present ontology."""
    number = current_ontology(item.project)[0].number
    return Reading(item.code, "reviewer", tuple(shapes), dict(answers), is_empty_read=not shapes, ontology=number)


def _plain(reading: Reading) -> Reading:
    """The reading without what is to be ignored, which is no class to compare."""
    shapes = tuple(shape for shape in reading.shapes if shape.label != IGNORE)
    return reading if len(shapes) == len(reading.shapes) else replace(reading, shapes=shapes)
