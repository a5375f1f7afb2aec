"""What a project's gate does to labelers of a known accuracy, over the gold that the project plans: its error rates and cost.

It is that of the test which runs here, whatever it counts. One test's rates are exact where answers are right or wrong, else
played; those of the whole gate (test, watch, new test on an alarm) are always played, with n and interval. Partial credits are
drawn from those of the reference readers, for a poorer labeler all lowered alike; difficulties are taken as estimated. The
usual rule "fewer than 80 % of the last 10 right" is played beside it. Nothing is certified where the gold does not suffice to
end a test. Not here: the numerics (``numerics.gate``), and any labeler (``gates``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from labelhub.numerics.gate import (
    Bounds,
    DrawSteps,
    SprtBehaviour,
    WorkNeeded,
    naive_rule_pauses,
    played_gate,
    played_test,
    sprt_behaviour,
    work_of,
)
from labelhub.numerics.graded_sprt import steps_of_scores
from labelhub.numerics.results import Estimate, FloatArray
from labelhub.projects.models import Project, Role
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy, members
from labelhub.routing.gate_plan import Planned, Reference, plan_for, plan_from
from labelhub.routing.gate_trace import GatePlan
from labelhub.scoring.gold_answers import planned_gold

# Gold answers over which the whole gate and the naive rule are compared, and labelers that are played.
COMPARED_OVER = 200
N_PLAYED = 5000
NAIVE_LAST, NAIVE_BELOW = 10, 0.8
SEED = 20_260_105


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the gate does to labelers who are right on a share ``accuracy`` of gold, or earn that mean credit on it.

    ``one`` is a single test, ``planned`` the whole gate over the gold that a labeler can meet here, ``compared`` the same
    over 200, ``any_paused`` and ``any_missed`` the chance that at least one of all the project's labelers is paused, or is
    not, over the planned gold, and ``naive`` the naive rule over 200, for labelers right on a share ``naive_accuracy``.
    ``planned`` and what follows is None without gold.
    """

    accuracy: float
    role: str
    one: SprtBehaviour
    planned: Estimate | None
    compared: Estimate
    any_paused: Estimate | None
    any_missed: Estimate | None
    naive: Estimate
    work: WorkNeeded
    decided_here: float
    naive_accuracy: float

    @property
    def missed(self) -> float:
        """The share whom the whole gate does not pause over the planned gold."""
        return 1.0 if self.planned is None else 1 - self.planned.value


@dataclass(frozen=True, slots=True)
class Supply:
    """The gold of a project: items, independent units (patients), labelers who share it, and what each can meet of it."""

    n_items: int
    n_units: int
    n_labelers: int
    max_exposures: int

    @property
    def reachable(self) -> int:
        """How many independent gold answers each labeler can give, when all share the exposures that the items allow."""
        return min(self.n_units, self.n_items * self.max_exposures // max(self.n_labelers, 1))

    def missing(self, wanted: int) -> int:
        """How many further gold items, each of another patient, let every labeler meet ``wanted``."""
        for_exposures = math.ceil(wanted * max(self.n_labelers, 1) / self.max_exposures) - self.n_items
        return max(wanted - self.n_units, for_exposures, 0)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What can be promised. ``refusals`` say why nothing is; empty where the rates hold."""

    plan: GatePlan
    reference: Reference
    supply: Supply
    exam: int
    share: float
    behaviours: tuple[Behaviour, ...]
    refusals: tuple[str, ...]

    @property
    def is_certified(self) -> bool:
        """Whether the rates hold over the project's gold."""
        return not self.refusals

    @property
    def is_counted(self) -> bool:
        """Whether one test's rates are exact; else they were played."""
        return not self.behaviours[0].one.n_played

    def of(self, role: str) -> Behaviour:
        """Return what happens to labelers of this role: good, between, poor."""
        return next(entry for entry in self.behaviours if entry.role == role)


def certificate_of(project: Project) -> Certificate:
    """Return what the project's gate promises under its current policy and gold."""
    _, policy = current_policy(project)
    planned = plan_for(project, policy)
    n_items, n_units = planned_gold(project)
    n_labelers = members(project).filter(role=Role.ANNOTATOR).count()
    supply = Supply(n_items, n_units, max(n_labelers, 1), policy.gold_max_exposures)
    return certify(policy, planned.reference, supply, planned)


def among(certificate: Certificate, n_labelers: int) -> Certificate:
    """Return the certificate with the chances that one of so many labelers is paused, or is not, and all else as it is.

    They share their gold with everybody, so what each can meet of it does not change.
    """
    behaviours = tuple(
        replace(
            entry,
            any_paused=any_of(entry.planned, n_labelers),
            any_missed=any_of(_other(entry.planned), n_labelers),
        )
        for entry in certificate.behaviours
    )
    return replace(certificate, behaviours=behaviours)


def certify(policy: Policy, reference: Reference, supply: Supply, planned: Planned | None = None) -> Certificate:
    """As :func:`certificate_of`, where reference, gold and plan are known (the plain one unless given); reads nothing."""
    chosen = Planned(plan_from(policy, reference), reference) if planned is None else planned
    plan = chosen.plan
    exam = min(policy.exam_items, supply.reachable)
    share = policy.gold_share_undecided
    behaviours = tuple(
        _behaviour(plan, chosen.earned, accuracy, role, supply.reachable, supply.n_labelers, exam, share, naive)
        for role, accuracy, naive in _accuracies(plan, policy)
    )
    return Certificate(
        plan, reference, supply, exam, share, behaviours, tuple(_refusals(plan, reference, supply, share, exam))
    )


def any_of(share: Estimate | None, n_labelers: int) -> Estimate | None:
    """Return the chance that it happens to at least one of several labelers who answer independently."""
    if share is None:
        return None
    value, low, high = (1 - (1 - part) ** n_labelers for part in (share.value, share.low, share.high))
    return replace(
        share, value=value, low=low, high=high, method=f"{share.method}; at least one of {n_labelers} labelers"
    )


def _accuracies(plan: GatePlan, policy: Policy) -> list[tuple[str, float, float]]:
    """The kinds of labelers, what they reach by this test, and by right and wrong (which the naive rule looks at)."""
    levels = [("good", plan.good), ("between", round((plan.good + plan.poor) / 2, 4)), ("poor", plan.poor)]
    if plan.kind == "credit":
        shares = (policy.gate_good, round((policy.gate_good + policy.gate_poor) / 2, 4), policy.gate_poor)
        return [(role, level, share) for (role, level), share in zip(levels, shares, strict=True)]
    found = [(role, level, level) for role, level in levels]
    if plan.kind == "difficulty":
        return found
    if abs(plan.good - policy.gate_good) > 1e-9 and policy.gate_good > plan.poor:
        found.append(("policy", policy.gate_good, policy.gate_good))
    return found


def _refusals(plan: GatePlan, reference: Reference, supply: Supply, share: float, exam: int) -> list[str]:
    found = []
    missing = supply.missing(plan.longest)
    if missing:
        found.append(
            f"A test may take {plan.longest} gold answers of different patients, and each labeler can meet "
            f"{supply.reachable} here: {missing} gold items are missing."
        )
    if share <= 0 and exam < plan.longest:
        found.append("Until a test decides, no gold is handed out (its share is 0): no test can end.")
    if reference.accuracy.n and "look at the gold" in reference.unused_because:
        found.append(f"{reference.unused_because[0].upper()}{reference.unused_because[1:]}.")
    return found


@lru_cache(maxsize=64)
def _behaviour(
    plan: GatePlan, earned: tuple[float, ...], accuracy: float, role: str, reachable: int, n_labelers: int, exam: int,
    share: float, naive_accuracy: float,
) -> Behaviour:  # fmt: skip
    rng = np.random.default_rng(SEED)
    draw, bounds = draw_of(plan, earned, accuracy, role), bounds_of(plan)
    is_exact = plan.kind in ("right-wrong", "surface")
    one = (
        sprt_behaviour(accuracy, plan.sprt)
        if is_exact
        else played_test(draw, bounds, rng, level=accuracy, n_raters=N_PLAYED)
    )
    compared = played_gate(draw, bounds, rng, n_gold=COMPARED_OVER, n_raters=N_PLAYED)
    over = min(reachable, COMPARED_OVER)
    planned = played_gate(draw, bounds, rng, n_gold=over, n_raters=N_PLAYED) if over else None
    naive = naive_rule_pauses(
        naive_accuracy, rng, last=NAIVE_LAST, below=NAIVE_BELOW, n_gold=COMPARED_OVER, n_raters=N_PLAYED
    )
    return Behaviour(
        accuracy=accuracy, role=role, one=one, planned=planned, compared=compared,
        any_paused=any_of(planned, n_labelers), any_missed=any_of(_other(planned), n_labelers), naive=naive,
        work=work_of(one, rng, exam=exam, share=share or 1.0),
        decided_here=float(one.decided[min(reachable, len(one.decided) - 1)]), naive_accuracy=naive_accuracy,
    )  # fmt: skip


def bounds_of(plan: GatePlan) -> Bounds:
    """Where the plan's test and watch end."""
    return Bounds(plan.rates.pause_at, plan.rates.clear_at, plan.longest, plan.drift_limit)


def draw_of(plan: GatePlan, earned: Sequence[float], level: float, role: str) -> DrawSteps:
    """Return how one gold unit moves the test of labelers of this level, drawn as the plan's own answers would fall."""
    if plan.kind == "credit":
        pool = lowered(np.asarray(earned, dtype=np.float64), level)
        steps = steps_of_scores(pool, good=plan.good, bad=plan.poor, spread=plan.spread)
        return lambda rng, n: steps[rng.integers(0, len(steps), n)]
    if plan.kind == "difficulty":
        good, poor = np.array([a for _, a, _ in plan.items]), np.array([b for _, _, b in plan.items])
        # On each item's own curve a skill half-way between two has the mean of their log odds.
        share = {"good": 1.0, "between": 0.5, "poor": 0.0}[role]
        chance = expit(share * logit(good) + (1 - share) * logit(poor))
        right, wrong = np.log(poor / good), np.log((1 - poor) / (1 - good))

        def draw(rng: np.random.Generator, n: int) -> FloatArray:
            item = rng.integers(0, len(good), n)
            return np.asarray(np.where(rng.random(n) < chance[item], right[item], wrong[item]), dtype=np.float64)

        return draw
    right, wrong = plan.sprt.step_right, plan.sprt.step_wrong
    return lambda rng, n: np.where(rng.random(n) < level, right, wrong)


def lowered(earned: FloatArray, mean: float) -> FloatArray:
    """The credits, all moved alike and held between 0 and 1, so that their mean is ``mean``.

    Examples
    --------
    >>> lowered(np.array([1.0, 0.6]), 0.6).round(2).tolist()
    [0.8, 0.4]
    """

    def beyond(by: float) -> float:
        return float(np.clip(earned - by, 0.0, 1.0).mean()) - mean

    return np.asarray(np.clip(earned - brentq(beyond, -1.0, 1.0), 0.0, 1.0))


def _other(share: Estimate | None) -> Estimate | None:
    if share is None:
        return None
    return replace(share, value=1 - share.value, low=1 - share.high, high=1 - share.low)
