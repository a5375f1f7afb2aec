"""What a labeler's next test decides between: the policy's rates, with "good" measured on reference readers where they exist.

Reference readers are the project's reviewers who read the same gold blind. What they reach on it is what can be asked of
anybody: gold that is hard for experts is no reason to pause a labeler. Not here: running a test (``gate_trace``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Labeler, Membership, Project, Role
from labelhub.projects.policy import Policy
from labelhub.routing.gate_trace import GatePlan
from labelhub.scoring.gold_answers import GoldAnswer

# Nearer to each other than this, "good" and "poor" cannot be told apart with any gold that a project has.
LEAST_DISTANCE = 0.05
HIGHEST_GOOD = 0.99


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference readers reach on the project's gold, and why it is not used where it is not."""

    accuracy: Estimate
    labeler_ids: tuple[int, ...]
    unused_because: str


def reference_readers(project: Project) -> frozenset[int]:
    """Return the ids of the labelers who are reviewers of the project now; one query."""
    reviewers = Membership.objects.filter(project=project, role=Role.REVIEWER, removed_at=None).values("user_id")
    return frozenset(Labeler.objects.filter(project=project, user__in=reviewers).values_list("pk", flat=True))


def reference_among(
    keys: Collection[int], answers: Mapping[int, Sequence[GoldAnswer]], policy: Policy, *, judged_id: int | None = None
) -> Reference:
    """Return what the labelers ``keys`` reach on the gold; the one who is judged is left out. Reads nothing."""
    used = tuple(sorted(key for key in keys if key != judged_id and answers.get(key)))
    given = [answer for key in used for answer in answers[key]]
    right = sum(answer.is_right for answer in given)
    accuracy = proportion(right, len(given), unit="gold answers of reference readers", method="right on gold")
    reason = ""
    if len(given) < policy.min_gold:
        reason = f"reference readers gave {len(given)} gold answers of the {policy.min_gold} that are needed"
    elif accuracy.value < policy.gate_poor + LEAST_DISTANCE:
        reason = (
            f"reference readers are right on {accuracy.value:.2f} of this gold, hardly more than what counts as poor "
            f"({policy.gate_poor:.2f}): look at the gold, or lower that rate"
        )
    return Reference(accuracy, used, reason)


def plan_from(policy: Policy, reference: Reference) -> GatePlan:
    """Return the plan of a test that begins now."""
    if reference.unused_because:
        return GatePlan(
            policy.gate_good, policy.gate_poor, policy.gate_false_pause, policy.gate_miss, policy.drift_threshold
        )
    return GatePlan(
        good=min(round(reference.accuracy.value, 3), HIGHEST_GOOD), poor=policy.gate_poor,
        false_pause=policy.gate_false_pause, miss=policy.gate_miss, drift_limit=policy.drift_threshold,
        source="reference readers", n_reference=reference.accuracy.n,
    )  # fmt: skip
