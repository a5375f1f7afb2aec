"""Rules are data in a closed vocabulary: what is unsound is refused by its name, and what is read is what was written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labelhub.projects.policy import Policy, PolicyProblem, read_policy
from labelhub.projects.presets import PRESETS, preset_of, with_preset
from labelhub.projects.routing_rules import Condition, Rule, rules_to_document
from labelhub.projects.rule_checks import check_rules
from labelhub.routing.policy_rules import ReaderView, Situation, decide

LAST = {"name": "last", "on": "submission", "when": [], "then": {"action": "reviewer"}}


def rule(name: str = "mine", on: str = "submission", when: list[Any] | None = None, **then: Any) -> dict[str, Any]:
    return {"name": name, "on": on, "when": when or [], "then": {"action": "accept"} | then}


def when(fact: str, op: str, value: Any = None, **rest: Any) -> dict[str, Any]:
    return {"fact": fact, "op": op} | ({} if value is None else {"value": value}) | rest


AGREE = when("agreement", "at-least", 0.9)


@pytest.mark.parametrize("name", ["dynamic", *PRESETS])
def test_every_preset_is_sound_and_survives_its_document(name):
    policy = with_preset(Policy(), name)
    assert read_policy(json.loads(json.dumps(policy.to_document()))) == policy
    assert preset_of(policy) == name
    assert not policy.warnings()


def test_a_policy_stored_before_there_were_rules_has_the_default_ones():
    document = Policy().to_document()
    del document["rules"]
    assert read_policy(document).rules == Policy().rules


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ("accept everything", "rules is no list"),
        ([], "There are 0 rules"),
        ([7], "Rule 1 is no rule with a name"),
        ([rule() | {"run": "import os"}, LAST], "Rule “mine” has unknown parts: run"),
        ([rule("Mine!", when=[AGREE]), LAST], "Rule “Mine!” needs a name of small letters"),
        ([rule(when=[AGREE]), rule(when=[AGREE]), LAST], "Two rules are named “mine”"),
        ([rule(on="full moon"), LAST], "Rule “mine” is asked on “full moon”"),
        ([rule(action="delete", when=[AGREE]), LAST], "Rule “mine” orders “delete”"),
        ([rule(on="audit", when=[AGREE]), LAST], "Rule “mine” orders “accept”; when an auditor"),
        ([rule(when=[when("mood", "above", 1)]), LAST], "Rule “mine” asks about “mood”"),
        ([rule(when=[when("agreement", "is", True)]), LAST], "Rule “mine” compares agreement by “is”"),
        ([rule(when=[when("tie", "above", 0)]), LAST], "Rule “mine” compares tie by “above”"),
        ([rule(when=[when("agreement", "above", "0.9")]), LAST], "agreement is compared with '0.9'; it must be a number"),
        ([rule(when=[when("agreement", "above", 7)]), LAST], "agreement with 7; it lies between 0 and 1"),
        ([rule(when=[when("agreement", "above", float("nan"))]), LAST], "agreement with nan"),
        ([rule(when=[when("agreement", "above", field="skip_rule")]), LAST], "“skip_rule”, which is no number"),
        ([rule(when=[when("agreement", "above", 0.5, field="posterior")]), LAST], "with a number and a field at once"),
        ([rule(when=[AGREE]) | {"because": "{this}"}, LAST], "{this}"),
        ([rule(when=[AGREE, when("agreement", "below", 0.2)]), LAST], "can never hold: its conditions on agreement"),
        ([rule(when=[when("agreement", "unknown"), AGREE]), LAST], "can never hold"),
        ([rule(action="back-to-author", when=[when("odd_reader", "is", True)]), LAST], "whether its author can mend it"),
        ([rule(action="more-readers", reads=1, when=[when("tie", "is", True)]), LAST], "readers without end"),
        ([rule(action="more-readers", reads=0, when=[when("reads", "below", 3)]), LAST], "asks for no reader"),
        ([rule(action="more-readers", reads=99, when=[when("reads", "below", 3)]), LAST], "asks for 99 readers at once"),
        ([rule(when=[AGREE])], "No last rule says"),
        ([LAST, rule(when=[AGREE])], "“mine” is never reached: “last” stands before it"),
        ([rule("wide", when=[when("agreement", "above", 0.5)]), rule(when=[AGREE]), LAST], "never reached: “wide”"),
        ([rule("wide", when=[when("agreement", "known")]), rule(when=[AGREE]), LAST], "never reached: “wide”"),
        (
            [rule("wide", when=[when("reads", "below", field="readers", plus=2)], action="reviewer"),
             rule(when=[when("reads", "below", field="readers", plus=1)]), LAST],
            "never reached: “wide”",
        ),
        ([rule(when=[when("agreement", "above", 0.5)]), rule("narrow", when=[]), LAST], "“last” is never reached"),
    ],
)  # fmt: skip
def test_what_is_unsound_is_refused_by_name(rules, sentence):
    with pytest.raises(PolicyProblem) as refused:
        read_policy({"rules": rules})
    assert sentence in str(refused.value)


def test_rules_that_only_the_present_numbers_silence_are_warned_of_and_not_refused():
    assert any("own-slip" in line for line in read_policy({"max_rework_rounds": 0}).warnings())
    assert read_policy({"readers": 2, "max_readers": 2}).max_readers == 2


FACTS = {"agreement": (0.0, 0.25, 0.5, 0.75, 1.0), "best_pair": (0.0, 0.5, 1.0), "tie": (0.0, 1.0)}
conditions = st.one_of(
    st.builds(
        Condition, st.sampled_from(["agreement", "best_pair"]),
        st.sampled_from(["at-least", "above", "at-most", "below", "exactly"]), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    ),
    st.builds(Condition, st.just("tie"), st.just("is"), st.sampled_from([0.0, 1.0])),
    st.builds(Condition, st.sampled_from(list(FACTS)), st.sampled_from(["known", "unknown"])),
)  # fmt: skip
lists = st.lists(st.lists(conditions, max_size=3).map(tuple), min_size=1, max_size=3)
GRID = [None, *(step / 8 for step in range(9))]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(lists)
def test_the_check_calls_unreachable_only_what_no_item_reaches(drawn):
    """A slow obvious twin: every rule that is called unreachable decides for no combination of the facts' values."""
    rules = [Rule(f"rule-{place}", "submission", conds, "reviewer") for place, conds in enumerate(drawn)]
    rules.append(Rule("last", "submission", (), "reviewer"))
    try:
        check_rules(rules, {})
    except Exception as problem:  # noqa: BLE001 - any refusal is looked at
        named = next(rule for rule in rules if f"Rule “{rule.name}”" in str(problem))
    else:
        return
    reached = {
        next(rule.name for rule in rules if all(c.holds(facts[c.fact], {}) for c in rule.conditions))
        for agreement in GRID for pair in GRID for tie in (None, 0.0, 1.0)
        for facts in [{"agreement": agreement, "best_pair": pair, "tie": tie}]
    }  # fmt: skip
    assert named.name not in reached


def situation(reads: int = 2, **given: Any) -> Situation:
    given = {"agreement": 0.9, "best_pair": 0.9, "wanted_reads": 2} | given
    return Situation(tuple(ReaderView(number) for number in range(reads)), **given)


def sure(posterior: float, *, reads: int = 2, calibrated: bool = True, **given: Any) -> tuple[str, str]:
    verdict = decide(situation(reads, posterior=posterior, posterior_is_calibrated=calibrated, **given), Policy())
    return verdict.outcome, verdict.rule


def test_readers_are_added_until_it_is_sure_enough_and_seven_are_in():
    assert sure(0.96) == ("accept", "sure-enough")
    assert sure(0.96, agreement=0.4) == ("accept", "sure-enough"), "two of three good readers may be enough"
    assert sure(0.96, model_similarity=0.1) == ("reviewer", "model-disagrees")
    assert sure(0.94) == ("more-readers", "not-sure-enough")
    assert sure(0.94, reads=6) == ("more-readers", "not-sure-enough")
    assert sure(0.94, reads=7) == ("reviewer", "still-not-sure")
    assert sure(0.60, agreement=0.4) == ("more-readers", "disagreement-not-sure")
    assert sure(0.60, reads=7, agreement=0.4) == ("reviewer", "readers-exhausted")


def test_without_calibration_two_and_one_read_decide_by_agreement():
    assert sure(0.60, calibrated=False) == ("accept", "agreement")
    assert sure(0.99, calibrated=False, agreement=0.4) == ("more-readers", "disagreement")
    assert sure(0.99, calibrated=False, reads=3, agreement=0.4) == ("reviewer", "readers-exhausted")
    unknown = decide(situation(agreement=0.4, posterior=None, posterior_is_calibrated=True), Policy())
    assert unknown.rule == "disagreement", "what is not known is not calibrated"


def test_a_rule_of_ones_own_decides_and_gives_its_reason():
    own = Rule("dark", "submission", (Condition("agreement", "below", 0.05, "slip_agreement"),), "maybe-ambiguous")
    policy = read_policy({"rules": rules_to_document([own, *Policy().rules])})
    verdict = decide(situation(agreement=0.52), policy)
    assert (verdict.outcome, verdict.rule) == ("maybe-ambiguous", "dark")
    assert verdict.reason == "Rule “dark”: the readers' mean similarity is below 0.55 (it is 0.52)."
    other = decide(situation(agreement=0.56), policy)
    why = next(entry.why_not for entry in other.alternatives if entry.outcome == "maybe-ambiguous")
    assert why == "Rule “dark” does not hold; it asks for: the readers' mean similarity is below 0.55 (it is 0.56)."


def test_an_occasion_of_which_no_rule_speaks_moves_nothing():
    assert decide(situation(trigger="gold", gold_failed=3), Policy()).outcome == "stay"
    expert = rule("to-an-expert", on="gold", when=[when("gold_failed", "at-least", 2)], action="reviewer")
    policy = read_policy({"rules": [expert, *rules_to_document(Policy().rules)]})
    assert decide(situation(trigger="gold", gold_failed=1), policy).outcome == "stay"
    assert decide(situation(trigger="gold", gold_failed=2), policy).rule == "to-an-expert"
