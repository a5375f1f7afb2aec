"""What a policy would have done to an item's past: its readings again, in the order in which they came, through the same rules.

Only what was read can be followed. Where a policy would have asked for a read, or sent work back, beyond what was recorded,
the outcome is unknown and counted as such. What a reviewer then decided is not replayed. Pure but for the vote and the draws,
which the caller tells. Not here: which items, and telling the result (``workflow.trying``).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from labelhub.annotations.models import Submission
from labelhub.assignments.selectors import planned_reads
from labelhub.catalog.models import Item
from labelhub.projects.policy import Policy
from labelhub.routing.models import Route
from labelhub.routing.policy_rules import GOLD_STANDS, Situation, Verdict, decide, may_accept
from labelhub.routing.services import DRAWN, can_rework, situation_of_reads
from labelhub.routing.sureness import Sureness, sureness_of
from labelhub.scoring.model_quality import QUALITY
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.planted import let_stand
from labelhub.scoring.reads import VOTING, reads_of
from labelhub.scoring.rows import RIGHT, SIMILARITY

Ending: TypeAlias = Literal["accept", "reviewer", "maybe-ambiguous", "returned", "asks"]
ENDINGS: tuple[Ending, ...] = ("accept", "reviewer", "maybe-ambiguous", "returned", "asks")
# Fields that change how alike two readings are, or what is gold: stored numbers rest on those of their time.
OTHER_NUMBERS = ("match_iou", "tolerance_mm", "tolerance_px", "use_model")

# Whether a vote of some readings ends in a tie, and where it would settle what truth inference holds less likely.
Ballot: TypeAlias = Callable[[Sequence[Submission]], tuple[bool, str]]


@dataclass(frozen=True, slots=True)
class History:
    """What is on record of an item: its readings in order, and the numbers between them. ``posteriors`` are by reads.

    ``review_draw`` is the item's secret draw of whether an accepted label goes to a reviewer, below the policy's share: yes.
    """

    item: Item
    readings: tuple[Submission, ...]
    pairs: Mapping[tuple[int, int], float | None]
    model: Mapping[int, tuple[float | None, datetime]]
    quality: Mapping[int, tuple[float | None, datetime]]
    gold: Mapping[int, bool | None]
    posteriors: Mapping[int, Sureness]
    can_mend: AbstractSet[int]
    has_reference: bool = False
    review_draw: float = 1.0


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The numbers on record between readings that were in at a time."""

    pairs: Mapping[tuple[int, int], float | None]
    model: Mapping[int, float | None]
    quality: Mapping[int, float | None]
    gold: Mapping[int, bool | None]
    model_silence: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where an item ended, by which rule, on how many reads; ``routes`` are all decisions on the way, rule and outcome."""

    ending: Ending
    rule: str
    n_reads: int
    routes: tuple[tuple[str, str], ...]


def history_of(item: Item, *, review_draw: float = 1.0) -> History:
    """Return what is on record of the item. Some queries; nothing is computed."""
    gold_reads = set(GoldReference.objects.filter(item=item).values_list("submission_id", flat=True))
    every = reads_of(item).every
    stood = let_stand(every)
    readings = tuple(entry for entry in every if entry.read_kind in VOTING and entry.pk not in gold_reads | stood)
    scores = Score.objects.filter(item=item, label="", replaced_at=None)
    pairs = scores.filter(about=Score.About.PAIR, metric=SIMILARITY)
    heard = list(
        scores.filter(about=Score.About.MODEL, metric__in=[SIMILARITY, QUALITY])
        .select_related("prediction")
        .order_by("pk")
    )
    gold = scores.filter(about=Score.About.GOLD, metric=RIGHT)
    labelers = {entry.assignment.labeler_id: entry.assignment.labeler for entry in readings}
    return History(
        item=item,
        readings=readings,
        pairs={(row.first_id or 0, row.second_id or 0): row.value for row in pairs},
        model=_said(heard, SIMILARITY),
        quality=_said(heard, QUALITY),
        gold={row.first_id or 0: None if row.value is None else row.value == 1.0 for row in gold},
        posteriors=_posteriors(item, len(labelers)),
        can_mend={key for key, labeler in labelers.items() if can_rework(labeler)},
        has_reference=GoldReference.objects.filter(item=item, retired_at=None).exists(),
        review_draw=review_draw,
    )


def replay(history: History, policy: Policy, ballot: Ballot) -> Replayed | None:
    """Return what ``policy`` would have done with the readings on record; None where there are none."""
    current: dict[int, Submission] = {}
    rounds: Counter[int] = Counter()
    routes: list[tuple[str, str]] = []
    wanted, author, is_gold_heard = planned_reads(history.item, policy), None, False
    end: Replayed | None = None
    for reading in history.readings:
        labeler = reading.assignment.labeler_id
        if reading.read_kind == "rework" and labeler != author:
            # Work that this policy would not have sent back.
            continue
        current[labeler] = reading
        if author is not None and reading.read_kind != "rework":
            # It waits for its author; meanwhile others' readings are kept and decide nothing.
            continue
        author = None
        reads = list(current.values())
        verdict = None if is_gold_heard else _on_gold(history, reads, wanted, rounds, policy)
        is_gold_heard = is_gold_heard or verdict is not None
        if verdict is None and end is not None:
            # Settled already: of a late reading only rules on gold still speak.
            continue
        verdict = verdict or _decided(history, reads, wanted, rounds, policy, ballot)
        routes.append((verdict.rule, verdict.outcome))
        if _is_drawn(history, verdict, policy):
            routes.append((DRAWN, "reviewer"))
        wanted = verdict.wanted_reads
        if verdict.outcome == "back-to-author":
            author = verdict.author
            rounds[author or 0] += 1
        elif (ending := _ending(routes[-1][1])) is not None:
            end = Replayed(ending, routes[-1][0], len(current), ())
            if ending != "accept":
                break
    if not routes:
        return None
    if end is None:
        end = Replayed("asks" if author is None else "returned", routes[-1][0], len(current), ())
    return replace(end, routes=tuple(routes))


def caveats(now: Policy, asked: Policy) -> list[str]:
    """Return what the replay cannot tell because the asked policy changes how things are measured."""
    changed = [name.replace("_", " ") for name in OTHER_NUMBERS if getattr(now, name) != getattr(asked, name)]
    said = []
    if changed:
        said.append(
            f"The asked policy changes {', '.join(changed)}. The past is tried with the similarities on record, which rest on "
            "the present ones."
        )
    if any(entry.fact == "paused_readers" for rule in asked.rules for entry in rule.conditions):
        said.append("A rule asks how many readers are paused. The past is tried as if nobody had been.")
    return said


def summary(replayed: Iterable[Replayed]) -> dict[str, int]:
    """Return how many items came to each ending, and how many reads they took."""
    rows = list(replayed)
    counts = Counter(row.ending for row in rows)
    return {ending: counts[ending] for ending in ENDINGS} | {"reads": sum(row.n_reads for row in rows)}


def _decided(
    history: History,
    current: Sequence[Submission],
    wanted: int,
    rounds: Mapping[int, int],
    policy: Policy,
    ballot: Ballot,
) -> Verdict:
    situation = _situation(history, current, wanted, rounds, policy)
    is_asked = not situation.has_reference and may_accept(situation, policy)
    has_tie, doubt = ballot(current) if is_asked else (False, "")
    return decide(replace(situation, has_tie=has_tie, doubt=doubt), policy)


def _on_gold(
    history: History, current: Sequence[Submission], wanted: int, rounds: Mapping[int, int], policy: Policy
) -> Verdict | None:
    """What rules on gold say of the readings, before all others; None where there are none, or they do not speak."""
    if not any(rule.trigger == "gold" for rule in policy.rules) or not any(one.pk in history.gold for one in current):
        return None
    verdict = decide(replace(_situation(history, current, wanted, rounds, policy), trigger="gold"), policy)
    return None if verdict.outcome == "stay" else verdict


def _situation(
    history: History, current: Sequence[Submission], wanted: int, rounds: Mapping[int, int], policy: Policy
) -> Situation:
    newest = max(entry.submitted_at for entry in current)
    heard, believed = (
        {key: value for key, (value, seen_at) in said.items() if seen_at <= newest}
        for said in (history.model, history.quality)
    )
    scores = _Recorded(history.pairs, heard, believed, history.gold)
    situation = situation_of_reads(current, scores, wanted_reads=wanted, rounds=rounds, can_mend=history.can_mend)
    sure = history.posteriors.get(len(current), Sureness())
    return replace(
        situation, posterior=sure.value, posterior_is_calibrated=sure.is_calibrated(policy), posterior_n_known=sure.n_known,
        has_reference=history.has_reference,
    )  # fmt: skip


def _is_drawn(history: History, verdict: Verdict, policy: Policy) -> bool:
    """Whether what the rules accept goes to a reviewer by the item's draw; of gold the answer is known."""
    is_accepted = verdict.outcome == "accept" and verdict.rule != GOLD_STANDS
    return is_accepted and history.review_draw < policy.review_share


def _ending(outcome: str) -> Ending | None:
    return next((ending for ending in ENDINGS if ending == outcome), None)


def _said(rows: Sequence[Score], metric: str) -> dict[int, tuple[float | None, datetime]]:
    """What a model said of each reading, and when it had seen the item; its newest word counts."""
    found = {}
    for row in rows:
        if row.metric == metric and row.prediction is not None:
            found[row.first_id or 0] = (row.value, row.prediction.created_at)
    return found


def _posteriors(item: Item, n_reads: int) -> dict[int, Sureness]:
    """Return how sure the label was at each number of reads: as decided then, and as known now for all of them."""
    known = {n_reads: sureness_of(item)}
    for numbers in (
        Route.objects.filter(item=item, numbers__trigger="submission").order_by("pk").values_list("numbers", flat=True)
    ):
        if numbers.get("posterior") is not None:
            # What was relied on before the number of known answers was kept is relied on by every policy.
            n_known = numbers.get("posterior_n_known", sys.maxsize if numbers.get("posterior_is_calibrated") else 0)
            known[int(numbers["reads"])] = Sureness(float(numbers["posterior"]), int(n_known))
    return known
