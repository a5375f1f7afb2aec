"""What a project's gate does to labelers of a known accuracy, over the gold that the project plans: its error rates and cost.

One test's rates are exact; those of the whole gate (test, watch, new test on an alarm) are played, with n and interval. The
usual rule "fewer than 80 % of the last 10 right" is played beside it. Nothing is certified where the gold does not suffice to
end a test. Not here: the numerics (``numerics.gate``), and any labeler (``gates``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from labelhub.numerics.gate import (
    SprtBehaviour,
    WorkNeeded,
    gate_behaviour,
    naive_rule_pauses,
    sprt_behaviour,
    work_until_decision,
)
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Project, Role
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_policy, members
from labelhub.routing.gate_plan import Reference, plan_from, reference_among, reference_readers
from labelhub.routing.gate_trace import GatePlan
from labelhub.scoring.gold_answers import gold_answers, planned_gold

# Gold answers over which the whole gate and the naive rule are compared, and labelers that are played.
COMPARED_OVER = 200
N_PLAYED = 5000
NAIVE_LAST, NAIVE_BELOW = 10, 0.8
SEED = 20_260_105


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the gate does to labelers who are right on a share ``accuracy`` of gold.

    ``one`` is a single test, ``planned`` the whole gate over the gold that a labeler can meet here, ``compared`` the same
    over 200, ``any_paused`` and ``any_missed`` the chance that at least one of all the project's labelers is paused, or is
    not, over the planned gold, and ``naive`` the naive rule over 200. ``planned`` and what follows is None without gold.
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

    def of(self, role: str) -> Behaviour:
        """Return what happens to labelers of this role: good, between, poor."""
        return next(entry for entry in self.behaviours if entry.role == role)


def certificate_of(project: Project) -> Certificate:
    """Return what the project's gate promises under its current policy and gold."""
    _, policy = current_policy(project)
    readers = reference_readers(project)
    reference = reference_among(readers, gold_answers(project, labeler_ids=readers), policy)
    n_items, n_units = planned_gold(project)
    n_labelers = members(project).filter(role=Role.ANNOTATOR).count()
    supply = Supply(n_items, n_units, max(n_labelers, 1), policy.gold_max_exposures)
    return certify(policy, reference, supply)


def certify(policy: Policy, reference: Reference, supply: Supply) -> Certificate:
    """As :func:`certificate_of`, where reference and gold are known; reads nothing."""
    plan = plan_from(policy, reference)
    exam = min(policy.exam_items, supply.reachable)
    share = policy.gold_share_undecided
    behaviours = tuple(
        _behaviour(plan, accuracy, role, supply.reachable, supply.n_labelers, exam, share)
        for role, accuracy in _accuracies(plan, policy)
    )
    return Certificate(
        plan, reference, supply, exam, share, behaviours, tuple(_refusals(plan, reference, supply, share, exam))
    )


def _accuracies(plan: GatePlan, policy: Policy) -> list[tuple[str, float]]:
    found = [("good", plan.good), ("between", round((plan.good + plan.poor) / 2, 4)), ("poor", plan.poor)]
    if abs(plan.good - policy.gate_good) > 1e-9 and policy.gate_good > plan.poor:
        found.append(("policy", policy.gate_good))
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
    plan: GatePlan, accuracy: float, role: str, reachable: int, n_labelers: int, exam: int, share: float
) -> Behaviour:
    rng = np.random.default_rng(SEED)
    one = sprt_behaviour(accuracy, plan.sprt)
    compared = _played(plan, accuracy, COMPARED_OVER, rng)
    planned = _played(plan, accuracy, min(reachable, COMPARED_OVER), rng) if reachable else None
    naive = naive_rule_pauses(
        accuracy, rng, last=NAIVE_LAST, below=NAIVE_BELOW, n_gold=COMPARED_OVER, n_raters=N_PLAYED
    )
    return Behaviour(
        accuracy=accuracy, role=role, one=one, planned=planned, compared=compared,
        any_paused=_any(planned, n_labelers), any_missed=_any(_other(planned), n_labelers), naive=naive,
        work=work_until_decision(accuracy, rng, plan=plan.sprt, exam=exam, share=share or 1.0),
        decided_here=float(one.decided[min(reachable, len(one.decided) - 1)]),
    )  # fmt: skip


def _played(plan: GatePlan, accuracy: float, n_gold: int, rng: np.random.Generator) -> Estimate:
    found = gate_behaviour(
        accuracy, rng, plan=plan.sprt, n_gold=n_gold, n_raters=N_PLAYED, drift_limit=plan.drift_limit
    )
    return found.paused


def _other(share: Estimate | None) -> Estimate | None:
    if share is None:
        return None
    return replace(share, value=1 - share.value, low=1 - share.high, high=1 - share.low)


def _any(share: Estimate | None, n_labelers: int) -> Estimate | None:
    """The chance that it happens to at least one of several labelers who answer independently."""
    if share is None:
        return None
    value, low, high = (1 - (1 - part) ** n_labelers for part in (share.value, share.low, share.high))
    return replace(
        share, value=value, low=low, high=high, method=f"{share.method}; at least one of {n_labelers} labelers"
    )
