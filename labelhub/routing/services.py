"""Deciding where an item goes, on its stored scores, and keeping the decision. Acting on it is ``workflow``'s.

Each decision is a row of its own with the rule, the numbers and the outcomes not taken; none is ever changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np

from labelhub.annotations.models import Submission
from labelhub.assignments.selectors import rework_rounds, wanted_reads
from labelhub.audit import services as audit
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler
from labelhub.projects.permissions import role_in
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy
from labelhub.routing.models import Route
from labelhub.routing.policy_rules import METHOD_VERSION, ReaderView, Situation, Verdict, agrees, decide
from labelhub.scoring.services import ItemScores


def route_item(item: Item, scores: ItemScores, *, has_tie: bool, is_fixed_work: bool = False) -> tuple[Route, Verdict]:
    """Decide where the item goes and keep the decision. Writes ``item.routed``. Runs in the caller's transaction.

    ``is_fixed_work`` says that a reading came back from its author after a reviewer rejected it.
    """
    version, policy = current_policy(item.project)
    situation = situation_of(item, scores, policy, has_tie=has_tie, is_fixed_work=is_fixed_work)
    verdict = decide(situation, policy)
    route = Route.objects.create(
        item=item, outcome=verdict.outcome, rule=verdict.rule, reason=verdict.reason[:400], numbers=dict(verdict.numbers),
        alternatives=[asdict(entry) for entry in verdict.alternatives], author_id=verdict.author, policy=version,
        method_version=METHOD_VERSION,
    )  # fmt: skip
    audit.append(
        project_id=item.project_id, kind="item.routed", actor="system", subject=f"item:{item.pk}",
        facts={"route": route.pk, "outcome": verdict.outcome, "rule": verdict.rule},
    )  # fmt: skip
    return route, verdict


def may_be_accepted(item: Item, scores: ItemScores) -> bool:
    """Whether the readings are enough and agree, so that it is worth computing whether they end in a tie."""
    _, policy = current_policy(item.project)
    situation = situation_of(item, scores, policy)
    return situation.n_reads >= situation.wanted_reads and agrees(situation, policy)


def model_objects(item: Item, scores: ItemScores) -> bool:
    """Whether the readings agree and the model strongly disagrees with them; nothing is kept."""
    _, policy = current_policy(item.project)
    return decide(situation_of(item, scores, policy), policy).rule == "model-disagrees"


def situation_of(
    item: Item, scores: ItemScores, policy: Policy, *, has_tie: bool = False, is_fixed_work: bool = False
) -> Situation:
    """Return the numbers that a decision about the item rests on."""
    current = scores.reads.current
    defined = [value for value in scores.pairs.values() if value is not None]
    heard = [value for value in scores.model.values() if value is not None]
    rounds = rework_rounds(item)
    failed = {submission.pk for submission in current if scores.gold.get(submission.pk) is False}
    return Situation(
        readers=tuple(_reader(submission, current, scores.pairs, rounds) for submission in current),
        # A reading that was set aside filled one of the wanted reads, and no longer counts as one.
        wanted_reads=max(1, wanted_reads(item, policy) - scores.n_set_aside),
        agreement=_mean(defined),
        best_pair=max(defined, default=None),
        has_tie=has_tie,
        is_fixed_work=is_fixed_work,
        model_similarity=_mean(heard),
        model_silence=scores.model_silence,
        gold_failed=len(failed),
    )


def can_rework(labeler: Labeler) -> bool:
    """Whether work can go back to this labeler: a person with an account who is still a member."""
    return labeler.user is not None and role_in(labeler.user, labeler.project) is not None


def _reader(
    submission: Submission,
    current: Sequence[Submission],
    pairs: Mapping[tuple[int, int], float | None],
    rounds: Mapping[int, int],
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
        can_rework=can_rework(labeler),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _key(a: Submission, b: Submission) -> tuple[int, int]:
    return (a.pk, b.pk) if a.pk < b.pk else (b.pk, a.pk)
