"""How sure an item is and which label it gets speak of the same label; else a reviewer decides.

Planted and seen to fail: the check in ``policy_rules.decide`` taken out (the item is settled with the less likely label);
``doubts`` of objects, of answers and of empty items left out of ``merge`` one by one.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.consensus.merge import merge_readings
from labelhub.consensus.methods import weigh
from labelhub.consensus.selectors import current_settlement
from labelhub.formats.shapes import QuestionSpec, Reading
from labelhub.routing.policy_rules import LIKELIER_OTHERWISE
from labelhub.routing.selectors import current_route
from labelhub.scoring.compare import Terms
from labelhub.scoring.evidence import FINDING, OBJECTS, category_of, units_of
from labelhub.scoring.models import TruthFit
from labelhub.scoring.posteriors import Fits, Judged, posterior_of
from labelhub.scoring.truth_fit import TopicFit, belief
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, rule, set_policy, state, store

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)
# Of raters who mark "nucleus" nearly as often where nothing is: two of them together do not outweigh that it is rare.
OVERCALLERS = {"prevalence": (0.98, 0.01, 0.01), "table": ((0.05, 0.9, 0.05), (0.02, 0.96, 0.02), (0.02, 0.02, 0.96))}
TERMS = Terms(labels=(), pooled=frozenset(), questions=(QuestionSpec("quality", "nominal", ("a", "b", "c")),))
ANSWERS = ("str:a", "str:b", "str:c")


def keep_fit(cast: Cast, topic: str, categories: tuple[str, ...], prevalence, table, *people) -> None:
    """Let an estimate of the project's raters stand in which all have this table, with enough known answers."""
    confusion = {str(labeler(cast, person).pk): table for person in people}
    fit = TopicFit(topic, categories, prevalence, table, confusion, chosen="hierarchical Dawid–Skene", why="planted",
                   n_units=500, n_answers=1000, n_known=200)  # fmt: skip
    TruthFit.objects.create(
        project=cast.project, topic=topic, parameters=fit.to_document(), chosen=fit.chosen, why=fit.why, n_units=500,
        n_answers=1000, n_known=200, method="planted", method_version="1",
    )  # fmt: skip


@pytest.fixture
def overcalled(cast: Cast) -> Cast:
    set_policy(cast, readers=2, max_readers=5, calibration_items=100)
    return cast


@pytest.mark.django_db
def test_readers_who_agree_on_what_is_unlikely_go_to_a_reviewer_with_that_reason(overcalled: Cast):
    cast = overcalled
    keep_fit(
        cast, OBJECTS, ("", "nucleus", "lesion"), OVERCALLERS["prevalence"], OVERCALLERS["table"], cast.ann, cast.ben
    )
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, ALIKE)
    route = current_route(item)
    assert route is not None
    assert (state(item), rule(item)) == ("review", LIKELIER_OTHERWISE)
    assert "object nucleus: there, but not there is likelier" in route.reason
    assert route.numbers["doubt"]
    assert [entry["outcome"] for entry in route.alternatives] == ["accept"]
    assert current_settlement(item) is None


@pytest.mark.django_db
def test_an_empty_item_of_which_marks_are_likelier_is_not_accepted_as_empty(overcalled: Cast):
    cast = overcalled
    overlook = ((0.5, 0.5), (0.45, 0.55))
    keep_fit(cast, FINDING, ("none", "some"), (0.01, 0.99), overlook, cast.ann, cast.ben)
    item = add_item(cast.project)
    store(cast, item, cast.ann)
    store(cast, item, cast.ben)
    assert posterior_of(item).value is not None
    assert (state(item), rule(item)) == ("review", LIKELIER_OTHERWISE)


@pytest.mark.django_db
def test_readers_who_agree_on_what_is_likely_are_accepted_as_before(overcalled: Cast):
    cast = overcalled
    careful = ((0.96, 0.02, 0.02), (0.02, 0.96, 0.02), (0.02, 0.02, 0.96))
    keep_fit(cast, OBJECTS, ("", "nucleus", "lesion"), (0.4, 0.3, 0.3), careful, cast.ann, cast.ben)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, ALIKE)
    route = current_route(item)
    assert state(item) == "settled"
    assert route is not None
    assert "doubt" not in route.numbers


@pytest.mark.django_db
def test_an_estimate_that_nobody_relies_on_raises_no_doubt(overcalled: Cast):
    """Raters told apart by 12 units and no gold move no label, and stop none either."""
    cast = overcalled
    keep_fit(
        cast, OBJECTS, ("", "nucleus", "lesion"), OVERCALLERS["prevalence"], OVERCALLERS["table"], cast.ann, cast.ben
    )
    TruthFit.objects.update(parameters=TruthFit.objects.get().parameters | {"n_units": 12, "n_known": 0})
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    store(cast, item, cast.ben, ALIKE)
    assert (state(item), rule(item)) == ("settled", "agreement")


@pytest.mark.django_db
def test_three_readers_are_settled_by_the_likelier_label_itself(overcalled: Cast):
    """From three readings on truth inference settles, so that both are one and there is no doubt."""
    cast = overcalled
    set_policy(cast, readers=3, max_readers=5, calibration_items=100, accept_agreement=0.7)
    cleo = new_annotator(cast, "Cleo")
    never_missed = ((0.7, 0.2, 0.1), (0.0005, 0.98, 0.0195), (0.02, 0.02, 0.96))
    keep_fit(cast, OBJECTS, ("", "nucleus", "lesion"), (0.5, 0.45, 0.05), never_missed, cast.ann, cast.ben, cleo)
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE, OTHER)
    store(cast, item, cast.ben, ALIKE, OTHER)
    store(cast, item, cleo, SQUARE)
    settlement = current_settlement(item)
    assert settlement is not None
    assert settlement.differences, "settled against the vote by what is likelier"
    assert rule(item) == "agreement"


@st.composite
def crowds(draw):
    """An estimate of up to five raters with any confusions, and their answers to one question."""
    shares = st.lists(st.floats(0.02, 1), min_size=3, max_size=3)

    def row() -> tuple[float, ...]:
        values = draw(shares)
        return tuple(value / sum(values) for value in values)

    said = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
    tables = {str(number): (row(), row(), row()) for number in range(len(said))}
    chosen = draw(st.sampled_from(["hierarchical Dawid–Skene", "one-coin"]))
    counts = {"n_units": draw(st.sampled_from([12, 200])), "n_known": draw(st.sampled_from([0, 200]))}
    return TopicFit("question:quality", ANSWERS, row(), tables["0"], tables, chosen=chosen, why="drawn", **counts), said


@given(crowds(), st.floats(0.5, 0.99))
@settings(max_examples=200, deadline=None)
def test_without_tie_and_doubt_the_settled_answer_is_the_one_that_the_posterior_speaks_of(crowd, least):
    fit, said = crowd
    readings = [Reading("item", str(n), answers={"quality": answer}) for n, answer in enumerate(said)]
    (unit,) = [unit for unit in units_of(readings, terms=TERMS) if unit.topic == fit.topic]
    believed = belief(fit, unit.to_document(range(len(said)))["given"])
    judged = Judged((unit,), (believed,), Fits({fit.topic: fit}))
    weights = weigh(judged, range(len(said)), least_confidence=least, calibration_items=100)
    merged = merge_readings(readings, terms=TERMS, weights=weights)
    is_relied_on = fit.n_known >= 100 or fit.n_units >= 30
    if merged.ties or merged.doubt or not is_relied_on:
        return
    assert believed.winner in (None, category_of(merged.answers["quality"]))
