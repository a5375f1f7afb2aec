"""Tables of ratings: what a line means, what a wrong line gets, and what comes back from a written table."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelhub.formats.ratings_csv import read_ratings_csv, write_ratings_csv
from labelhub.formats.scores_csv import write_rows
from labelhub.formats.shapes import AnnotationSet, FormatError, ItemRecord, QuestionSpec, Reading


def read(text: str | bytes, **options) -> AnnotationSet:
    return read_ratings_csv({"r.csv": text.encode() if isinstance(text, str) else text}, **options)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(delimiter):
    rows = ["item,rater,category", "i1,ann,cat", "i1,ben,dog"]
    got = read("\n".join(rows).replace(",", delimiter))
    assert [(r.item, r.rater, dict(r.answers)) for r in got.readings] == [
        ("i1", "ann", {"category": "cat"}),
        ("i1", "ben", {"category": "dog"}),
    ]
    assert got.questions == (QuestionSpec("category", "nominal", ("cat", "dog")),)


def test_a_byte_order_mark_and_windows_lines_do_no_harm():
    got = read(b"\xef\xbb\xbfItem,Annotator,Label\r\ni1,ann,cat\r\n")
    assert got.readings[0].answers == {"category": "cat"}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("item,category", "rater"),
        ("rater,category", "item"),
        ("item,rater", "category"),
        ("item,rater,item,category", "item twice"),
        ("", "item, rater, category"),
    ],
)
def test_a_wrong_header_is_refused_with_its_line(header, says):
    with pytest.raises(FormatError) as refused:
        read(header + "\nx,y,z\n")
    assert refused.value.problem.place == "r.csv, line 1"
    assert says in refused.value.problem.message


def test_a_wrong_line_is_listed_with_its_number_and_the_rest_is_read():
    got = read("item,rater,category,value\ni1,ann,cat,\ni1,,dog,\ni2,ann\n\ni3,ann,,nan\ni4,ann,dog,\n")
    assert [r.item for r in got.readings] == ["i1", "i4"]
    assert [p.place for p in got.problems] == ["r.csv, line 3", "r.csv, line 4", "r.csv, line 6"]


def test_a_quote_that_never_ends_is_listed_and_what_came_before_is_kept():
    got = read('item,rater,category\ni1,ann,cat\ni2,ann,"dog\n')
    assert [r.item for r in got.readings] == ["i1"]
    assert "broken" in got.problems[0].message


def test_a_second_line_is_a_second_version_and_a_repeat():
    got = read("item,rater,category\ni1,ann,cat\ni1,ann,dog\n")
    assert [(r.version, r.read_kind, r.answers["category"]) for r in got.readings] == [
        (1, "unknown", "cat"),
        (2, "repeat", "dog"),
    ]
    assert any("later versions" in note for note in got.notes)


def test_an_empty_category_was_asked_and_not_answered():
    got = read("item,rater,category\ni1,ann,\n")
    assert got.readings[0].answers == {}
    assert got.readings[0].asked_questions == ("category",)
    assert not got.readings[0].is_empty_read


def test_numbers_are_names_unless_told_otherwise():
    text = "item,rater,category\ni1,ann,10\ni1,ben,9\n"
    assert read(text).questions[0] == QuestionSpec("category", "nominal", ("10", "9"))
    assert any("nominal" in note for note in read(text).notes)
    ordinal = read(text, measure="ordinal")
    assert ordinal.questions[0] == QuestionSpec("category", "ordinal", (9.0, 10.0))
    assert [r.answers["category"] for r in ordinal.readings] == [10.0, 9.0]
    assert read(text, measures={"category": "interval"}).questions[0].measure == "interval"


def test_names_cannot_be_an_interval():
    got = read("item,rater,category\ni1,ann,cat\n", measure="interval")
    assert "not every answer is a number" in got.problems[0].message


def test_a_value_column_is_an_interval():
    got = read("item,rater,question,value,patient\ni1,ann,size,3.5,p1\ni1,ben,size,4,p1\n")
    assert got.questions == (QuestionSpec("size", "interval"),)
    assert got.readings[0].answers == {"size": 3.5}
    assert (got.items[0].group, got.items[0].group_kind) == ("p1", "patient")


def test_an_item_of_two_patients_is_reported():
    got = read("item,rater,category,patient\ni1,ann,cat,p1\ni1,ben,cat,p2\n")
    assert "another patient" in got.problems[0].message


def test_one_table_a_rater_needs_no_rater_column():
    got = read_ratings_csv({"ann.csv": b"item,category\ni1,cat\n"}, raters={"ann.csv": "ann"})
    assert got.readings[0].rater == "ann"


@pytest.mark.parametrize("data", [b"\x00\x01\x02", b"\xff\xfeitem", b"PK\x03\x04\x00"])
def test_a_file_that_is_no_text_is_refused(data):
    with pytest.raises(FormatError):
        read(data)


words = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8
).filter(lambda w: w == w.strip())


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(words, words), st.dictionaries(words, words, min_size=1, max_size=3), min_size=1, max_size=6
    )
)
def test_answers_come_back_from_a_written_table(answers):
    readings = tuple(Reading(item, rater, answers=given) for (item, rater), given in answers.items())
    items = tuple(ItemRecord(item, item) for item in dict.fromkeys(r.item for r in readings))
    back = read_ratings_csv({"x.csv": write_ratings_csv(AnnotationSet("made", items, readings)).content})
    assert {(r.item, r.rater): dict(r.answers) for r in back.readings} == answers


def test_what_a_table_cannot_hold_is_counted():
    reading = Reading("i", "ann", answers={"q": ("a", "b"), "n": 2.5}, is_empty_read=True)
    written = write_ratings_csv(AnnotationSet("made", (ItemRecord("i", group="p", group_kind="patient"),), (reading,)))
    assert {loss.what: loss.count for loss in written.losses} == {"empty reads": 1, "answers of several choices": 1}
    assert written.content.decode().splitlines()[1:] == ["i,ann,q,a; b,,p,,,", "i,ann,n,,2.5,p,,,"]


def test_scores_are_written_with_every_column_and_no_formula():
    rows = [{"item": "=cmd()", "score": 0.1}, {"item": "+1", "why": "-x", "score": float("nan")}, {"score": -2}]
    text = write_rows(rows).decode()
    assert list(csv.reader(io.StringIO(text))) == [
        ["item", "score", "why"],
        ["'=cmd()", "0.1", ""],
        ["'+1", "", "'-x"],
        ["", "-2", ""],
    ]
    assert write_rows(rows) == write_rows(list(rows))
    assert write_rows([], columns=("a", "b")) == b"a,b\n"
