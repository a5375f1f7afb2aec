"""Where an item goes next: a pure function of the numbers about it and the project's policy.

The policy's rules are tried in order and the first that holds decides; every other outcome is listed with why it was not
taken. Not here: the rules and their words (``projects.routing_rules``), where the numbers come from (``scoring``), and keeping
the decision (``services``).

Similarity is between 0 and 1 as ``scoring.compare`` defines it. A model never votes: it can only send readers who agree
with each other to a reviewer, and where it pre-labelled the item it says nothing at all.

Whatever the rules are, a label is accepted only where truth inference, as far as it is relied on, holds no other likelier: how
sure an item is and which label it gets must speak of the same label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

from labelhub.projects.policy import Policy
from labelhub.projects.routing_rules import ACTIONS, ACTIONS_ON, FACTS, Rule
from labelhub.projects.rule_checks import PLACEHOLDER
from labelhub.routing.rule_words import condition_words, shown

METHOD_VERSION = "4"
# The rule that stands before all others where gold is in use.
GOLD_STANDS = "gold-stands"
# No rule of a policy: no label is accepted of which the posterior says that another is likelier.
LIKELIER_OTHERWISE = "another-label-is-likelier"

# "stay": on this occasion no rule moves the item.
Outcome: TypeAlias = Literal["accept", "maybe-ambiguous", "back-to-author", "more-readers", "reviewer", "audit", "stay"]
OUTCOMES: tuple[Outcome, ...] = ("accept", "maybe-ambiguous", "back-to-author", "more-readers", "reviewer")


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
    readings, ``best_pair`` the highest. ``has_tie`` says that a vote of the readings would end in a tie, ``is_fixed_work`` that
    a reading came back after a reviewer rejected it. ``model_similarity`` is the model's mean similarity with the readings,
    None where there is no model or it may not be heard (``model_silence`` says why); ``label_quality`` is how believable the
    least believable reading is to it, by the probabilities that it kept. ``gold_failed`` counts readers who failed
    the item's gold, ``paused_readers`` those who are paused now. ``posterior`` is the probability that the label is right, None
    where it is not known; only where ``posterior_is_calibrated``, by ``posterior_n_known`` known answers, do the default rules
    rely on it. ``doubt`` says in words where
    the readings together would settle what truth inference holds less likely; empty: nowhere. ``has_reference`` says that gold
    is in use on the item. ``trigger`` is the occasion. On a rejection ``rejected`` is the reader whose reading was rejected; on
    an acceptance ``audit_drawn`` says how the draw fell; on an audit ``audit_similarity`` is the auditor's with the accepted
    label.
    """

    readers: tuple[ReaderView, ...]
    wanted_reads: int
    agreement: float | None = None
    best_pair: float | None = None
    has_tie: bool = False
    is_fixed_work: bool = False
    model_similarity: float | None = None
    label_quality: float | None = None
    model_silence: str = ""
    gold_failed: int = 0
    posterior: float | None = None
    posterior_is_calibrated: bool = False
    posterior_n_known: int = 0
    paused_readers: int = 0
    has_reference: bool = False
    doubt: str = ""
    trigger: str = "submission"
    rejected: ReaderView | None = None
    audit_drawn: bool | None = None
    audit_similarity: float | None = None

    @property
    def n_reads(self) -> int:
        """How many readings are in."""
        return len(self.readers)

    def numbers(self) -> Mapping[str, float | int | bool | str | None]:
        """What is stored with the decision."""
        stated: dict[str, float | int | bool | str | None] = {
            "trigger": self.trigger,
            "reads": self.n_reads,
            "wanted_reads": self.wanted_reads,
            "agreement": self.agreement,
            "best_pair": self.best_pair,
            "tie": self.has_tie,
            "fixed_work": self.is_fixed_work,
            "posterior": self.posterior,
            "posterior_is_calibrated": self.posterior_is_calibrated,
            "posterior_n_known": self.posterior_n_known,
            "model_similarity": self.model_similarity,
            "model_silence": self.model_silence,
            "label_quality": self.label_quality,
            "gold_failed": self.gold_failed,
            "paused_readers": self.paused_readers,
        }
        if self.has_reference:
            stated["has_reference"] = True
        if self.doubt:
            stated |= {"doubt": self.doubt}
        return stated if self.audit_similarity is None else stated | {"audit_similarity": self.audit_similarity}


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


def decide(situation: Situation, policy: Policy) -> Verdict:
    """Return where the item goes. Pure: the same numbers and policy give the same verdict.

    An item with gold in use needs nobody to decide about it: once its planned reads are in, its reference stands, whatever
    the readers say, unless one of them is to look again at an own slip. Only rules on gold send it to a reviewer.
    """
    verdict = _by_rules(situation, policy)
    is_whole = situation.n_reads >= situation.wanted_reads
    if not situation.has_reference or situation.trigger != "submission" or not is_whole:
        return verdict
    return verdict if verdict.outcome == "back-to-author" else _by_reference(verdict, situation)


def _by_reference(verdict: Verdict, situation: Situation) -> Verdict:
    """The acceptance of the item's reference in place of what the rules would have done with its readers' disagreement."""
    other = (
        (Alternative(verdict.outcome, "The item is gold: its reference is known, so nobody need decide."),)
        if verdict.outcome not in ("accept", "stay")
        else ()
    )
    return replace(
        verdict, outcome="accept", rule=GOLD_STANDS, wanted_reads=situation.wanted_reads, author=None, alternatives=other,
        reason=f"The item is gold: its reference stands, and its {situation.n_reads} reads measure their readers.",
    )  # fmt: skip


def _by_rules(situation: Situation, policy: Policy) -> Verdict:
    facts, fields = facts_of(situation, policy), policy.numbers()
    rules = [rule for rule in policy.rules if rule.trigger == situation.trigger]
    rule = next((rule for rule in rules if _holds(rule, facts, fields)), None)
    outcome = _outcome(rule)
    if rule is not None and outcome == "accept" and situation.doubt:
        return _doubted(situation, policy, rule)
    author = _author(situation, policy) if outcome == "back-to-author" else None
    others = OUTCOMES if situation.trigger == "submission" else ACTIONS_ON[situation.trigger]
    return Verdict(
        outcome=outcome,
        rule=rule.name if rule is not None else "no-rule",
        reason=_reason(rule, facts, fields),
        wanted_reads=max(situation.wanted_reads, situation.n_reads + rule.reads if rule is not None else 0),
        author=author.labeler_id if author is not None else None,
        numbers={**situation.numbers(), "threshold": policy.accept_agreement, "max_readers": policy.max_readers},
        alternatives=tuple(
            Alternative(other, _why_not(other, rules, rule, facts, fields)) for other in get_args(Outcome)
            if other in others and other != outcome
        ),
    )  # fmt: skip


def _doubted(situation: Situation, policy: Policy, rule: Rule) -> Verdict:
    """Where ``rule`` would accept a label that is not the likeliest: to a reviewer."""
    why = f"Rule “{rule.name}” holds, but another label is likelier than the one that would be accepted."
    return Verdict(
        outcome="reviewer",
        rule=LIKELIER_OTHERWISE,
        reason=f"The readings together would settle what truth inference holds less likely ({situation.doubt}): a reviewer "
        "decides.",
        wanted_reads=max(situation.wanted_reads, situation.n_reads),
        numbers={**situation.numbers(), "threshold": policy.accept_agreement, "max_readers": policy.max_readers},
        alternatives=(Alternative("accept", why),),
    )


def facts_of(situation: Situation, policy: Policy) -> dict[str, float | None]:
    """Return what rules may ask about the situation; yes and no are 1 and 0, None is unknown."""
    odd, author = odd_reader_out(situation, policy), _author(situation, policy)
    is_drawn = situation.audit_drawn
    return {
        "reads": situation.n_reads,
        "missing_reads": max(0, situation.wanted_reads - situation.n_reads),
        "agreement": situation.agreement,
        "best_pair": situation.best_pair,
        "readers_agree": float(agrees(situation, policy)),
        "tie": float(situation.has_tie),
        "posterior": situation.posterior,
        "posterior_is_calibrated": float(situation.posterior is not None and situation.posterior_is_calibrated),
        "fixed_work": float(situation.is_fixed_work),
        "model_similarity": situation.model_similarity if policy.use_model else None,
        "label_quality": situation.label_quality if policy.use_model else None,
        "odd_reader": float(odd is not None),
        "author_can_return": float(author is not None and author.can_rework),
        "author_rounds": author.rework_rounds if author is not None else None,
        "gold_failed": situation.gold_failed,
        "paused_readers": situation.paused_readers,
        "audit_drawn": None if is_drawn is None else float(is_drawn),
        "audit_similarity": situation.audit_similarity,
    }


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


def may_accept(situation: Situation, policy: Policy) -> bool:
    """Whether the item would be accepted if a vote of its readings ends in no tie: only then that is worth computing."""
    return decide(situation, policy).outcome == "accept"


def _outcome(rule: Rule | None) -> Outcome:
    if rule is None:
        return "stay"
    return next(outcome for outcome in get_args(Outcome) if outcome == rule.action)


def _author(situation: Situation, policy: Policy) -> ReaderView | None:
    """Return whom the work would go back to: whose reading was rejected, else who stands alone against the others, else the
    only reader.
    """
    if situation.trigger == "review":
        return situation.rejected
    return situation.readers[0] if situation.n_reads == 1 else odd_reader_out(situation, policy)


def _holds(rule: Rule, facts: Mapping[str, float | None], fields: Mapping[str, Any]) -> bool:
    return all(condition.holds(facts[condition.fact], fields) for condition in rule.conditions)


def _reason(rule: Rule | None, facts: Mapping[str, float | None], fields: Mapping[str, Any]) -> str:
    if rule is None:
        return "No rule of the policy speaks of this: the item stays where it is."
    if not rule.because.strip():
        stated = [condition_words(condition, fields, facts[condition.fact]) for condition in rule.conditions]
        return f"Rule “{rule.name}”: {'; '.join(stated) or 'nothing else decided'}."
    text = PLACEHOLDER.sub(lambda found: _filled(found.group(1), facts, fields), rule.because.strip())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _filled(word: str, facts: Mapping[str, float | None], fields: Mapping[str, Any]) -> str:
    return shown(facts[word] if word in facts else float(fields[word]), FACTS.get(word))


def _why_not(
    outcome: Outcome,
    rules: list[Rule],
    decided: Rule | None,
    facts: Mapping[str, float | None],
    fields: Mapping[str, Any],
) -> str:
    """Say of the rule nearest to ordering ``outcome`` which of its conditions failed, or that another came first."""
    ordering = [rule for rule in rules if rule.action == outcome]
    if not ordering:
        return f"No rule of this policy may {ACTIONS[outcome]} here."
    failed = {
        rule.name: [entry for entry in rule.conditions if not entry.holds(facts[entry.fact], fields)]
        for rule in ordering
    }
    nearest = min(ordering, key=lambda rule: len(failed[rule.name]))
    if not failed[nearest.name]:
        return f"Rule “{nearest.name}” holds too, but “{decided.name if decided else ''}” stands before it."
    wants = "; ".join(condition_words(entry, fields, facts[entry.fact]) for entry in failed[nearest.name])
    return f"Rule “{nearest.name}” does not hold; it asks for: {wants}."
