"""How often the gate proposes the demo's planted labelers for a pause, over many seeds, and what it costs in gold and tasks.

The planted faults are those of ``plan``; whether an answer is right on gold is drawn with what the readers of the built demo
reach (right on .88 of 170 gold items without a planted error of class), times the planted chance of the right class at that
place of the session. In the demo gold counts once a parent picture, wherever in a labeler's order its first cut lies, under
the demo's policy. Under the default policy gold is placed as the queue does, at random with its share, each of another patient.

Over 2,000 demos Theo is proposed in .92, Carla in .81, Mira in .06, Elena in .02. Planted once and seen to fail: Theo's fatigue
at .6 (.52 proposed).

``python -m tests.benchmarks.bench_planted_gate`` prints the table for 20,000 labelers each.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from labelhub.config.demo import plan
from labelhub.config.demo.cutting import chosen_cuts
from labelhub.config.demo.pictures import parents
from labelhub.config.demo.readings import order_of_work
from labelhub.projects.policy import Policy
from labelhub.routing.gate_plan import plan_from, reference_among
from labelhub.routing.gate_trace import trace_of
from labelhub.scoring.gold_answers import GoldAnswer

POLICY = Policy()
GATE = plan_from(POLICY, reference_among(set(), {}, POLICY))
RIGHT_BUT_FOR_THE_CLASS = 0.88
START = datetime(2026, 1, 5, tzinfo=UTC)
N_GOLD = 170
_ANSWERS = [
    [GoldAnswer(n, n, "", "", START + timedelta(minutes=n), is_right) for n in range(N_GOLD)]
    for is_right in (False, True)
]


def planted(username: str) -> Callable[[np.ndarray], np.ndarray]:
    """The chance of a right answer at each task of a labeler of the plan."""
    who = next(entry for entry in plan.LABELERS if entry.username == username)

    def chance(task: np.ndarray) -> np.ndarray:
        through = (task % plan.SESSION_ITEMS) / (plan.SESSION_ITEMS - 1)
        return RIGHT_BUT_FOR_THE_CLASS * (1 - np.maximum(who.confusion, who.fatigue * through))

    return chance


def decaying(task: np.ndarray) -> np.ndarray:
    """Right on .90 for 300 tasks, then falling to .60 over the next 300."""
    return 0.90 - 0.30 * np.clip((task - 300) / 300, 0, 1)


def always(accuracy: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda task: np.full(len(task), accuracy)


def played(chance: Callable[[np.ndarray], np.ndarray], n: int, seed: int) -> dict[str, float]:
    """Play ``n`` labelers over all gold; return the share proposed, and the medians of gold and tasks until then."""
    rng = np.random.default_rng(seed)
    gold, tasks, n_tests = [], [], []
    for _ in range(n):
        place, right = one_labeler(chance, rng)
        trace = trace_of([_ANSWERS[hit][number] for number, hit in enumerate(right)], lambda _: GATE)
        n_tests.append(sum(event.kind == "test-started" for event in trace.events))
        if trace.stage == "failed":
            at = trace.events[-1].answer
            gold.append(at + 1)
            tasks.append(int(place[at]) + 1)
    return {
        "proposed": len(gold) / n,
        "gold": float(np.median(gold)) if gold else float("nan"),
        "tasks": float(np.median(tasks)) if tasks else float("nan"),
        "tests": float(np.mean(n_tests)),
    }


def one_labeler(chance: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where in the work the gold came, and which of it was answered right.

    Gold is 20 % of the work until the first verdict and 5 % afterwards; whoever is judged later meets gold more rarely.
    """
    dense = np.cumsum(rng.geometric(POLICY.gold_share_undecided, N_GOLD)) - 1
    right = (rng.random(N_GOLD) < chance(dense)).astype(int)
    first = trace_of([_ANSWERS[hit][number] for number, hit in enumerate(right)], lambda _: GATE).segments[0]
    n_first = len(first.heights)
    if first.verdict != "clear":
        return dense, right
    sparse = dense[n_first - 1] + np.cumsum(rng.geometric(POLICY.gold_share, N_GOLD - n_first))
    place = np.concatenate([dense[:n_first], sparse])
    return place, np.concatenate([right[:n_first], (rng.random(len(sparse)) < chance(sparse)).astype(int)])


@pytest.fixture(scope="module")
def pictures() -> list[str]:
    """The parent picture of each item of the demo, gold first."""
    return [cut.parent for cut in chosen_cuts(parents(), plan.ITEMS, np.random.default_rng(plan.SEED))]


def share_proposed(username: str, pictures: list[str], n: int, seed: int) -> float:
    """The share of ``n`` demos in which the labeler is proposed for a pause."""
    rng = np.random.default_rng(seed)
    gate = plan_from(plan.POLICY, reference_among(set(), {}, plan.POLICY))
    chance = planted(username)
    others = np.arange(plan.GOLD_ITEMS, plan.ITEMS - plan.UNREAD_ITEMS)
    n_others = round(len(others) * plan.READERS_AN_ITEM / len(plan.LABELERS))
    n_proposed = 0
    for _ in range(n):
        items = np.concatenate([np.arange(plan.GOLD_ITEMS), rng.choice(others, n_others, replace=False)])
        order = items[order_of_work([pictures[item] for item in items], rng)]
        firsts: dict[str, int] = {}
        for task, item in enumerate(order):
            if item < plan.GOLD_ITEMS - plan.TRAINING_GOLD:
                firsts.setdefault(pictures[item], task)
        tasks = np.array(sorted(firsts.values()))
        right = (rng.random(len(tasks)) < chance(tasks)).astype(int)
        trace = trace_of([_ANSWERS[hit][number] for number, hit in enumerate(right)], lambda _: gate)
        n_proposed += trace.stage == "failed"
    return n_proposed / n


def test_the_gold_of_the_demo_suffices_to_end_a_test(pictures):
    gate = plan_from(plan.POLICY, reference_among(set(), {}, plan.POLICY))
    assert len(set(pictures[: plan.GOLD_ITEMS])) >= gate.longest


def test_the_tiring_labeler_is_proposed_as_often_as_promised(pictures):
    assert share_proposed("theo", pictures, 600, seed=1) >= 1 - plan.POLICY.gate_miss - 3 * (0.09 / 600) ** 0.5


@pytest.mark.parametrize(("username", "most"), [("elena", 0.03), ("mira", 0.08), ("sam", 0.08)])
def test_who_has_no_fault_is_rarely_proposed(pictures, username, most):
    assert share_proposed(username, pictures, 600, seed=2) <= most


def test_a_labeler_who_decays_later_is_caught_by_the_watch_and_a_new_test():
    found = played(decaying, 400, seed=2)
    assert found["proposed"] >= 1 - POLICY.gate_miss
    assert found["tests"] > 1.5


def test_a_good_labeler_is_proposed_as_rarely_as_the_whole_gate_promises():
    n = 1000
    share = played(always(POLICY.gate_good), n, seed=3)["proposed"]
    # The certificate of the whole gate at .90 is 1.0 % over 170 gold; three standard errors above it.
    assert share <= 0.011 + 3 * (0.011 / n) ** 0.5


def table(n: int) -> None:
    """Print what happens to ``n`` labelers of each kind."""
    rows = [(f"{who.name}: {who.fault}", planted(who.username)) for who in plan.LABELERS]
    rows += [("decays from .90 to .60 after 300 tasks", decaying)]
    rows += [(f"always right on {accuracy}", always(accuracy)) for accuracy in (0.90, 0.825, 0.75)]
    print(f"{n} labelers each, {N_GOLD} gold items, p0 {GATE.good}, p1 {GATE.poor}")
    for name, chance in rows:
        found = played(chance, n, seed=4)
        error = 1.96 * (found["proposed"] * (1 - found["proposed"]) / n) ** 0.5
        print(
            f"{name[:70]:70} proposed {found['proposed']:.4f} ± {error:.4f}; median gold {found['gold']:.0f}, "
            f"tasks {found['tasks']:.0f}; tests {found['tests']:.2f}",
            flush=True,
        )
