"""Whether a list of routing rules is sound under a policy's numbers: each rule can hold, is reached, and a last one decides.

Every problem is a sentence that names the rule. Not here: the vocabulary (``routing_rules``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from labelhub.projects.routing_rules import (
    ACTIONS_ON,
    ANY_OPS,
    FACTS,
    NUMBER_OPS,
    TRIGGERS,
    Condition,
    Rule,
    RuleProblem,
)

MOST_RULES, MOST_CONDITIONS, MOST_READS, MOST_CHARACTERS = 40, 10, 10, 300
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
PLACEHOLDER = re.compile(r"\{([a-z_]*)\}")
# An item that no rule decides goes to a person.
FINAL_ACTIONS = ("reviewer", "maybe-ambiguous")


@dataclass(frozen=True, slots=True)
class _Span:
    """The values of a fact under which conditions hold: between two ends, each counted in or not, or unknown."""

    low: float = -math.inf
    low_open: bool = False
    high: float = math.inf
    high_open: bool = False
    is_known: bool = False
    is_unknown: bool = False

    def is_empty(self) -> bool:
        if self.is_unknown:
            return self.is_known
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def is_within(self, other: _Span) -> bool:
        if self.is_unknown or other.is_unknown:
            return self.is_unknown and other.is_unknown
        is_above = (self.low, self.low_open) >= (other.low, other.low_open)
        return is_above and (self.high, not self.high_open) <= (other.high, not other.high_open)


# Conditions on one fact that are compared with the same field (or with plain numbers: "") bound it together.
_Spans: TypeAlias = dict[tuple[str, str], _Span]


def check_rules(rules: Sequence[Rule], fields: Mapping[str, Any]) -> None:
    """Raise :class:`RuleProblem` at the first rule that is unsound under the policy's ``fields``."""
    if not 1 <= len(rules) <= MOST_RULES:
        raise RuleProblem(f"There are {len(rules)} rules; 1 to {MOST_RULES} are allowed.")
    names = [rule.name for rule in rules]
    for rule in rules:
        if names.count(rule.name) > 1:
            raise RuleProblem(f"Two rules are named “{rule.name}”. Give each its own name.")
        _check_rule(rule, fields)
    _check_reached(rules)
    last = [rule for rule in rules if rule.trigger == "submission"][-1:]
    if not last or last[0].conditions or last[0].action not in FINAL_ACTIONS:
        name = f" after “{last[0].name}”" if last else ""
        raise RuleProblem(
            f"No last rule says what becomes of a reading that no other rule decides. Add one without conditions{name} "
            "that sends the item to a reviewer."
        )


def dormant_rules(rules: Sequence[Rule], fields: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each sound rule that cannot decide anything under the policy's present numbers."""
    idle = {
        rule.name: f"Rule “{rule.name}” can hold for no item under these numbers."
        for rule in rules
        if any(span.is_empty() for span in _spans(rule, fields).values())
    }
    hidden = {
        rule.name: f"Rule “{rule.name}” is not reached under these numbers: “{earlier.name}” decides before it."
        for rule, earlier in _shadowed(rules, fields)
    }
    return list((hidden | idle).values())


def _check_rule(rule: Rule, fields: Mapping[str, Any]) -> None:
    name = f"Rule “{rule.name[:40]}”"
    if not NAME.match(rule.name) or len(rule.name) > 40:
        raise RuleProblem(f"{name} needs a name of small letters, digits and single hyphens, at most 40 characters.")
    if rule.trigger not in TRIGGERS:
        raise RuleProblem(f"{name} is asked on “{rule.trigger[:40]}”; it is one of {', '.join(TRIGGERS)}.")
    allowed = ACTIONS_ON[rule.trigger]
    if rule.action not in allowed:
        raise RuleProblem(
            f"{name} orders “{rule.action[:40]}”; when {TRIGGERS[rule.trigger]} it can be: {', '.join(allowed)}."
        )
    if len(rule.conditions) > MOST_CONDITIONS or len(rule.because) > MOST_CHARACTERS:
        raise RuleProblem(
            f"{name} has more than {MOST_CONDITIONS} conditions or {MOST_CHARACTERS} characters of reason."
        )
    unknown = [word for word in PLACEHOLDER.findall(rule.because) if word not in FACTS and word not in fields]
    if unknown:
        raise RuleProblem(f"{name} speaks of {{{unknown[0]}}}, which is no fact and no field.")
    for condition in rule.conditions:
        _check_condition(condition, fields, name)
    _check_action(rule, name)


def _check_condition(condition: Condition, fields: Mapping[str, Any], name: str) -> None:
    fact = FACTS.get(condition.fact)
    if fact is None:
        raise RuleProblem(f"{name} asks about “{condition.fact[:40]}”; facts are {', '.join(FACTS)}.")
    ops = [*ANY_OPS, *(NUMBER_OPS if fact.is_number else ["is"])]
    if condition.op not in ops:
        raise RuleProblem(f"{name} compares {condition.fact} by “{condition.op[:20]}”; it is one of {', '.join(ops)}.")
    if condition.field:
        value = fields.get(condition.field)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleProblem(f"{name} compares with “{condition.field[:40]}”, which is no number of the policy.")
    limit = condition.threshold(fields)
    if condition.op in NUMBER_OPS and not (math.isfinite(limit) and fact.low <= limit <= fact.high):
        raise RuleProblem(
            f"{name} compares {condition.fact} with {limit:g}; it lies between {fact.low:g} and {fact.high:g}."
        )


def _check_action(rule: Rule, name: str) -> None:
    spans = _spans(rule)
    for (fact, _), span in spans.items():
        if span.is_empty():
            raise RuleProblem(f"{name} can never hold: its conditions on {fact} exclude each other.")
    if rule.action == "back-to-author" and not _demands_yes(rule, "author_can_return"):
        raise RuleProblem(f"{name} sends work back without asking whether its author can mend it. Add that condition.")
    if rule.action != "more-readers":
        return
    if not 0 <= rule.reads <= MOST_READS:
        raise RuleProblem(f"{name} asks for {rule.reads} readers at once; 0 to {MOST_READS} are allowed.")
    if rule.trigger != "submission":
        return
    missing = spans.get(("missing_reads", ""), _Span())
    if rule.reads == 0 and (missing.low, missing.low_open) < (0.0, True):
        raise RuleProblem(f"{name} asks for no reader. Say how many, or ask only while planned readings are missing.")
    is_bounded = any(fact == "reads" and span.high < FACTS["reads"].high for (fact, _), span in spans.items())
    if rule.reads and not is_bounded:
        raise RuleProblem(f"{name} would ask for readers without end. Add the number of readings below which it asks.")


def _check_reached(rules: Sequence[Rule]) -> None:
    for rule, earlier in _shadowed(rules, None):
        raise RuleProblem(
            f"Rule “{rule.name}” is never reached: “{earlier.name}” stands before it and holds wherever it would. "
            "Move it up, or leave it out."
        )


def _shadowed(rules: Sequence[Rule], fields: Mapping[str, Any] | None) -> Iterator[tuple[Rule, Rule]]:
    """Yield rules that an earlier one keeps from ever deciding; with ``fields``, under these numbers only."""
    for place, rule in enumerate(rules):
        own = _spans(rule, fields)
        for earlier in rules[:place]:
            if earlier.trigger == rule.trigger and _covers(_spans(earlier, fields), own):
                yield rule, earlier
                break


def _covers(theirs: _Spans, own: _Spans) -> bool:
    known = {fact for (fact, _), span in own.items() if span.is_known}
    for key, span in theirs.items():
        mine = own.get(key, _Span())
        asks_only_known = span == _Span(*_ends(key), is_known=True)
        if not ((asks_only_known and key[0] in known) or (key in own and mine.is_within(span))):
            return False
    return True


def _demands_yes(rule: Rule, fact: str) -> bool:
    return any(entry.fact == fact and entry.op == "is" and entry.number for entry in rule.conditions)


def _spans(rule: Rule, fields: Mapping[str, Any] | None = None) -> _Spans:
    """Return how the rule bounds each fact; with ``fields``, compared with their numbers instead of their names."""
    spans: _Spans = {}
    for condition in rule.conditions:
        key = (condition.fact, condition.field if fields is None else "")
        limit = condition.number if fields is None else condition.threshold(fields)
        spans[key] = _narrowed(spans.get(key, _Span(*_ends(key))), condition.op, limit)
    return spans


def _ends(key: tuple[str, str]) -> tuple[float, bool, float, bool]:
    fact, field = key
    return (-math.inf, False, math.inf, False) if field else (FACTS[fact].low, False, FACTS[fact].high, False)


def _narrowed(span: _Span, op: str, limit: float) -> _Span:
    if op == "unknown":
        return replace(span, is_unknown=True)
    low, low_open, high, high_open = span.low, span.low_open, span.high, span.high_open
    if op in ("at-least", "above", "is", "exactly"):
        low, low_open = max((low, low_open), (limit, op == "above"))
    if op in ("at-most", "below", "is", "exactly"):
        high, is_closed = min((high, not high_open), (limit, op != "below"))
        high_open = not is_closed
    return replace(span, low=low, low_open=low_open, high=high, high_open=high_open, is_known=True)
