"""Deciding where an item goes, on its stored scores, and keeping the decision. Acting on it is ``workflow``'s.

Each decision is a row of its own with the rule, the numbers and the outcomes not taken; none is ever changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.assignments.models import HELD
from labelhub.assignments.selectors import of_item, rework_rounds, wanted_reads
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.routing.gates import is_paused
from labelhub.routing.models import Gate, Route
from labelhub.routing.policy_rules import METHOD_VERSION, ReaderView, Situation, Verdict, decide, may_accept
from labelhub.routing.sureness import sureness_of
from labelhub.routing.worth import values_of_next_labelers
from labelhub.scoring.services import ItemScores

# Rules of routes that follow from a panel's votes and from a pause, not from the item's numbers.
PANEL_TIE, PAUSED_LABELER = "panel-tie", "paused-labeler"


def route_item(
    item: Item, scores: ItemScores, *, trigger: str = "submission", has_tie: bool = False, is_fixed_work: bool = False,
    rejected: Submission | None = None, audit_similarity: float | None = None,
) -> tuple[Route | None, Verdict]:  # fmt: skip
    """Decide where the item goes and keep the decision. Writes ``item.routed``. Runs in the caller's transaction.

    ``is_fixed_work`` says that a reading came back from its author after a reviewer rejected it, ``rejected`` which reading
    is rejected now, ``audit_similarity`` how alike an auditor's reading is to the accepted label. Where no rule speaks of the
    occasion the item stays where it is and nothing is kept.
    """
    version, policy = current_policy(item.project)
    situation = situation_of(item, scores, policy, trigger=trigger, has_tie=has_tie, is_fixed_work=is_fixed_work)
    if rejected is not None:
        view = _reader(rejected, (), {}, rework_rounds(item))
        is_at_work = of_item(item).filter(labeler=rejected.assignment.labeler, state__in=HELD).exists()
        situation = replace(situation, rejected=replace(view, can_rework=view.can_rework and not is_at_work))
    situation = replace(situation, audit_similarity=audit_similarity)
    verdict = decide(situation, policy)
    if verdict.outcome == "stay":
        return None, verdict
    worth = values_of_next_labelers(item, situation.posterior) if verdict.outcome == "more-readers" else []
    numbers: dict[str, Any] = dict(verdict.numbers) | ({"worth_of_one_more_read": worth[0]["value"]} if worth else {})
    route = Route.objects.create(
        item=item, outcome=verdict.outcome, rule=verdict.rule, reason=verdict.reason[:400], numbers=numbers,
        alternatives=[asdict(entry) for entry in verdict.alternatives], author_id=verdict.author, policy=version,
        method_version=METHOD_VERSION, next_labelers=worth,
    )  # fmt: skip
    audit.append(
        project_id=item.project_id, kind="item.routed", actor="system", subject=f"item:{item.pk}",
        facts={"route": route.pk, "outcome": verdict.outcome, "rule": verdict.rule},
    )  # fmt: skip
    return route, verdict


def send_to_admin(item: Item, votes: Sequence[int]) -> Route:
    """Record that a panel found no majority: an admin decides. ``votes`` are those for each label. Writes ``item.routed``."""
    version, _ = current_policy(item.project)
    route = Route.objects.create(
        item=item, outcome=Route.Outcome.REVIEWER, rule=PANEL_TIE,
        numbers={"trigger": "panel", "votes": sum(votes), "most_votes": max(votes)},
        reason=f"{sum(votes)} reviewers voted and no label has more than half of the panel: an admin decides.",
        policy=version, method_version=METHOD_VERSION,
    )  # fmt: skip
    audit.append(
        project_id=item.project_id, kind="item.routed", actor="system", subject=f"item:{item.pk}",
        facts={"route": route.pk, "outcome": route.outcome, "rule": route.rule},
    )  # fmt: skip
    return route


def send_past(item: Item, fact: Gate, *, wanted: int) -> Route:
    """Record that one more reader is asked because a labeler who read the item was paused. Writes ``item.routed``."""
    version, _ = current_policy(item.project)
    route = Route.objects.create(
        item=item, outcome=Route.Outcome.MORE_READERS, rule=PAUSED_LABELER,
        reason=f"{fact.labeler.name}, who read it, was paused: one more reader instead.", author=fact.labeler,
        numbers={"gate": fact.pk, "wanted_reads": wanted}, policy=version, method_version=METHOD_VERSION,
    )  # fmt: skip
    audit.append(
        project_id=item.project_id, kind="item.routed", actor="system", subject=f"item:{item.pk}",
        facts={"route": route.pk, "outcome": route.outcome, "rule": route.rule},
    )  # fmt: skip
    return route


def was_sent_past(item: Item, fact: Gate) -> bool:
    """Whether :func:`send_past` recorded this pause for the item already."""
    return Route.objects.filter(item=item, rule=PAUSED_LABELER, numbers__gate=fact.pk).exists()


def may_be_accepted(item: Item, scores: ItemScores) -> bool:
    """Whether the item would be accepted unless its readings end in a tie, so that it is worth computing whether they do."""
    _, policy = current_policy(item.project)
    return may_accept(situation_of(item, scores, policy), policy)


def model_objects(item: Item, scores: ItemScores) -> bool:
    """Whether the readings agree and the model strongly disagrees with them; nothing is kept."""
    _, policy = current_policy(item.project)
    return decide(situation_of(item, scores, policy, trigger="prediction"), policy).outcome == "reviewer"


def has_rules_on(item: Item, trigger: str) -> bool:
    """Whether the project's policy says anything about this occasion."""
    _, policy = current_policy(item.project)
    return any(rule.trigger == trigger for rule in policy.rules)


def situation_of(
    item: Item, scores: ItemScores, policy: Policy, *, trigger: str = "submission", has_tie: bool = False,
    is_fixed_work: bool = False,
) -> Situation:  # fmt: skip
    """Return the numbers that a decision about the item rests on."""
    posterior, is_calibrated = sureness_of(item)
    # A reading that was set aside filled one of the wanted reads, and no longer counts as one.
    wanted = max(1, wanted_reads(item, policy) - scores.n_set_aside)
    situation = situation_of_reads(scores.reads.current, scores, wanted_reads=wanted, rounds=rework_rounds(item))
    paused = (
        sum(is_paused(entry.assignment.labeler) for entry in scores.reads.current) if _asks_for_pauses(policy) else 0
    )
    return replace(
        situation, trigger=trigger, paused_readers=paused, has_tie=has_tie, is_fixed_work=is_fixed_work, posterior=posterior,
        posterior_is_calibrated=is_calibrated,
    )  # fmt: skip


def _asks_for_pauses(policy: Policy) -> bool:
    """Whether a rule asks how many readers are paused: only then it is looked up."""
    return any(entry.fact == "paused_readers" for rule in policy.rules for entry in rule.conditions)


class Compared(Protocol):
    """The numbers between readings that a situation needs: ``ItemScores``, or what is on record of earlier ones."""

    @property
    def pairs(self) -> Mapping[tuple[int, int], float | None]:
        """Similarities by the ids of two readings, the smaller first."""

    @property
    def model(self) -> Mapping[int, float | None]:
        """The model's similarity with each reading."""

    @property
    def model_silence(self) -> str:
        """Why the model is not heard."""

    @property
    def gold(self) -> Mapping[int, bool | None]:
        """Whether each reading is right against gold."""


def situation_of_reads(
    current: Sequence[Submission], scores: Compared, *, wanted_reads: int, rounds: Mapping[int, int],
    can_mend: AbstractSet[int] | None = None,
) -> Situation:  # fmt: skip
    """Return the numbers about the readings ``current``, out of scores that may hold further readings.

    ``can_mend`` are the labelers to whom work can go back, where the caller knows them: then nothing is queried.
    """
    keys = [_key(a, b) for a, b in combinations(current, 2)]
    defined = [value for key in keys if (value := scores.pairs.get(key)) is not None]
    heard = [value for entry in current if (value := scores.model.get(entry.pk)) is not None]
    return Situation(
        readers=tuple(_reader(submission, current, scores.pairs, rounds, can_mend) for submission in current),
        wanted_reads=wanted_reads,
        agreement=_mean(defined),
        best_pair=max(defined, default=None),
        model_similarity=_mean(heard),
        model_silence=scores.model_silence,
        gold_failed=sum(scores.gold.get(submission.pk) is False for submission in current),
    )


def can_rework(labeler: Labeler) -> bool:
    """Whether work can go back to this labeler: a person with an account who is still a member."""
    return labeler.user is not None and role_in(labeler.user, labeler.project) is not None


def _reader(
    submission: Submission,
    current: Sequence[Submission],
    pairs: Mapping[tuple[int, int], float | None],
    rounds: Mapping[int, int],
    can_mend: AbstractSet[int] | None = None,
) -> ReaderView:
    others = [other for other in current if other.pk != submission.pk]
    mine = [pairs.get(_key(submission, other)) for other in others]
    theirs = [pairs.get(_key(a, b)) for a, b in combinations(others, 2)]
    labeler = submission.assignment.labeler
    return ReaderView(
        labeler_id=labeler.pk,
        to_others=_mean([value for value in mine if value is not None]),
        without=_mean([value for value in theirs if value is not None]),
        rework_rounds=rounds.get(labeler.pk, 0),
        can_rework=can_rework(labeler) if can_mend is None else labeler.pk in can_mend,
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _key(a: Submission, b: Submission) -> tuple[int, int]:
    return (a.pk, b.pk) if a.pk < b.pk else (b.pk, a.pk)
