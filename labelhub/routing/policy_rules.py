"""Where an item goes next: a pure function of the numbers about it and the project's policy.

Rules are tried in order and the first that holds decides; every other outcome is listed with why it was not taken.
Not here: where the numbers come from (``scoring``), and keeping the decision (``services``).

Similarity is between 0 and 1 as ``scoring.compare`` defines it. A model never votes: it can only send readers who agree
with each other to a reviewer, and where it pre-labelled the item it says nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from labelhub.projects.policy import Policy

METHOD_VERSION = "1"

Outcome: TypeAlias = Literal["accept", "more-readers", "back-to-author", "reviewer"]
OUTCOMES: tuple[Outcome, ...] = ("accept", "back-to-author", "more-readers", "reviewer")

# Fewer reads than these cannot show that nobody agrees with anybody.
READS_FOR_AMBIGUITY = 3


@dataclass(frozen=True, slots=True)
class ReaderView:
    """One reader of the item: how alike their current reading is to the others', and how alike the others are without it.

    ``to_others`` is the mean similarity with each other reader, ``without`` the mean similarity among the others; None where
    there are too few. ``can_rework`` is false for imported raters and people who left. ``rework_rounds`` counts how often
    the item went back to this author.
    """

    labeler_id: int
    to_others: float | None = None
    without: float | None = None
    rework_rounds: int = 0
    can_rework: bool = True


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on.

    ``wanted_reads`` is how many reads were asked for so far, ``agreement`` the mean similarity over all pairs of current
    readings, ``best_pair`` the highest. ``has_tie`` says that a vote of the readings would end in a tie, ``is_fixed_work``
    that a reading came back after a reviewer rejected it. ``model_similarity`` is the model's mean similarity with the
    readings, None where there is no model or it may not be heard (``model_silence`` says why). ``gold_failed`` counts
    readers who failed the item's gold: kept with the decision, no rule uses it.
    """

    readers: tuple[ReaderView, ...]
    wanted_reads: int
    agreement: float | None = None
    best_pair: float | None = None
    has_tie: bool = False
    is_fixed_work: bool = False
    model_similarity: float | None = None
    model_silence: str = ""
    gold_failed: int = 0

    @property
    def n_reads(self) -> int:
        """How many readings are in."""
        return len(self.readers)

    def numbers(self) -> Mapping[str, float | int | bool | str | None]:
        """What is stored with the decision."""
        return {
            "reads": self.n_reads,
            "wanted_reads": self.wanted_reads,
            "agreement": self.agreement,
            "best_pair": self.best_pair,
            "tie": self.has_tie,
            "fixed_work": self.is_fixed_work,
            "model_similarity": self.model_similarity,
            "model_silence": self.model_silence,
            "gold_failed": self.gold_failed,
        }


@dataclass(frozen=True, slots=True)
class Alternative:
    """An outcome that was not taken, and why."""

    outcome: Outcome
    why_not: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision: the outcome, the rule that made it, a sentence for people, and what it rests on.

    ``author`` is the labeler whom the item goes back to. ``wanted_reads`` is how many reads the item shall have from now on.
    """

    outcome: Outcome
    rule: str
    reason: str
    wanted_reads: int
    author: int | None = None
    numbers: Mapping[str, float | int | bool | str | None] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a rule says where it holds."""

    outcome: Outcome
    rule: str
    reason: str
    author: int | None = None
    further_reads: int = 0


_Rule: TypeAlias = Callable[[Situation, Policy], _Finding | None]


def decide(situation: Situation, policy: Policy) -> Verdict:
    """Return where the item goes. Pure: the same numbers and policy give the same verdict."""
    finding = next(found for rule in _RULES if (found := rule(situation, policy)) is not None)
    others = tuple(
        Alternative(outcome, _why_not(outcome, situation, policy)) for outcome in OUTCOMES if outcome != finding.outcome
    )
    return Verdict(
        outcome=finding.outcome,
        rule=finding.rule,
        reason=finding.reason,
        wanted_reads=max(situation.wanted_reads, situation.n_reads + finding.further_reads),
        author=finding.author,
        numbers={**situation.numbers(), "threshold": policy.accept_agreement, "max_readers": policy.max_readers},
        alternatives=others,
    )


def odd_reader_out(situation: Situation, policy: Policy) -> ReaderView | None:
    """Return the one reader who is far from all others while these agree with each other, if there is exactly one."""
    odd = [
        reader
        for reader in situation.readers
        if reader.to_others is not None
        and reader.without is not None
        and reader.to_others < policy.slip_agreement
        and reader.without >= policy.accept_agreement
    ]
    return odd[0] if len(odd) == 1 else None


def agrees(situation: Situation, policy: Policy) -> bool:
    """Whether the readings agree enough to be accepted; a single read agrees with itself where the policy asks for one."""
    if situation.n_reads == 1:
        return True
    return situation.agreement is not None and situation.agreement >= policy.accept_agreement


def _too_few_readers(situation: Situation, policy: Policy) -> _Finding | None:
    if situation.n_reads >= situation.wanted_reads:
        return None
    reason = f"{situation.n_reads} of {situation.wanted_reads} planned reads are in."
    return _Finding("more-readers", "too-few-readers", reason)


def _fixed_work(situation: Situation, policy: Policy) -> _Finding | None:
    if not situation.is_fixed_work:
        return None
    return _Finding(
        "reviewer", "fixed-work", "A rejected reading came back from its author: a reviewer looks at it again."
    )


def _model_disagrees(situation: Situation, policy: Policy) -> _Finding | None:
    model = situation.model_similarity
    if not policy.use_model or model is None or model >= policy.model_agreement or not agrees(situation, policy):
        return None
    reason = (
        f"The readers agree ({_shown(situation.agreement)}), but the model sees something else: similarity "
        f"{model:.2f}, below {policy.model_agreement:.2f}."
    )
    return _Finding("reviewer", "model-disagrees", reason)


def _agreement(situation: Situation, policy: Policy) -> _Finding | None:
    if not agrees(situation, policy) or situation.has_tie:
        return None
    if situation.n_reads == 1:
        return _Finding("accept", "single-read", "The policy asks for one read, and it is in.")
    reason = (
        f"{situation.n_reads} readers agree: {_shown(situation.agreement)}, at least {policy.accept_agreement:.2f}."
    )
    return _Finding("accept", "agreement", reason)


def _slip(situation: Situation, policy: Policy) -> _Finding | None:
    odd = odd_reader_out(situation, policy)
    if odd is None or not odd.can_rework or odd.rework_rounds >= policy.max_rework_rounds:
        return None
    reason = (
        f"One reading is far from the others ({_shown(odd.to_others)}, below {policy.slip_agreement:.2f}), which agree "
        f"({_shown(odd.without)}). Its author looks again, round {odd.rework_rounds + 1} of {policy.max_rework_rounds}."
    )
    return _Finding("back-to-author", "own-slip", reason, author=odd.labeler_id)


def _slip_stays(situation: Situation, policy: Policy) -> _Finding | None:
    odd = odd_reader_out(situation, policy)
    if odd is None:
        return None
    why = "its author looked again and stays with it" if odd.rework_rounds else "it cannot go back to its author"
    return _Finding(
        "reviewer", "odd-reader-stays", f"One reading is far from the others, and {why}: a reviewer decides."
    )


def _ambiguous(situation: Situation, policy: Policy) -> _Finding | None:
    if situation.n_reads < READS_FOR_AMBIGUITY or situation.best_pair is None:
        return None
    if situation.best_pair >= policy.slip_agreement:
        return None
    reason = (
        f"No two of {situation.n_reads} readers agree (best pair {situation.best_pair:.2f}, below "
        f"{policy.slip_agreement:.2f}): a further read would hardly settle it."
    )
    return _Finding("reviewer", "ambiguous", reason)


def _disagreement(situation: Situation, policy: Policy) -> _Finding | None:
    if situation.n_reads >= policy.max_readers:
        return None
    what = "end in a tie" if situation.has_tie and agrees(situation, policy) else "disagree"
    rule = "tie" if what == "end in a tie" else "disagreement"
    reason = (
        f"{situation.n_reads} readers {what} ({_shown(situation.agreement)}, wanted {policy.accept_agreement:.2f}): "
        f"one more read, at most {policy.max_readers}."
    )
    return _Finding("more-readers", rule, reason, further_reads=1)


def _readers_exhausted(situation: Situation, policy: Policy) -> _Finding:
    reason = (
        f"{situation.n_reads} readers still disagree ({_shown(situation.agreement)}) and the policy allows "
        f"{policy.max_readers}: a reviewer decides."
    )
    return _Finding("reviewer", "readers-exhausted", reason)


_RULES: tuple[_Rule, ...] = (
    _too_few_readers,
    _fixed_work,
    _model_disagrees,
    _agreement,
    _slip,
    _slip_stays,
    _ambiguous,
    _disagreement,
    _readers_exhausted,
)


def _why_not(outcome: Outcome, situation: Situation, policy: Policy) -> str:
    if outcome == "accept":
        return _why_not_accept(situation, policy)
    if outcome == "back-to-author":
        return _why_not_back(situation, policy)
    if outcome == "more-readers":
        if situation.n_reads >= policy.max_readers:
            return f"{situation.n_reads} reads are in; the policy allows {policy.max_readers}."
        return "A further read is asked for only where the readers disagree and no other rule settles it."
    return "A reviewer is asked only where readers and authors cannot settle it."


def _why_not_accept(situation: Situation, policy: Policy) -> str:
    if situation.n_reads < situation.wanted_reads:
        return f"Only {situation.n_reads} of {situation.wanted_reads} reads are in."
    if not agrees(situation, policy):
        return f"Agreement {_shown(situation.agreement)} is below {policy.accept_agreement:.2f}."
    if situation.has_tie:
        return "A vote would end in a tie, and a tie is never broken by chance."
    if situation.is_fixed_work:
        return "A reviewer rejected it before and looks at it again."
    return "The model strongly disagrees."


def _why_not_back(situation: Situation, policy: Policy) -> str:
    odd = odd_reader_out(situation, policy)
    if odd is None:
        return "No single reader is far from the others while these agree."
    if not odd.can_rework:
        return "The odd reader was imported or has left: there is nobody to send it to."
    if odd.rework_rounds >= policy.max_rework_rounds > 0:
        return f"It went back {odd.rework_rounds} times; the policy allows {policy.max_rework_rounds}."
    return "An earlier rule decided."


def _shown(similarity: float | None) -> str:
    return "not defined" if similarity is None else f"{similarity:.2f}"
