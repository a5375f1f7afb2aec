"""The rules of a policy as a form: one block a rule, one line a condition; and the answers as a document of rules.

Not here: the vocabulary (``projects.routing_rules``), and whether the rules are sound (``projects.rule_checks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from labelhub.projects.policy import RANGES, Policy, PolicyProblem
from labelhub.projects.routing_rules import ACTIONS, ANY_OPS, FACTS, NUMBER_OPS, TRIGGERS, Condition, Rule
from labelhub.projects.rule_checks import MOST_CONDITIONS, MOST_RULES
from labelhub.routing.rule_words import rule_words

# Empty lines for further conditions under each rule.
SPARE = 2
COMPARISONS: Mapping[str, str] = {"yes": "holds", "no": "does not hold", **NUMBER_OPS, **ANY_OPS}
FIELDS: tuple[tuple[str, str], ...] = tuple((name, name.replace("_", " ")) for name in RANGES)


@dataclass(frozen=True, slots=True)
class Line:
    """One condition as it stands in the form."""

    prefix: str
    fact: str = ""
    op: str = ""
    number: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """One rule as it stands in the form; ``sentence`` is empty for the block of a new rule."""

    prefix: str
    place: str
    name: str
    trigger: str
    action: str
    reads: str
    because: str
    lines: tuple[Line, ...]
    sentence: str


def blocks_of(policy: Policy) -> list[Block]:
    """Return the form's blocks: the policy's rules in their order, and an empty one."""
    fields = policy.numbers()
    blocks = [_block(rule, place, rule_words(rule, fields)) for place, rule in enumerate(policy.rules, start=1)]
    if len(blocks) < MOST_RULES:
        blocks.append(_block(Rule("", "submission", (), "reviewer"), len(blocks) + 1, ""))
    return blocks


def typed_blocks(post: QueryDict) -> list[Block]:
    """Return the blocks as they were typed, so that a refusal loses nothing."""
    return [_typed(post, prefix) for prefix in _prefixes(post)]


def words() -> dict[str, Any]:
    """Return what the form's lists offer."""
    facts = [(name, fact.words) for name, fact in FACTS.items()]
    return {
        "triggers": TRIGGERS.items(), "actions": ACTIONS.items(), "facts": facts, "comparisons": COMPARISONS.items(),
        "fields": FIELDS,
    }  # fmt: skip


def rules_of_form(post: QueryDict) -> list[dict[str, Any]] | None:
    """Return the rules that the form states, by their places, as a document; None where it holds no rules."""
    prefixes = _prefixes(post)
    if not prefixes:
        return None
    stated = [
        prefix for prefix in prefixes if post.get(f"{prefix}-name", "").strip() and f"{prefix}-remove" not in post
    ]
    return [_rule(post, prefix) for prefix in sorted(stated, key=lambda prefix: _place(post, prefix))]


def _prefixes(post: QueryDict) -> list[str]:
    return [prefix for number in range(1, MOST_RULES + 1) if f"{(prefix := f'rule-{number}')}-name" in post]


def _typed(post: QueryDict, prefix: str) -> Block:
    def text(part: str) -> str:
        return post.get(f"{prefix}-{part}", "")

    parts = ("fact", "op", "number", "field")
    numbers = range(1, MOST_CONDITIONS + SPARE + 1)
    lines = tuple(
        Line(f"{prefix}-{number}", *(text(f"{number}-{part}") for part in parts))
        for number in numbers
        if f"{prefix}-{number}-fact" in post
    )
    name = text("name")
    return Block(prefix, text("place"), name, text("on"), text("action"), text("reads"), text("because"), lines, name)


def _rule(post: QueryDict, prefix: str) -> dict[str, Any]:
    action = post.get(f"{prefix}-action", "")
    name = post.get(f"{prefix}-name", "").strip()
    then: dict[str, Any] = {"action": action}
    if action == "more-readers":
        then["reads"] = int(_number(post.get(f"{prefix}-reads", "").strip() or "0", name))
    lines = [f"{prefix}-{number}" for number in range(1, MOST_CONDITIONS + SPARE + 1)]
    return {
        "name": name,
        "on": post.get(f"{prefix}-on", ""),
        "when": [_condition(post, line, name) for line in lines if post.get(f"{line}-fact", "")],
        "then": then,
        "because": post.get(f"{prefix}-because", "").strip(),
    }


def _condition(post: QueryDict, line: str, name: str) -> dict[str, Any]:
    fact, op = post.get(f"{line}-fact", ""), post.get(f"{line}-op", "")
    if op in ("yes", "no"):
        return {"fact": fact, "op": "is", "value": op == "yes"}
    if op in ANY_OPS:
        return {"fact": fact, "op": op}
    text, field = post.get(f"{line}-number", "").strip(), post.get(f"{line}-field", "")
    if field:
        return {"fact": fact, "op": op, "field": field} | ({"plus": _number(text, name)} if text else {})
    return {"fact": fact, "op": op, "value": _number(text, name)}


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise PolicyProblem(f"Rule “{name[:40]}” compares with “{text[:20]}”; it must be a number.") from error


def _place(post: QueryDict, prefix: str) -> tuple[float, int]:
    number = int(prefix.split("-")[1])
    try:
        return float(post.get(f"{prefix}-place", "") or number), number
    except ValueError:
        return float(number), number


def _block(rule: Rule, place: int, sentence: str) -> Block:
    prefix = f"rule-{place}"
    return Block(
        prefix, str(place), rule.name, rule.trigger, rule.action, str(rule.reads), rule.because,
        _lines(rule.conditions, prefix), sentence,
    )  # fmt: skip


def _lines(conditions: Sequence[Condition], prefix: str) -> tuple[Line, ...]:
    lines = [_line(condition, f"{prefix}-{number}") for number, condition in enumerate(conditions, start=1)]
    spare = range(len(lines) + 1, len(lines) + SPARE + 1)
    return (*lines, *(Line(f"{prefix}-{number}") for number in spare))


def _line(condition: Condition, prefix: str) -> Line:
    if condition.op == "is":
        return Line(prefix, condition.fact, "yes" if condition.number else "no")
    is_bare = condition.op in ANY_OPS or (condition.field and not condition.number)
    return Line(prefix, condition.fact, condition.op, "" if is_bare else f"{condition.number:g}", condition.field)
