"""What a labeler's next test decides between: the policy's rates, with "good" measured on reference readers where they exist.

Reference readers are the project's reviewers who read the same gold blind. What they reach on it is what can be asked of
anybody: gold that is hard for experts is no reason to pause a labeler. ``plan_for`` also chooses what counts, as the policy and
the gold allow. Not here: the graded tests (``gate_kinds``), and running a test (``gate_trace``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Labeler, Membership, Project, Role
from labelhub.projects.policy import Policy
from labelhub.routing.gate_kinds import Graded, by_credit, by_difficulty, has_outlines
from labelhub.routing.gate_trace import SURFACE_RIGHT, GatePlan
from labelhub.scoring.gold_answers import GoldAnswer, gold_answers, reader_dice

# Nearer to each other than this, "good" and "poor" cannot be told apart with any gold that a project has.
LEAST_DISTANCE = 0.05
HIGHEST_GOOD = 0.99
# What counts, in words.
KINDS = {
    "right-wrong": "right or wrong", "surface": f"surface Dice of at least {SURFACE_RIGHT:g}",
    "difficulty": "by the difficulty of each item", "credit": "partial credit",
}  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of a test that begins now, what it rests on, and the credits of the reference readers where they count."""

    plan: GatePlan
    reference: Reference
    earned: tuple[float, ...] = ()


def plan_for(project: Project, policy: Policy, *, judged_id: int | None = None) -> Planned:
    """Return the plan of a test that begins now; who is judged is left out of what it is measured by. Some queries."""
    readers = reference_readers(project)
    is_fitting = policy.gate_test == "fitting"
    answers = gold_answers(project, labeler_ids=None if is_fitting else readers)
    outlines = is_fitting and has_outlines(answers)
    pairs = reader_dice(project, readers) if outlines and len(readers) > 2 else {}
    return choose_plan(policy, answers, readers, pairs, judged_id=judged_id)


def choose_plan(
    policy: Policy, answers: Mapping[int, Sequence[GoldAnswer]], readers: Collection[int],
    pairs: Mapping[int, Sequence[tuple[int, int, float]]], *, judged_id: int | None = None,
) -> Planned:  # fmt: skip
    """As :func:`plan_for`, where the answers are known; reads nothing.

    Where the gold cannot carry a graded test the plain one runs, right or wrong, and says why.
    """
    if policy.gate_test == "surface":
        counted = {key: [_by_surface(answer) for answer in own] for key, own in answers.items()}
        reference = reference_among(readers, counted, policy, judged_id=judged_id)
        why = "the policy counts outlines by their surface; an answer without an area is right or wrong"
        return Planned(replace(plan_from(policy, reference), kind="surface", why=why), reference)
    reference = reference_among(readers, answers, policy, judged_id=judged_id)
    plain = plan_from(policy, reference)
    if policy.gate_test == "right-wrong":
        return Planned(replace(plain, why="the policy says so"), reference)
    found = _graded(plain, policy, answers, readers, pairs, judged_id)
    if found.plan is None:
        return Planned(replace(plain, why=found.why), reference)
    return Planned(found.plan, reference, found.earned)


def _graded(
    plain: GatePlan, policy: Policy, answers: Mapping[int, Sequence[GoldAnswer]], readers: Collection[int],
    pairs: Mapping[int, Sequence[tuple[int, int, float]]], judged_id: int | None,
) -> Graded:  # fmt: skip
    if not any(answers.values()):
        return Graded(None, "nobody has answered gold yet")
    if not has_outlines(answers):
        return by_difficulty(plain, policy, answers, judged_id=judged_id)
    if any(answer.asks for own in answers.values() for answer in own):
        return Graded(None, "the gold asks questions beside outlines, and one credit cannot tell both")
    return by_credit(plain, policy, answers, pairs, [key for key in readers if key != judged_id])


def _by_surface(answer: GoldAnswer) -> GoldAnswer:
    return answer if answer.surface is None else replace(answer, is_right=answer.surface >= SURFACE_RIGHT)
