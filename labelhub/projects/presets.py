"""Ways to run a project that teams know by name, each as a change of a policy. Not here: the rules (``default_rules``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from labelhub.projects.default_rules import DYNAMIC_OVERLAP, MODEL_LOOKS_TWICE, SINGLE_READ, TO_A_REVIEWER
from labelhub.projects.policy import Policy
from labelhub.projects.routing_rules import Rule


@dataclass(frozen=True, slots=True)
class Preset:
    """One way: its name, what it means in a sentence, the fields it sets and its rules."""

    title: str
    words: str
    fields: Mapping[str, Any]
    rules: tuple[Rule, ...]


PRESETS: Mapping[str, Preset] = {
    "dynamic": Preset(
        "As many readers as needed",
        "Two people read each item; where it is not sure enough what the label is, further readers are asked one at a time, up "
        "to seven, and then a reviewer. Without enough known answers to calibrate how sure it is, two and one more.",
        {"readers": 2, "max_readers": 7, "panel_reviewers": 1, "overlap_share": 1.0},
        DYNAMIC_OVERLAP,
    ),
    "single": Preset(
        "One reader, audited",
        "One person reads each item. Accepted items are drawn at random and read again by somebody else, which shows how "
        "many labels are wrong.",
        {"readers": 1, "max_readers": 1, "panel_reviewers": 1, "overlap_share": 1.0, "audit_share": 0.10},
        SINGLE_READ,
    ),
    "model-looks-twice": Preset(
        "One reader, and a model that looks twice",
        "One person reads each item. What a model hardly believes goes back to its author once, and then to a reviewer; what "
        "is settled before the model saw it goes to a reviewer too. Needs a model that keeps its probabilities; it decides "
        "nothing. Accepted items are drawn at random and read again by somebody else.",
        {
            "readers": 1,
            "max_readers": 1,
            "panel_reviewers": 1,
            "overlap_share": 1.0,
            "use_model": True,
            "audit_share": 0.10,
        },
        MODEL_LOOKS_TWICE,
    ),
    "two-and-adjudicator": Preset(
        "Two blind readers and an adjudicator (2+1)",
        "Two people read each item without seeing each other's labels. Where they disagree a reviewer decides.",
        {"readers": 2, "max_readers": 2, "panel_reviewers": 1, "overlap_share": 1.0},
        TO_A_REVIEWER,
    ),
    "crossed": Preset(
        "Every reader reads everything",
        "A fixed number of people each read every item, as in a reader study. Where they disagree a reviewer decides.",
        {"readers": 3, "max_readers": 3, "panel_reviewers": 1, "overlap_share": 1.0},
        TO_A_REVIEWER,
    ),
    "panel": Preset(
        "A panel of reviewers",
        "Two people read each item; where they disagree three reviewers vote without seeing each other's votes. More than "
        "half settle it; without a majority an admin decides.",
        {"readers": 2, "max_readers": 2, "panel_reviewers": 3, "overlap_share": 1.0},
        TO_A_REVIEWER,
    ),
}


def with_preset(policy: Policy, name: str) -> Policy:
    """Return ``policy`` with what the preset sets; everything else stays. Raises ``KeyError`` for an unknown name."""
    preset = PRESETS[name]
    return replace(policy, rules=preset.rules, **preset.fields)


def preset_of(policy: Policy) -> str:
    """Return the name of the preset whose rules and readers the policy has; empty where it is none of them."""
    for name, preset in PRESETS.items():
        free = {"audit_share", "readers", "max_readers"} if name == "crossed" else {"audit_share"}
        fields = {key: value for key, value in preset.fields.items() if key not in free}
        is_crossed = name != "crossed" or 2 < policy.readers == policy.max_readers
        if policy.rules == preset.rules and is_crossed and all(getattr(policy, k) == v for k, v in fields.items()):
            return name
    return ""
