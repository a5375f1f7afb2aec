"""Small parts of the pages: numbers, ages, states, the builder's lines, sentences of the policy."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.http import QueryDict
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labelhub.jobs import registry
from labelhub.numerics.results import Estimate, undefined
from labelhub.projects.ontology import Ontology, OntologyProblem, Question, read_ontology
from labelhub.projects.policy import Policy
from labelhub.web.ontology_form import ontology_of_form
from labelhub.web.ontology_text import lines_of_questions, questions_of_lines
from labelhub.web.policy_words import WORDS, groups_of
from labelhub.web.templatetags import labelhub as tags
from labelhub.web.words import JOBS
from labelhub.workflow.bringing_models import IMPORT_KIND
from labelhub.workflow.training_models import TRAINING_KIND


def made(value: float, n: int = 46, **fields) -> Estimate:
    return Estimate(value, value - 0.05, value + 0.04, n, "items", "mean pairwise Dice", "1", **fields)


def test_a_number_shows_value_interval_and_n():
    shown = tags.estimate(made(0.87))
    assert ">0.87</span>" in shown
    assert "[0.82–0.91]" in shown
    assert "n=46" in shown
    assert "is-grey" not in shown
    assert 'tabindex="0"' in shown


def test_beside_a_coefficient_stands_the_word_claimed_with_its_meaning_on_focus():
    """Planted once and seen to fail: the word left out, and one shown beside a mean Dice."""
    alpha = Estimate(0.78, 0.6, 0.9, 46, "items", "Krippendorff's alpha (nominal)", "1", standard_error=0.02)
    shown = tags.estimate(alpha, href="/x")
    assert ">at least substantial</span>" in shown
    assert shown.count('tabindex="0"') == 1, "the number is a link, the word is reached by keyboard too"
    assert "Landis and Koch" in shown.rpartition("data-tip")[2]
    unsure = Estimate(0.3, -0.2, 0.8, 6, "items", "Cohen's kappa", "1", standard_error=0.3)
    assert ">no word claimed</span>" in tags.estimate(unsure)
    assert "claim" not in tags.estimate(made(0.87))


def test_a_number_below_the_minimum_is_grey_and_says_so():
    shown = tags.estimate(made(0.87, n=3))
    assert "is-grey" in shown
    assert "too few" in shown


def test_an_undefined_number_is_a_dash_with_its_reason():
    shown = tags.estimate(undefined("one rater only", n=0, unit="items", method="alpha", version="1"))
    assert ">–</span>" in shown
    assert "one rater only" in shown


def test_negative_and_tiny_numbers_are_written_for_people():
    assert "−0.13" in tags.estimate(made(-0.13))
    assert "−0.18 to −0.09" in tags.estimate(made(-0.13))
    assert tags.figure(-0.0001) == "0.00"
    assert tags.figure(math.nan) == "–"
    assert tags.figure(12345) == "12\u202f345"
    assert tags.figure(-12345.678) == "\u221212\u202f345.68"


def test_what_people_wrote_is_escaped_in_tips():
    assert "<script>" not in tags.estimate(made(0.5), definition="<script>")


def test_a_colour_that_is_none_is_drawn_grey():
    assert "#808080" in tags.swatch('red" onload="x')


def test_every_state_is_an_icon_and_a_word():
    for name in ("waiting", "settled", "running", "refused", "never-heard-of"):
        assert "<svg" in tags.state(name)
    assert "Never heard of" in tags.state("never-heard-of")


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "just now"), (300, "5 min ago"), (7200, "2 h ago"), (3 * 86400, "3 d ago")]
)
def test_ages_are_told_in_one_unit(seconds, words):
    assert words in tags.ago(timezone.now() - timedelta(seconds=seconds))


WORD = st.text(alphabet="abcdefghij XYZ", min_size=1, max_size=12).map(str.strip).filter(bool)


@st.composite
def questions(draw):
    texts = draw(st.lists(WORD, unique_by=lambda text: text.casefold().replace(" ", ""), min_size=1, max_size=4))
    found = []
    for text in texts:
        kind = draw(st.sampled_from(["choice", "choices", "text", "number", "boolean"]))
        has_choices = kind in {"choice", "choices"}
        choices = draw(st.lists(WORD, unique=True, min_size=2, max_size=4)) if has_choices else []
        measure = draw(st.sampled_from(["nominal", "ordinal"])) if kind == "choice" else "nominal"
        measure = "interval" if kind == "number" else measure
        found.append(
            Question(text.lower(), text, kind, tuple(choices), draw(st.booleans()), measure, draw(st.booleans()))
        )
    return found


@given(questions())
def test_questions_survive_the_builders_lines(asked):
    document = questions_of_lines(lines_of_questions(asked), asked)
    assert read_ontology({"questions": document}).questions == tuple(asked)


def test_a_line_is_the_question_that_the_builders_view_makes_of_it():
    """The same list is read by tests/js/question_lines.test.js."""
    listed = json.loads((Path(settings.BASE_DIR) / "tests/js/question_lines.json").read_text(encoding="utf-8"))
    for line, wanted in listed:
        [entry] = questions_of_lines(line)
        found = [entry["text"], entry["kind"], entry["is_required"], entry.get("presupposes_finding", False)]
        assert [*found, entry.get("choices", [])] == wanted, line


def test_a_new_question_gets_a_key_of_its_own():
    keys = [entry["key"] for entry in questions_of_lines("Edge: a | b\nEdge!: c | d\nEdge (text)")]
    assert len(set(keys)) == 3


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["1", "z"], "belongs to the labeling page (undo)"),
        (["B", ""], "belongs to the labeling page (brush)"),
        (["0", ""], "belongs to the labeling page (no finding)"),
        (["ä", "Ä"], "“Car” has the key"),
    ],
)
def test_a_key_that_the_page_or_another_class_has_is_refused_in_the_form(keys, told):
    post = QueryDict(mutable=True)
    columns = {"key": ["", ""], "name": ["Car", "Road"], "colour": ["#111111", "#222222"], "tool": ["box", "box"]}
    for name, cells in (columns | {"shortcut": keys, "attributes": ["", ""]}).items():
        post.setlist(name, cells)
    with pytest.raises(OntologyProblem) as refused:
        ontology_of_form(post, Ontology())
    assert told in str(refused.value)
    rows = [{"key": f"c{n}", "name": "C", "colour": "#111111", "tool": "box", "shortcut": keys[n]} for n in (0, 1)]
    assert len(read_ontology({"classes": rows}).classes) == 2, "what was stored before stays readable"


def test_every_rule_of_the_policy_has_its_sentence():
    told = {name for rules in WORDS.values() for name in rules}
    assert told == set(Policy().to_document()) - {"rules"}, "rules have sentences of their own"
    assert sum(len(rules) for rules in groups_of(Policy()).values()) == len(told)


def test_every_kind_of_job_has_a_name_for_people():
    # Kinds that other tests register are named after themselves.
    shown = {kind for kind in registry._handlers if not kind.startswith("test")}
    # What a worker of networks registers is known in a process that loaded them, and has a name in all.
    of_networks = {TRAINING_KIND, IMPORT_KIND}
    assert shown | of_networks == set(JOBS)
