"""The routing rules of a policy as data: on which occasion, under which conditions, what happens with an item.

A closed vocabulary of occasions, facts, comparisons and actions; nothing in a rule is ever run as code. Rules are tried in
order and the first that holds decides. Not here: whether a list of rules is sound (``rule_checks``), the facts of an item
and the deciding (``routing.policy_rules``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class RuleProblem(ValueError):
    """A rule cannot be read; the sentence names it."""


# What makes the rules be asked, in words.
TRIGGERS: Mapping[str, str] = {
    "submission": "a reading comes in",
    "prediction": "a model has looked at a settled item",
    "review": "a reviewer rejects a reading",
    "gold": "a reading is compared with gold",
    "acceptance": "a label is accepted",
    "audit": "an auditor has read an accepted item again",
}
# What a rule may order on each occasion.
ACTIONS_ON: Mapping[str, tuple[str, ...]] = {
    "submission": ("accept", "more-readers", "back-to-author", "reviewer", "maybe-ambiguous"),
    "prediction": ("reviewer",),
    "review": ("back-to-author", "more-readers", "reviewer"),
    "gold": ("reviewer",),
    "acceptance": ("audit",),
    "audit": ("reviewer",),
}
ACTIONS: Mapping[str, str] = {
    "accept": "accept it",
    "more-readers": "ask for more readers",
    "back-to-author": "send it back to its author",
    "reviewer": "send it to a reviewer",
    "maybe-ambiguous": "send it to a reviewer as perhaps ambiguous",
    "audit": "have it read again, blind",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a condition may ask about: a number from ``low`` to ``high``, or yes (``words``) or no (``otherwise``)."""

    words: str
    otherwise: str = ""
    low: float = 0.0
    high: float = 1.0

    @property
    def is_number(self) -> bool:
        """Whether it is compared with a number."""
        return not self.otherwise


FACTS: Mapping[str, Fact] = {
    "reads": Fact("the number of readings", high=1000),
    "missing_reads": Fact("the number of planned readings that are missing", high=1000),
    "agreement": Fact("the readers' mean similarity"),
    "best_pair": Fact("the similarity of the two readers most alike"),
    "readers_agree": Fact("the readers agree", "the readers do not agree"),
    "tie": Fact("a vote would end in a tie", "a vote would end in no tie"),
    "posterior": Fact("the probability that the label is right"),
    "posterior_is_calibrated": Fact(
        "known answers calibrate how sure the label is", "known answers do not calibrate how sure the label is"
    ),
    "fixed_work": Fact("a rejected reading came back mended", "no rejected reading came back mended"),
    "model_similarity": Fact("the model's similarity with the readers"),
    "label_quality": Fact("how believable the least believable reading is to the model"),
    "odd_reader": Fact("one reader is far from the others, who agree", "no single reader is far from others who agree"),
    "author_can_return": Fact("the author can be asked to mend it", "no author can be asked to mend it"),
    "author_rounds": Fact("the number of times it went back already", high=1000),
    "gold_failed": Fact("the number of readers who failed the item's gold", high=1000),
    "paused_readers": Fact("the number of its readers who are paused", high=1000),
    "audit_drawn": Fact("it is drawn for the random audit", "it is not drawn for the random audit"),
    "audit_similarity": Fact("the auditor's similarity with the accepted label"),
}

# Comparisons of numbers, and those of every fact; an unknown fact fulfils none but "unknown".
NUMBER_OPS: Mapping[str, str] = {
    "at-least": "is at least", "above": "is above", "at-most": "is at most", "below": "is below", "exactly": "is exactly",
}  # fmt: skip
ANY_OPS: Mapping[str, str] = {"known": "is known", "unknown": "is not known"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact compared with ``number``, or with the policy's ``field`` plus ``number``; yes and no are "is" 1 and 0."""

    fact: str
    op: str
    number: float = 0.0
    field: str = ""

    def threshold(self, fields: Mapping[str, Any]) -> float:
        """Return what the fact is compared with under the policy's ``fields``."""
        return (float(fields[self.field]) if self.field else 0.0) + self.number

    def holds(self, value: float | None, fields: Mapping[str, Any]) -> bool:
        """Whether ``value`` fulfils the condition; None is unknown."""
        if self.op in ANY_OPS:
            return (value is None) == (self.op == "unknown")
        if value is None:
            return False
        limit = self.threshold(fields)
        if self.op == "is":
            return bool(value) == bool(limit)
        return {
            "at-least": value >= limit,
            "above": value > limit,
            "at-most": value <= limit,
            "below": value < limit,
            "exactly": value == limit,
        }[self.op]


@dataclass(frozen=True, slots=True)
class Rule:
    """On ``trigger``, where all ``conditions`` hold: do ``action``, with ``reads`` further readers where it asks for some.

    ``because`` is the sentence for people; a fact's or a field's name in braces stands for its number.
    """

    name: str
    trigger: str
    conditions: tuple[Condition, ...]
    action: str
    reads: int = 0
    because: str = ""


def rules_to_document(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return the rules as JSON-ready dictionaries."""
    return [
        {
            "name": rule.name,
            "on": rule.trigger,
            "when": [_condition_document(condition) for condition in rule.conditions],
            "then": {"action": rule.action} | ({"reads": rule.reads} if rule.action == "more-readers" else {}),
            "because": rule.because,
        }
        for rule in rules
    ]


def _condition_document(condition: Condition) -> dict[str, Any]:
    document: dict[str, Any] = {"fact": condition.fact, "op": condition.op}
    if condition.op in ANY_OPS:
        return document
    if condition.op == "is":
        return document | {"value": bool(condition.number)}
    if not condition.field:
        return document | {"value": condition.number}
    return document | {"field": condition.field} | ({"plus": condition.number} if condition.number else {})


def read_rules(document: Any) -> tuple[Rule, ...]:
    """Return the rules in ``document``. Raises :class:`RuleProblem` for what is not of this vocabulary."""
    if not isinstance(document, list | tuple):
        raise RuleProblem("rules is no list.")
    return tuple(_read_rule(entry, place) for place, entry in enumerate(document, start=1))


def _read_rule(entry: Any, place: int) -> Rule:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise RuleProblem(f"Rule {place} is no rule with a name.")
    name = f"Rule “{entry['name'][:40]}”"
    _known_keys(entry, {"name", "on", "when", "then", "because"}, name)
    then, when, because = entry.get("then"), entry.get("when", []), entry.get("because", "")
    if not isinstance(then, Mapping) or not isinstance(when, list | tuple) or not isinstance(because, str):
        raise RuleProblem(f"{name} needs a list “when”, an action “then” and a sentence “because”.")
    _known_keys(then, {"action", "reads"}, name)
    reads = then.get("reads", 0)
    if isinstance(reads, bool) or not isinstance(reads, int):
        raise RuleProblem(f"{name} asks for {reads!r} readers; it must be a whole number.")
    conditions = tuple(_read_condition(condition, name) for condition in when)
    return Rule(entry["name"], str(entry.get("on", "")), conditions, str(then.get("action", "")), reads, because)


def _read_condition(entry: Any, name: str) -> Condition:
    if not isinstance(entry, Mapping):
        raise RuleProblem(f"{name} has a condition that is no comparison of a fact.")
    _known_keys(entry, {"fact", "op", "value", "field", "plus"}, name)
    fact, op, field = str(entry.get("fact", "")), str(entry.get("op", "")), str(entry.get("field", ""))
    if "value" in entry and field:
        raise RuleProblem(f"{name} compares {fact} with a number and a field at once; it is one of them.")
    if op == "is":
        if not isinstance(entry.get("value"), bool):
            raise RuleProblem(f"{name}: {fact} is compared with {entry.get('value')!r}; it is true or false.")
        return Condition(fact, op, float(entry["value"]))
    number = entry.get("plus" if field else "value", 0)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise RuleProblem(f"{name}: {fact} is compared with {number!r}; it must be a number.")
    return Condition(fact, op, float(number), field)


def _known_keys(entry: Mapping[str, Any], known: set[str], name: str) -> None:
    unknown = sorted(str(key) for key in set(entry) - known)
    if unknown:
        raise RuleProblem(f"{name} has unknown parts: {', '.join(unknown)[:120]}. Known: {', '.join(sorted(known))}.")
