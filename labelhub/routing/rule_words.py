"""Rules and their conditions as sentences, with the numbers they compare. Words only: nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelhub.projects.routing_rules import ACTIONS, ANY_OPS, FACTS, NUMBER_OPS, TRIGGERS, Condition, Fact, Rule

_UNSTATED = object()


def rule_words(rule: Rule, fields: Mapping[str, Any]) -> str:
    """Return the rule as one sentence: when, if, then."""
    stated = [condition_words(condition, fields) for condition in rule.conditions]
    where = f" and {_and(stated)}" if stated else " and no rule above decided"
    what = ACTIONS[rule.action]
    if rule.action == "more-readers":
        what = {0: "wait for the planned readers", 1: "ask one more reader"}.get(
            rule.reads, f"ask {rule.reads} more readers"
        )
    return f"When {TRIGGERS[rule.trigger]}{where}: {what}."


def condition_words(condition: Condition, fields: Mapping[str, Any], value: Any = _UNSTATED) -> str:
    """Return the condition in words; with ``value`` also what the fact is."""
    fact = FACTS[condition.fact]
    if not fact.is_number and condition.op not in ANY_OPS:
        return fact.words if condition.number else fact.otherwise
    if condition.op in ANY_OPS:
        text = f"{fact.words if fact.is_number else f'whether {fact.words}'} {ANY_OPS[condition.op]}"
    else:
        text = f"{fact.words} {NUMBER_OPS[condition.op]} {shown(condition.threshold(fields), fact)}"
    return text if value is _UNSTATED else f"{text} (it is {shown(value, fact)})"


def shown(value: float | None, fact: Fact | None = None) -> str:
    """Return a number as people read it: counts whole, shares with two digits."""
    if value is None:
        return "not defined"
    if fact is not None and not fact.is_number:
        return "yes" if value else "no"
    is_count = float(value).is_integer() and (fact is None or fact.high > 1)
    return f"{value:.0f}" if is_count else f"{value:.2f}"


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
