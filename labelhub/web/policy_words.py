"""The policy as sentences with a field in each, and the answers as a policy. Not here: the rules (``projects.policy``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from labelhub.projects.policy import RANGES, Policy, PolicyProblem, read_policy


@dataclass(frozen=True, slots=True)
class Sentence:
    """One rule in plain words: what stands before and after its field."""

    name: str
    before: str
    after: str
    kind: str
    value: Any
    low: float | None
    high: float | None
    step: str


WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "Readers": {
        "readers": ("Each item is read by", "people who do not see each other's labels."),
        "max_readers": ("Where they disagree, one more reader at a time is asked, up to", "in all."),
        "lease_s": ("Work that was handed out comes back to the queue after", "seconds without a sign of life."),
    },
    "What is accepted without a look": {
        "accept_agreement": ("Readings whose mean similarity is at least", "are accepted."),
        "match_iou": ("Two readers' shapes are the same object from an overlap (IoU) of", "on."),
        "tolerance_mm": ("Outlines count as the same within", "mm (where the spacing is known)."),
        "tolerance_px": ("Outlines count as the same within", "pixels (where it is not)."),
    },
    "What goes back": {
        "slip_agreement": ("A single odd reader, whose similarity with the others is below", ", looks again first."),
        "max_rework_rounds": ("The same work goes back to its author at most", "times; then a reviewer decides."),
        "show_other_answers_on_rework": (
            "Authors of returned work",
            "see the others' outlines of the disputed regions.",
        ),
    },
    "Model": {
        "use_model": ("A model's disagreement", "sends items to a reviewer; it never votes."),
        "model_agreement": ("That happens where model and readers are less alike than", "."),
    },
    "Gold": {
        "gold_share": ("A share of", "of what is handed out has a hidden known answer."),
        "gold_target": ("A labeler is expected to be right on a share of at least", "of it."),
        "min_gold": ("Accuracy is shown in grey below", "gold items."),
        "min_items": ("Agreement is shown in grey below", "items."),
    },
}


def groups_of(policy: Policy) -> dict[str, list[Sentence]]:
    """Return the policy's sentences by group."""
    return {
        group: [_sentence(name, before, after, getattr(policy, name)) for name, (before, after) in rules.items()]
        for group, rules in WORDS.items()
    }


def policy_of_form(post: QueryDict) -> Policy:
    """Return the policy that the whole form states. Raises ``PolicyProblem``."""
    switches = [name for name, default in Policy().to_document().items() if isinstance(default, bool)]
    numbers = {name: text for name in RANGES if (text := post.get(name, "").strip())}
    return read_policy(_numbers(numbers) | {name: post.get(name) == "1" for name in switches})


def policy_of_fields(texts: Mapping[str, str]) -> Policy:
    """Return the default policy but for the numbers in ``texts``. Raises ``PolicyProblem``."""
    asked = _numbers(texts)
    asked["max_readers"] = max(asked.get("max_readers", Policy().max_readers), asked.get("readers", 1))
    return read_policy(asked)


def changes_between(earlier: dict[str, Any], later: dict[str, Any]) -> list[str]:
    """Return what a version changed, a line a rule."""
    names = [name for name in later if earlier.get(name) != later[name]]
    return [f"{name.replace('_', ' ')}: {earlier.get(name, '–')} → {later[name]}" for name in names]


def _numbers(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: _number(name, text.strip()) for name, text in texts.items()}


def _number(name: str, text: str) -> float | int:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError as error:
        raise PolicyProblem(f"{name.replace('_', ' ')} is “{text[:40]}”; it must be a number.") from error


def _sentence(name: str, before: str, after: str, value: Any) -> Sentence:
    low, high = RANGES.get(name, (None, None))
    kind = "switch" if isinstance(value, bool) else "number"
    step = "1" if isinstance(value, int) else "any"
    return Sentence(name, before, after, kind, value, low, high, step)
