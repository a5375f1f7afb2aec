"""How a project is run: readers an item, gold, thresholds, leases, rules. A document that is checked once and never changes.

Fields say their unit. Not here: the vocabulary of the rules (``routing_rules``), the decisions themselves (``routing``), and
storage (``models.PolicyVersion``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from labelhub.projects.default_rules import DYNAMIC_OVERLAP
from labelhub.projects.routing_rules import Rule, RuleProblem, read_rules, rules_to_document
from labelhub.projects.rule_checks import check_rules, dormant_rules


class PolicyProblem(ValueError):
    """A value is outside its range; the message names the field and the range."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one version, with safe defaults.

    ``tolerance_mm``/``tolerance_px`` is the τ of surface distances, fixed before reading. ``accept_agreement`` is the least
    mean pairwise similarity (Dice of shapes, share of equal answers) that is accepted without a look; ``slip_agreement`` the
    similarity with the others under which a single odd reader is asked to look again at their own work;
    ``model_agreement`` the least similarity between model and consensus before a reviewer looks.
    ``match_iou`` is the overlap from which two readers' shapes are taken as the same object.

    ``overlap_share`` of the items get all ``readers``, the others one; ``random_extra_share`` of the extra reads go to items
    drawn at random, so that an offer does not betray a dispute. ``repeat_share`` of what is handed out is an item that the
    labeler read at least ``repeat_after_days`` ago. ``same_subject`` says whether items of one subject go to the same
    readers. ``skip_rule`` says what becomes of skipped work. 0 in ``max_items_a_day`` and ``exam_items`` means none.

    ``gold_share_undecided`` is the share of gold until a labeler's gate decided, ``gold_share`` the share afterwards.
    ``gate_good`` and ``gate_poor`` are p0 and p1 of the sequential test, ``gate_false_pause`` and ``gate_miss`` its error
    rates, ``drift_threshold`` the limit of the cumulative sum. ``gate_test`` says what counts: ``fitting`` takes partial
    credit for outlines and the difficulty of each item for classes where the project's gold can tell them, and right or
    wrong where it cannot; ``right-wrong`` always that; ``surface`` an outline that is right where its surface Dice is at
    least .8.
    ``posterior`` is the calibrated probability from which one more read is not asked for; below ``calibration_items`` known
    answers it is not trusted. ``audit_share`` of the accepted items, at least ``audit_least``, are read again blind, by
    whom ``audit_by`` says. Of ``panel_reviewers`` reviewers more than half must choose the same label before it is settled;
    1 is a single reviewer. An author may dispute ``max_disputes`` returns of one item; where no third reader comes within
    ``dispute_wait_days`` (0: no limit) a reviewer decides. An author reads what a reviewer wrote to them in comments on their
    reading where ``authors_read_comments`` says so.
    ``review_share`` of what the rules would accept goes to a reviewer, drawn at random; a reviewer is offered at most
    ``reviews_a_day`` items a day (0: no limit), and sees letters in place of readers' names where ``review_blind`` says
    so. ``reviewers_join`` says whether reviewers may be at an image while people label it together: ``no``, ``watch``, or
    ``draw`` too. ``review_gold_share`` of what a reviewer decides is an item with gold that they are not told of, and
    ``rereview_share`` of what reviewers settle is judged again by another one who is not told of the first decision, or by the
    same after ``rereview_after_days`` where there is no other.
    ``drafts`` says whether labelers may start from what a model drew: ``no``, ``asked`` (it comes when they ask for it) or
    ``offered`` (it is shown as the image opens). ``draft_withheld_share`` of those who ask get none, so that work with and
    without a draft can be compared; ``draft_seed_share`` get one with a planted error, which shows who looks. A labeler
    who catches as few as ``draft_catch_poor`` in place of ``draft_catch_good`` of them, by a sequential test, works without
    drafts. ``rules`` say where an item goes, the first that holds; they name these fields.
    """

    readers: int = 2
    max_readers: int = 7
    overlap_share: float = 1.0
    random_extra_share: float = 0.10
    repeat_share: float = 0.02
    repeat_after_days: int = 7
    same_subject: str = "any"
    skip_rule: str = "others"
    max_items_a_day: int = 0
    exam_items: int = 0
    exam_pass_share: float = 0.80
    gold_share: float = 0.05
    gold_share_undecided: float = 0.20
    gold_max_exposures: int = 15
    gate_good: float = 0.90
    gate_poor: float = 0.75
    gate_false_pause: float = 0.01
    gate_miss: float = 0.10
    drift_threshold: float = 4.0
    gate_test: str = "fitting"
    pause_without_asking: bool = False
    posterior: float = 0.95
    calibration_items: int = 100
    audit_share: float = 0.05
    audit_least: int = 60
    audit_by: str = "anyone"
    panel_reviewers: int = 1
    accept_agreement: float = 0.80
    slip_agreement: float = 0.50
    model_agreement: float = 0.50
    use_model: bool = True
    match_iou: float = 0.30
    tolerance_mm: float = 2.0
    tolerance_px: float = 2.0
    lease_s: int = 1800
    max_rework_rounds: int = 2
    max_disputes: int = 1
    dispute_wait_days: int = 7
    min_gold: int = 20
    min_items: int = 20
    gold_target: float = 0.80
    show_other_answers_on_rework: bool = False
    authors_read_comments: bool = False
    review_share: float = 0.0
    review_blind: bool = False
    reviewers_join: str = "no"
    reviews_a_day: int = 0
    review_gold_share: float = 0.0
    rereview_share: float = 0.0
    rereview_after_days: int = 30
    drafts: str = "no"
    draft_withheld_share: float = 0.15
    draft_seed_share: float = 0.05
    draft_catch_good: float = 0.90
    draft_catch_poor: float = 0.70
    rules: tuple[Rule, ...] = DYNAMIC_OVERLAP

    def to_document(self) -> dict[str, Any]:
        """Return the policy as a JSON-ready dictionary."""
        return asdict(self) | {"rules": rules_to_document(self.rules)}

    def numbers(self) -> dict[str, float | int]:
        """Return the fields that a rule may compare with."""
        return {name: getattr(self, name) for name in RANGES}

    def warnings(self) -> list[str]:
        """Return a sentence for each rule that decides nothing under the present numbers, and where offers betray disputes."""
        found = dormant_rules(self.rules, self.numbers())
        if self.max_readers > self.readers and self.random_extra_share < LEAST_RANDOM_EXTRA:
            found.append(
                f"Fewer than {LEAST_RANDOM_EXTRA:.0%} of the further reads go to items drawn at random: whoever is offered one "
                "can tell that the others disagree."
            )
        return found


# Below it a further read is offered mostly where readers differ, and its reader knows.
LEAST_RANDOM_EXTRA = 0.1
RANGES: Mapping[str, tuple[float, float]] = {
    "readers": (1, 20),
    "max_readers": (1, 50),
    "overlap_share": (0.0, 1.0),
    "random_extra_share": (0.0, 1.0),
    "repeat_share": (0.0, 0.5),
    "repeat_after_days": (0, 365),
    "max_items_a_day": (0, 100_000),
    "exam_items": (0, 1000),
    "exam_pass_share": (0.0, 1.0),
    "gold_share": (0.0, 0.5),
    "gold_share_undecided": (0.0, 0.5),
    "gold_max_exposures": (1, 100_000),
    "gate_good": (0.5, 0.999),
    "gate_poor": (0.01, 0.99),
    "gate_false_pause": (0.0001, 0.25),
    "gate_miss": (0.0001, 0.5),
    "drift_threshold": (0.5, 20.0),
    "posterior": (0.5, 0.9999),
    "calibration_items": (0, 100_000),
    "audit_share": (0.0, 1.0),
    "audit_least": (0, 100_000),
    "panel_reviewers": (1, 9),
    "accept_agreement": (0.0, 1.0),
    "slip_agreement": (0.0, 1.0),
    "model_agreement": (0.0, 1.0),
    "match_iou": (0.01, 1.0),
    "tolerance_mm": (0.001, 1000.0),
    "tolerance_px": (0.001, 1000.0),
    "lease_s": (60, 7 * 24 * 3600),
    "max_rework_rounds": (0, 20),
    "max_disputes": (0, 20),
    "dispute_wait_days": (0, 365),
    "review_share": (0.0, 1.0),
    "reviews_a_day": (0, 100_000),
    "review_gold_share": (0.0, 0.5),
    "rereview_share": (0.0, 1.0),
    "rereview_after_days": (1, 3650),
    "draft_withheld_share": (0.0, 0.9),
    "draft_seed_share": (0.0, 0.5),
    "draft_catch_good": (0.5, 0.999),
    "draft_catch_poor": (0.01, 0.99),
    "min_gold": (1, 100_000),
    "min_items": (1, 100_000),
    "gold_target": (0.0, 1.0),
}

CHOICES: Mapping[str, tuple[str, ...]] = {
    "same_subject": ("any", "same", "different"),
    "skip_rule": ("others", "later", "forbidden"),
    "audit_by": ("anyone", "reviewers"),
    "reviewers_join": ("no", "watch", "draw"),
    "gate_test": ("fitting", "right-wrong", "surface"),
    "drafts": ("no", "asked", "offered"),
}


def read_policy(document: Mapping[str, Any]) -> Policy:
    """Return the policy in ``document``; missing fields take their default. Raises :class:`PolicyProblem`."""
    known = {field.name: field for field in fields(Policy)}
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise PolicyProblem(f"Unknown policy fields: {', '.join(unknown)}. Known: {', '.join(known)}.")
    values = {name: _checked(name, value) for name, value in document.items()}
    policy = Policy(**values)
    if policy.max_readers < policy.readers:
        raise PolicyProblem(f"max_readers is {policy.max_readers}, less than readers ({policy.readers}).")
    if policy.gate_poor >= policy.gate_good:
        raise PolicyProblem(f"gate_poor is {policy.gate_poor:g}; it must be below gate_good ({policy.gate_good:g}).")
    if policy.draft_catch_poor >= policy.draft_catch_good:
        raise PolicyProblem(
            f"draft_catch_poor is {policy.draft_catch_poor:g}; it must be below draft_catch_good "
            f"({policy.draft_catch_good:g})."
        )
    if policy.review_blind and policy.reviewers_join != "no":
        raise PolicyProblem("reviewers_join must be “no” where review_blind holds: who is at work is seen by name.")
    try:
        check_rules(policy.rules, policy.numbers())
    except RuleProblem as problem:
        raise PolicyProblem(str(problem)) from problem
    return policy


def lease_of(document: Mapping[str, Any]) -> int:
    """Return the lease in seconds of a policy that was read before: asked at each stroke, and all else is not."""
    return int(document.get("lease_s", Policy().lease_s))


def _checked(name: str, value: Any) -> Any:
    if name == "rules":
        return _rules(value)
    kind = type(getattr(Policy(), name))
    if kind is bool:
        if not isinstance(value, bool):
            raise PolicyProblem(f"{name} is {value!r}; it is true or false.")
        return value
    if kind is str:
        if value not in CHOICES[name]:
            raise PolicyProblem(f"{name} is {value!r}; it is one of {', '.join(CHOICES[name])}.")
        return value
    low, high = RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise PolicyProblem(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}.")
    if kind is int and value != int(value):
        raise PolicyProblem(f"{name} is {value!r}; it must be a whole number.")
    return kind(value)


def _rules(value: Any) -> tuple[Rule, ...]:
    try:
        return read_rules(value)
    except RuleProblem as problem:
        raise PolicyProblem(str(problem)) from problem
