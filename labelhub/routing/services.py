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
from labelhub.projects.permissions import role_in, with_a_role
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.routing.gates import is_paused
from labelhub.routing.models import Gate, Route
from labelhub.routing.policy_rules import METHOD_VERSION, ReaderView, Situation, Verdict, decide
from labelhub.routing.sureness import Sureness
from labelhub.routing.worth import values_of_next_labelers
from labelhub.scoring.services import ItemScores

# Rules of routes that follow from a panel's votes, a pause, a dispute and a draw, not from the item's numbers.
PANEL_TIE, PAUSED_LABELER, DISPUTED, DRAWN = "panel-tie", "paused-labeler", "disputed", "drawn-for-review"
# Of a decision that a second reviewer, who did not know it, would have made otherwise.
JUDGED_OTHERWISE = "judged-otherwise"
DRAWN_REASON = "The rules would accept it; it was drawn at random for a reviewer's look."
# And of those that follow from a new version of the ontology or the instructions.
NEW_VERSION = "new-version"
# Of a reading that let an error stand which was planted in the draft it began from.
ERROR_STOOD = "error-stood"
# And of an item that nobody is left to read once more.
NO_READER_LEFT = "no-reader-left"
# Of a label that readers who are mostly right contradict. Nothing here tells that it is gold: reviewers are not told either.
DOUBTED = "doubted"
# Why a further blind read was asked for and no reviewer, and the other way round.
SOMEBODY_LEFT = "Somebody is there who never had the item."
NOBODY_LEFT = "Everybody who could read it blind had it already."


def route_item(
    item: Item, scores: ItemScores, *, trigger: str = "submission", rejected: Submission | None = None,
    audit_similarity: float | None = None,
) -> tuple[Route | None, Verdict]:  # fmt: skip
    """Decide where the item goes on an occasion and keep the decision, as :func:`keep_route`.

    ``rejected`` is the reading that is rejected now, ``audit_similarity`` how alike an auditor's reading is to the accepted
    label.
    """
    _, policy = current_policy(item.project)
    situation = replace(situation_of(item, scores, policy), trigger=trigger, audit_similarity=audit_similarity)
    if rejected is not None:
        view = _reader(rejected, (), {}, rework_rounds(item))
        is_at_work = of_item(item).filter(labeler=rejected.assignment.labeler, state__in=HELD).exists()
        situation = replace(situation, rejected=replace(view, can_rework=view.can_rework and not is_at_work))
    return keep_route(item, situation)


def keep_route(item: Item, situation: Situation) -> tuple[Route | None, Verdict]:
    """Decide in this situation where the item goes and keep the decision. Runs in the caller's transaction.

    Where no rule speaks of the occasion the item stays where it is and nothing is kept. Writes ``item.routed``.
    """
    version, policy = current_policy(item.project)
    verdict = decide(situation, policy)
    if verdict.outcome == "stay":
        return None, verdict
    worth = values_of_next_labelers(item, policy) if verdict.outcome == "more-readers" else []
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
    reason = f"{sum(votes)} reviewers voted and no label has more than half of the panel: an admin decides."
    numbers = {"trigger": "panel", "votes": sum(votes), "most_votes": max(votes)}
    why = _not("accept", "No label has more than half of the panel.")
    return _sent(item, Route.Outcome.REVIEWER, PANEL_TIE, reason, numbers, alternatives=why)


def send_past(item: Item, fact: Gate, *, wanted: int | None) -> Route:
    """Record that a labeler who read the item was paused. Writes ``item.routed``.

    One more reader is asked; where ``wanted`` is None, a reviewer.
    """
    said = f"{fact.labeler.name}, who read it, was paused:"
    numbers = {"gate": fact.pk, "wanted_reads": wanted}
    if wanted is None:
        return _sent(
            item, Route.Outcome.REVIEWER, PAUSED_LABELER, f"{said} a reviewer decides.", numbers, author=fact.labeler,
            alternatives=_not("more-readers", NOBODY_LEFT),
        )  # fmt: skip
    return _sent(
        item, Route.Outcome.MORE_READERS, PAUSED_LABELER, f"{said} one more reader instead.", numbers, author=fact.labeler,
        alternatives=_not("reviewer", SOMEBODY_LEFT),
    )  # fmt: skip


def send_past_reading(item: Item, author: Labeler, *, share: float, wanted: int | None) -> Route:
    """Record that a reading let a planted error stand and has no vote. Writes ``item.routed``.

    One more reader is asked; where ``wanted`` is None, a reviewer.
    """
    reason = f"{author.name} let an error stand that was planted in the draft: their reading has no vote."
    numbers = {"trigger": "planted", "undone_share": round(share, 3), "wanted_reads": wanted}
    if wanted is None:
        why = _not("more-readers", NOBODY_LEFT)
        return _sent(item, Route.Outcome.REVIEWER, ERROR_STOOD, reason, numbers, author=author, alternatives=why)
    why = _not("reviewer", SOMEBODY_LEFT)
    return _sent(item, Route.Outcome.MORE_READERS, ERROR_STOOD, reason, numbers, author=author, alternatives=why)


def send_for_want_of_readers(item: Item, wanted: int) -> Route:
    """Record that the rules ask for more readers than there are: a reviewer decides. Writes ``item.routed``."""
    reason = f"The rules ask for {wanted} readers. {NOBODY_LEFT} A reviewer decides."
    numbers = {"trigger": "readers", "wanted_reads": wanted}
    return _sent(
        item, Route.Outcome.REVIEWER, NO_READER_LEFT, reason, numbers, alternatives=_not("more-readers", NOBODY_LEFT)
    )


def send_disputed(
    item: Item, dispute: int, author: Labeler, *, wanted: int | None, why: str = "", by_reviewer: bool = True
) -> Route:
    """Record where an item in dispute goes: to a third reader, or (``wanted`` None) to a reviewer, and ``why`` there.

    ``by_reviewer``: a reviewer returned the reading, so that another one decides.

    Writes ``item.routed``.
    """
    outcome, then = Route.Outcome.MORE_READERS, "One more reader, who has seen no other reading."
    other = _not("reviewer", "A blind reading can decide it.")
    if wanted is None:
        outcome = Route.Outcome.REVIEWER
        other = _not("more-readers", why or "No further blind reading decides it.")
        then = f"{why or 'No further blind reading decides it.'} {'Another' if by_reviewer else 'A'} reviewer decides."
    reason = f"{author.name} stands by a reading that was returned. {then}"
    numbers = {"trigger": "dispute", "dispute": dispute, "wanted_reads": wanted}
    return _sent(item, outcome, DISPUTED, reason, numbers, author=author, alternatives=other)


def send_drawn(item: Item, share: float) -> Route:
    """Record that an item which the rules accept goes to a reviewer because it was drawn. Writes ``item.routed``."""
    why = _not("accept", "It was drawn at random for a reviewer's look.")
    return _sent(
        item, Route.Outcome.REVIEWER, DRAWN, DRAWN_REASON, {"trigger": "sample", "share": share}, alternatives=why
    )


def send_judged_otherwise(item: Item, test: int) -> Route:
    """Record that two reviewers decided otherwise, blind to each other, so that a third one decides. Writes ``item.routed``."""
    reason = "A second reviewer, who was not told of the decision, decided otherwise. A third one decides."
    why = _not("accept", "Two reviewers decided otherwise, blind to each other.")
    numbers = {"trigger": "review", "test": test}
    return _sent(item, Route.Outcome.REVIEWER, JUDGED_OTHERWISE, reason, numbers, alternatives=why)


def send_doubted(item: Item, **numbers: int) -> Route:
    """Record that a reviewer looks at an item whose label is in doubt. Writes ``item.routed``."""
    reason = "Readers whose work is mostly right see it otherwise than it is known so far: a reviewer decides."
    why = _not("accept", "What is known of it is in doubt.")
    return _sent(item, Route.Outcome.REVIEWER, DOUBTED, reason, {"trigger": "doubt", **numbers}, alternatives=why)


def send_again(item: Item, *, version: str, outcome: str, reason: str, wanted: int) -> Route:
    """Record that the item is read anew because the rules changed to ``version``. Writes ``item.routed``."""
    others = {
        Route.Outcome.MORE_READERS: ("reviewer", SOMEBODY_LEFT),
        Route.Outcome.REVIEWER: ("more-readers", NOBODY_LEFT),
    }[Route.Outcome(outcome)]  # fmt: skip
    numbers = {"trigger": "version", "version": version, "wanted_reads": wanted}
    alternatives = _not(*others)
    reason = f"Read anew under {version}: {reason}"
    return _sent(item, outcome, NEW_VERSION, reason, numbers, alternatives=alternatives)


def _not(outcome: str, why: str) -> list[dict[str, str]]:
    """Return the outcome not taken, and why, as a route keeps it."""
    return [{"outcome": outcome, "why_not": why}]


def _sent(
    item: Item, outcome: str, rule: str, reason: str, numbers: dict[str, Any], *, alternatives: list[dict[str, str]],
    **rest: Any,
) -> Route:  # fmt: skip
    """Write a route that follows from a fact, not from the item's numbers, with its event."""
    policy, _ = current_policy(item.project)
    route = Route.objects.create(
        item=item, outcome=outcome, rule=rule, reason=reason[:400], numbers=numbers, policy=policy,
        method_version=METHOD_VERSION, alternatives=alternatives, **rest,
    )  # fmt: skip
    audit.append(
        project_id=item.project_id, kind="item.routed", actor="system", subject=f"item:{item.pk}",
        facts={"route": route.pk, "outcome": route.outcome, "rule": route.rule},
    )  # fmt: skip
    return route


def was_sent_again(item: Item, version: str) -> bool:
    """Whether :func:`send_again` recorded this version for the item already."""
    return Route.objects.filter(item=item, rule=NEW_VERSION, numbers__version=version).exists()


def was_sent_past(item: Item, fact: Gate) -> bool:
    """Whether :func:`send_past` recorded this pause for the item already."""
    return Route.objects.filter(item=item, rule=PAUSED_LABELER, numbers__gate=fact.pk).exists()


def model_objects(item: Item, scores: ItemScores) -> bool:
    """Whether the readings agree and the model strongly disagrees with them; nothing is kept."""
    _, policy = current_policy(item.project)
    return decide(situation_of(item, scores, policy, trigger="prediction"), policy).outcome == "reviewer"


def verdict_without_gold(item: Item, scores: ItemScores, policy: Policy) -> Verdict:
    """Where the readings would send the item had it no gold; nothing is kept."""
    return decide(replace(situation_of(item, scores, policy), has_reference=False, gold_failed=0), policy)


def has_rules_on(item: Item, trigger: str) -> bool:
    """Whether the project's policy says anything about this occasion."""
    _, policy = current_policy(item.project)
    return any(rule.trigger == trigger for rule in policy.rules)


def situation_of(item: Item, scores: ItemScores, policy: Policy, *, trigger: str = "submission") -> Situation:
    """Return the numbers that a decision about the item rests on."""
    sure = Sureness(scores.posterior.value, scores.posterior.n_calibration)
    # A reading that was set aside filled one of the wanted reads, and no longer counts as one.
    wanted = max(1, wanted_reads(item, policy) - scores.n_set_aside)
    authors = [entry.assignment.labeler for entry in scores.reads.current]
    here = with_a_role([author.user for author in authors if author.user is not None], item.project)
    situation = situation_of_reads(
        scores.reads.current, scores, wanted_reads=wanted, rounds=rework_rounds(item),
        can_mend={author.pk for author in authors if author.user_id in here},
    )  # fmt: skip
    paused = (
        sum(is_paused(entry.assignment.labeler) for entry in scores.reads.current) if _asks_for_pauses(policy) else 0
    )
    return replace(
        situation, trigger=trigger, paused_readers=paused, posterior=sure.value,
        posterior_is_calibrated=sure.is_calibrated(policy), posterior_n_known=sure.n_known, has_reference=scores.has_gold,
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
    def quality(self) -> Mapping[int, float | None]:
        """How believable each reading is to the model."""

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
    believed = [value for entry in current if (value := scores.quality.get(entry.pk)) is not None]
    return Situation(
        readers=tuple(_reader(submission, current, scores.pairs, rounds, can_mend) for submission in current),
        wanted_reads=wanted_reads,
        agreement=_mean(defined),
        best_pair=max(defined, default=None),
        model_similarity=_mean(heard),
        model_silence=scores.model_silence,
        label_quality=min(believed, default=None),
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
