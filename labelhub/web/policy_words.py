"""The policy as sentences with a field in each, and the answers as a policy. Not here: its rules (``rule_form``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from labelhub.projects.policy import CHOICES, RANGES, Policy, PolicyProblem, read_policy
from labelhub.web.rule_form import rules_of_form

SWITCHES = tuple(name for name, default in Policy().to_document().items() if isinstance(default, bool))


@dataclass(frozen=True, slots=True)
class Sentence:
    """One field in plain words: what stands before and after it. ``choices`` are values with their words."""

    name: str
    before: str
    after: str
    kind: str
    value: Any
    low: float | None
    high: float | None
    step: str
    choices: tuple[tuple[str, str], ...] = ()


WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "Readers": {
        "readers": ("Each item is read by", "people who do not see each other's labels."),
        "max_readers": ("Where it is not sure what the label is, one more reader at a time is asked, up to", "in all."),
        "overlap_share": ("A share of", "of the items gets all these readers; the others get one."),
        "random_extra_share": (
            "A share of",
            "of the further reads goes to items drawn at random, so that an offer does not betray a dispute.",
        ),
        "repeat_share": ("A share of", "of what is handed out is an item that the same labeler read before"),
        "repeat_after_days": ("at least", "days ago: it shows how far they agree with themselves."),
        "same_subject": ("Items of one subject go to", "."),
        "lease_s": ("Work that was handed out comes back to the queue after", "seconds without a sign of life."),
        "skip_rule": ("Skipped work", "."),
        "max_items_a_day": ("A labeler gets at most", "items a day; 0 is no limit."),
    },
    "What is accepted without a look": {
        "accept_agreement": ("Readings whose mean similarity is at least", "are accepted."),
        "posterior": (
            "With known answers enough, readers are added until the label is right with a probability of",
            ".",
        ),
        "calibration_items": ("That probability is relied on from", "known answers on."),
        "match_iou": ("Two readers' shapes are the same object from an overlap (IoU) of", "on."),
        "tolerance_mm": ("Outlines count as the same within", "mm (where the spacing is known)."),
        "tolerance_px": ("Outlines count as the same within", "pixels (where it is not)."),
    },
    "What goes back or to a reviewer": {
        "slip_agreement": ("A single odd reader, whose similarity with the others is below", ", looks again first."),
        "max_rework_rounds": ("The same work goes back to its author at most", "times; then a reviewer decides."),
        "max_disputes": ("Of one item its author may dispute", "returns; a reader who saw no other reading decides."),
        "dispute_wait_days": ("Where no such reader comes within", "days, another reviewer decides; 0 waits on."),
        "show_other_answers_on_rework": (
            "Authors of returned work",
            "see the others' outlines of the disputed regions.",
        ),
        "authors_read_comments": (
            "Authors",
            "read what reviewers write to them in comments on their readings, without names.",
        ),
        "review_share": ("A share of", "of what would be accepted is drawn at random for a reviewer's look."),
        "review_blind": (
            "Reviewers",
            "see letters in place of readers' names, in an order of their own, until they decided.",
        ),
        "reviewers_join": ("Reviewers", "while people label one image together; those see that they are there."),
        "reviews_a_day": ("A reviewer is offered at most", "items a day; 0 is no limit."),
        "review_gold_share": (
            "A share of",
            "of what a reviewer decides has a known answer that they are not told of: it shows how often they are right.",
        ),
        "rereview_share": (
            "A share of",
            "of what reviewers settle comes to another reviewer, who is not told of the first decision,",
        ),
        "rereview_after_days": ("or where there is no other, to the same one after", "days."),
        "panel_reviewers": (
            "Where a reviewer is asked,",
            "vote, blind to each other; more than half settle it (1: one decides).",
        ),
    },
    "Random audit": {
        "audit_share": ("A share of", "of the accepted items is drawn at random and read again, blind;"),
        "audit_least": ("at least about", "items a project. It shows how many accepted labels an auditor finds wrong."),
        "audit_by": ("Audits are read by", "who have not seen the item."),
    },
    "Model": {
        "use_model": ("A model's disagreement", "sends items to a reviewer; it never votes."),
        "model_agreement": ("That happens where model and readers are less alike than", "."),
        "drafts": ("A model's draft", "."),
        "draft_withheld_share": (
            "A share of",
            "of those who want a draft get none: so work with and without one is compared.",
        ),
        "draft_seed_share": (
            "A share of",
            "of the drafts carries a planted error; a reading that lets it stand has no vote, and the item gets another.",
        ),
        "draft_catch_good": ("A labeler who catches a share of", "of planted errors may go on with drafts;"),
        "draft_catch_poor": ("one who catches only", "works without them from then on."),
    },
    "Exam": {
        "exam_items": ("A new labeler first reads", "items with known answers; 0 is no exam."),
        "exam_pass_share": ("They pass with a share of at least", "right."),
    },
    "Gold": {
        "gold_share": ("A share of", "of what is handed out has a hidden known answer,"),
        "gold_share_undecided": ("and a share of", "until it is decided whether the labeler is good enough."),
        "gold_max_exposures": ("One gold item is handed out at most", "times."),
        "gold_target": ("A labeler is expected to be right on a share of at least", "of it."),
        "min_gold": ("Accuracy is shown in grey below", "gold items."),
        "min_items": ("Agreement is shown in grey below", "items."),
    },
    "When a labeler is paused": {
        "gate_good": ("A labeler who is right on a share of", "of gold is good enough;"),
        "gate_poor": ("one who is right on only", "is not."),
        "gate_false_pause": ("A good one is paused with a probability of at most", ","),
        "gate_miss": ("a poor one is missed with a probability of at most", "."),
        "gate_test": ("What counts is", ""),
        "drift_threshold": ("A decline raises an alarm, which starts a new test, at a sum of", "."),
        "pause_without_asking": ("A failed test", "pauses the labeler at once; otherwise an admin is asked."),
    },
}
CHOICE_WORDS: dict[str, dict[str, str]] = {
    "same_subject": {"any": "any readers", "same": "the same readers", "different": "different readers"},
    "skip_rule": {
        "others": "goes to others",
        "later": "comes back to the same labeler later",
        "forbidden": "is not possible",
    },
    "gate_test": {
        "fitting": "partial credit for outlines and each item's difficulty for classes, where the gold can tell them",
        "right-wrong": "right or wrong at the accepted similarity, always",
        "surface": "an outline's surface Dice of at least .8",
    },
    "reviewers_join": {"no": "are not there", "watch": "may watch", "draw": "may watch, and draw too,"},
    "drafts": {
        "no": "is never shown to labelers",
        "asked": "comes when a labeler asks for it",
        "offered": "is shown first",
    },
    "audit_by": {"anyone": "labelers and reviewers", "reviewers": "reviewers only"},
}


def groups_of(policy: Policy) -> dict[str, list[Sentence]]:
    """Return the policy's sentences by group."""
    return {
        group: [_sentence(name, before, after, getattr(policy, name)) for name, (before, after) in rules.items()]
        for group, rules in WORDS.items()
    }


def policy_of_form(post: QueryDict, current: Policy) -> Policy:
    """Return ``current`` with what the form states; what it does not show stays. Raises ``PolicyProblem``.

    A switch that is off sends nothing: the form lists the switches that it shows under ``switch``.
    """
    numbers = {name: text for name in RANGES if (text := post.get(name, "").strip())}
    stated: dict[str, Any] = _numbers(numbers) | {name: post[name] for name in CHOICES if name in post}
    for name in SWITCHES:
        if name in post.getlist("switch") or name in post:
            stated[name] = post.get(name) == "1"
    if (rules := rules_of_form(post)) is not None:
        stated["rules"] = rules
    return read_policy(current.to_document() | stated)


def policy_of_fields(texts: Mapping[str, str]) -> Policy:
    """Return the default policy but for the numbers in ``texts``. Raises ``PolicyProblem``."""
    asked = _numbers(texts)
    asked["max_readers"] = max(asked.get("max_readers", Policy().max_readers), asked.get("readers", 1))
    return read_policy(asked)


def changes_between(earlier: dict[str, Any], later: dict[str, Any]) -> list[str]:
    """Return what a version changed, a line a rule."""
    names = [name for name in later if name != "rules" and earlier.get(name) != later[name]]
    lines = [f"{name.replace('_', ' ')}: {earlier.get(name, '–')} → {later[name]}" for name in names]
    return lines + _changed_rules(earlier.get("rules"), later.get("rules") or [])


def _changed_rules(earlier: list[dict[str, Any]] | None, later: list[dict[str, Any]]) -> list[str]:
    if earlier is None:
        return []
    before = {rule["name"]: rule for rule in earlier}
    after = {rule["name"]: rule for rule in later}
    lines = [f"rule {name}: added" for name in after if name not in before]
    lines += [f"rule {name}: left out" for name in before if name not in after]
    lines += [f"rule {name}: changed" for name in after if name in before and before[name] != after[name]]
    shared = [name for name in before if name in after]
    return lines + (["order of the rules: changed"] if shared != [name for name in after if name in before] else [])


def _numbers(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: _number(name, text.strip()) for name, text in texts.items()}


def _number(name: str, text: str) -> float | int:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError as error:
        raise PolicyProblem(f"{name.replace('_', ' ')} is “{text[:40]}”; it must be a number.") from error


def _sentence(name: str, before: str, after: str, value: Any) -> Sentence:
    low, high = RANGES.get(name, (None, None))
    kind = "switch" if isinstance(value, bool) else "choice" if name in CHOICES else "number"
    step = "1" if isinstance(value, int) else "any"
    choices = tuple(CHOICE_WORDS[name].items()) if kind == "choice" else ()
    return Sentence(name, before, after, kind, value, low, high, step, choices)
