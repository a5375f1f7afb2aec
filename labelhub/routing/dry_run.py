"""What a policy would have done to an item's past: its readings again, in the order in which they came, through the same rules.

Only what was read can be followed. Where a policy would have asked for a read, or sent work back, beyond what was recorded,
the outcome is unknown and counted as such. What a reviewer then decided is not replayed. Pure but for the tie, which the
caller tells. Not here: which items, and telling the result (``workflow.trying``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.predictions.models import Prediction
from labelhub.projects.policy import Policy
from labelhub.routing.models import Route
from labelhub.routing.policy_rules import Situation, Verdict, decide, may_accept
from labelhub.routing.services import can_rework, situation_of_reads
from labelhub.routing.sureness import sureness_of
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.reads import VOTING, reads_of
from labelhub.scoring.rows import RIGHT, SIMILARITY

Ending: TypeAlias = Literal["accept", "reviewer", "maybe-ambiguous", "returned", "asks"]
ENDINGS: tuple[Ending, ...] = ("accept", "reviewer", "maybe-ambiguous", "returned", "asks")
# Fields that change how alike two readings are, or what is gold: stored numbers rest on those of their time.
OTHER_NUMBERS = ("match_iou", "tolerance_mm", "tolerance_px", "use_model")

IsTie: TypeAlias = Callable[[Sequence[Submission]], bool]


@dataclass(frozen=True, slots=True)
class History:
    """What is on record of an item: its readings in order, and the numbers between them. ``posteriors`` are by reads."""

    item: Item
    readings: tuple[Submission, ...]
    pairs: Mapping[tuple[int, int], float | None]
    model: Mapping[int, tuple[float | None, datetime]]
    gold: Mapping[int, bool | None]
    posteriors: Mapping[int, tuple[float | None, bool]]
    can_mend: AbstractSet[int]


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The numbers on record between readings that were in at a time."""

    pairs: Mapping[tuple[int, int], float | None]
    model: Mapping[int, float | None]
    gold: Mapping[int, bool | None]
    model_silence: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Where an item ended, by which rule, on how many reads; ``routes`` are all decisions on the way, rule and outcome."""

    ending: Ending
    rule: str
    n_reads: int
    routes: tuple[tuple[str, str], ...]


def history_of(item: Item) -> History:
    """Return what is on record of the item. Some queries; nothing is computed."""
    gold_reads = set(GoldReference.objects.filter(item=item).values_list("submission_id", flat=True))
    readings = tuple(
        entry for entry in reads_of(item).every if entry.read_kind in VOTING and entry.pk not in gold_reads
    )
    scores = Score.objects.filter(item=item, label="", replaced_at=None)
    pairs = scores.filter(about=Score.About.PAIR, metric=SIMILARITY)
    heard = scores.filter(about=Score.About.MODEL, metric=SIMILARITY).select_related("prediction").order_by("pk")
    gold = scores.filter(about=Score.About.GOLD, metric=RIGHT)
    labelers = {entry.assignment.labeler_id: entry.assignment.labeler for entry in readings}
    return History(
        item=item,
        readings=readings,
        pairs={(row.first_id or 0, row.second_id or 0): row.value for row in pairs},
        model={row.first_id or 0: (row.value, _seen_at(row.prediction)) for row in heard if row.prediction},
        gold={row.first_id or 0: None if row.value is None else row.value == 1.0 for row in gold},
        posteriors=_posteriors(item, len(labelers)),
        can_mend={key for key, labeler in labelers.items() if can_rework(labeler)},
    )


def replay(history: History, policy: Policy, is_tie: IsTie) -> Replayed | None:
    """Return what ``policy`` would have done with the readings on record; None where there are none."""
    current: dict[int, Submission] = {}
    rounds: Counter[int] = Counter()
    routes: list[tuple[str, str]] = []
    wanted, author = policy.readers, None
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
        verdict = _decided(history, list(current.values()), wanted, rounds, policy, is_tie)
        routes.append((verdict.rule, verdict.outcome))
        wanted = verdict.wanted_reads
        if verdict.outcome == "back-to-author":
            author = verdict.author
            rounds[author or 0] += 1
        elif (ending := _ending(verdict)) is not None:
            return Replayed(ending, verdict.rule, len(current), tuple(routes))
    if not routes:
        return None
    return Replayed("asks" if author is None else "returned", routes[-1][0], len(current), tuple(routes))


def caveats(now: Policy, asked: Policy) -> list[str]:
    """Return what the replay cannot tell because the asked policy changes how things are measured."""
    changed = [name.replace("_", " ") for name in OTHER_NUMBERS if getattr(now, name) != getattr(asked, name)]
    if not changed:
        return []
    return [
        f"The asked policy changes {', '.join(changed)}. The past is tried with the similarities on record, which rest on "
        "the present ones."
    ]


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
    is_tie: IsTie,
) -> Verdict:
    situation = _situation(history, current, wanted, rounds)
    has_tie = may_accept(situation, policy) and is_tie(current)
    return decide(replace(situation, has_tie=has_tie), policy)


def _situation(history: History, current: Sequence[Submission], wanted: int, rounds: Mapping[int, int]) -> Situation:
    newest = max(entry.submitted_at for entry in current)
    heard = {key: value for key, (value, seen_at) in history.model.items() if seen_at <= newest}
    scores = _Recorded(history.pairs, heard, history.gold)
    situation = situation_of_reads(current, scores, wanted_reads=wanted, rounds=rounds, can_mend=history.can_mend)
    posterior, is_calibrated = history.posteriors.get(len(current), (None, False))
    return replace(situation, posterior=posterior, posterior_is_calibrated=is_calibrated)


def _ending(verdict: Verdict) -> Ending | None:
    return next((ending for ending in ENDINGS if ending == verdict.outcome), None)


def _seen_at(prediction: Prediction) -> datetime:
    return prediction.created_at


def _posteriors(item: Item, n_reads: int) -> dict[int, tuple[float | None, bool]]:
    """Return how sure the label was at each number of reads: as decided then, and as known now for all of them."""
    known: dict[int, tuple[float | None, bool]] = {n_reads: sureness_of(item)}
    for numbers in (
        Route.objects.filter(item=item, numbers__trigger="submission").order_by("pk").values_list("numbers", flat=True)
    ):
        if numbers.get("posterior") is not None:
            known[int(numbers["reads"])] = (float(numbers["posterior"]), bool(numbers.get("posterior_is_calibrated")))
    return known
