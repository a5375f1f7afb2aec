"""`manage.py study`: everything in short, the same again from the same seeds, and pages that hold all they show.

Planted once and seen to fail: a study without the section on what it does not show; an unseeded draw; a plot with a name
that is not escaped; processes that begin without the apps.
"""

from __future__ import annotations

import csv
from io import StringIO

import numpy as np
import pytest
from defusedxml import ElementTree
from django.core.management import CommandError, call_command

from labelhub.config.study import quality
from labelhub.config.study.plots import Axis, Series, axis_over, contour_map, line_plot
from labelhub.config.study.report import Sheet, Study, in_words, numbers, study_page, with_interval, write_study
from labelhub.config.study.running import Plan, in_parts
from labelhub.numerics.results import Estimate

# No database is asked.
pytestmark = pytest.mark.once

FILES = {
    "dial": {"dial.html", "dial.csv"},
    "learning": {"learning.html", "learning.csv", "learning-curves.csv"},
    "quality": {"quality.html", "quality.csv", "quality-break-even.csv", "quality-repeats.csv"},
    "errors": {"errors.html", "errors.csv"},
}


def study(name, folder, **options):
    out, told = StringIO(), StringIO()
    options = {"seeds": 2, "short": True, "workers": 1, "volumes": folder / "none", **options}
    call_command("study", name, out=folder, stdout=out, stderr=told, **options)
    return out.getvalue(), told.getvalue()


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    return folder, *study("all", folder)


def test_all_studies_write_their_pages_and_tables(everything):
    folder, out, told = everything
    assert {path.name for path in folder.iterdir()} == set().union(*FILES.values())
    assert out.count("written: ") == len(FILES)
    assert "left out: organs of a torso" in out
    assert "learning 1/16: structures in pictures, seed 0, by lot with foreground" in told
    for name, files in FILES.items():
        page = (folder / f"{name}.html").read_text()
        assert f"manage.py study {name} --seeds 2 --short" in page
        assert "What this does not show" in page
        assert "its numbers are no result" in page
        assert "<svg" in page
        assert "http" not in page.replace("http-equiv", ""), "nothing is loaded from anywhere"
        for file in files - {f"{name}.html"}:
            rows = list(csv.DictReader((folder / file).open()))
            assert rows
            assert None not in rows[0]


def test_the_same_seeds_give_the_same_tables(everything, tmp_path):
    folder, *_ = everything
    for name in ("quality", "errors"):
        study(name, tmp_path)
        for file in FILES[name]:
            assert (tmp_path / file).read_bytes() == (folder / file).read_bytes(), file


def test_two_processes_give_what_one_gives():
    plan = Plan((0, 1), is_short=True, workers=2)
    one, two = (quality.run(Plan((0, 1), is_short=True, workers=n)) for n in (1, plan.workers))
    assert one == two


def test_one_seed_has_values_and_no_intervals(tmp_path):
    for name in ("learning", "quality"):
        out, _ = study(name, tmp_path, seeds=1)
        assert "written: " in out
    assert {row["low"] for row in csv.DictReader((tmp_path / "learning.csv").open())} == {""}


def test_numbers_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(CommandError, match="at least 1"):
        study("quality", tmp_path, seeds=0)


def test_flips_are_cured_by_more_labels_and_the_rest_is_not():
    """The planted effect of the study on quality, on its short sizes."""
    study_ = quality.run(Plan(tuple(range(4)), is_short=True))
    rows = {(row[0], row[1], row[2]): row[3] for row in study_.sheets["quality"].rows}
    assert rows["flips", 0.2, 600] > rows["flips", 0.2, 60] + 0.03
    assert rows["flips", 0.2, 600] > rows["confusion", 0.2, 600] + 0.03
    assert rows["flips", 0.2, 600] > rows["boundary", 0.2, 600] + 0.02
    # Without wrong labels the three kinds are one.
    assert len({round(float(rows[noise, 0.0, 600]), 2) for noise in quality.NOISES}) == 1
    crossings = {row[:3]: row[3] for row in study_.sheets["quality-break-even"].rows}
    assert crossings["flips", 10.0, 100] > 2 * crossings["boundary", 10.0, 100]


@pytest.mark.parametrize(
    ("rate", "repeats", "wrong"), [(0.2, 1, 0.2), (0.2, 3, 0.104), (0.3, 5, 0.16308), (0.5, 3, 0.5)]
)
def test_the_majority_is_wrong_as_often_as_binomials_say(rate, repeats, wrong):
    assert quality.majority_rate(rate, repeats) == pytest.approx(wrong)


def test_parts_are_told_in_their_order():
    heard = []
    plan = Plan(told=lambda done, total, words: heard.append((done, total, words)))
    assert in_parts(lambda part: part * 2, [3, 1, 2], plan, str) == [6, 2, 4]
    assert heard == [(1, 3, "3"), (2, 3, "1"), (3, 3, "2")]


def test_plots_are_well_formed_and_escape_names():
    lines = [Series("a <b>", [1, 2, 3], [0.1, float("nan"), 0.3], [0.0, 0.1, 0.2], [0.2, float("inf"), 0.4])]
    svg = line_plot(
        lines, Axis("x & y", 1, 3), axis_over("share", [0.1, 0.3]), marks=((0.2, "half <"),), title='a "plot"'
    )
    root = ElementTree.fromstring(svg)
    texts = [node.text for node in root.iter() if node.tag == "text"]
    assert {"a <b>", "x & y", "half <"} <= set(texts)
    assert sum(node.tag == "circle" for node in root.iter()) == 2
    values = np.array([[0.6, 0.7, 0.8], [0.7, 0.8, 0.9]])
    drawn = contour_map(values, [10, 100, 1000], [0.8, 1.0], x_label="labels", y_label="right", levels=[0.75],
                        points=[(100, 0.9, "here")], title="map")  # fmt: skip
    root = ElementTree.fromstring(drawn)
    assert {"1,000", "0.900", "here", "0.750"} <= {node.text for node in root.iter() if node.tag == "text"}
    circle = next(node for node in root.iter() if node.tag == "circle")
    rects = [node for node in root.iter() if node.tag == "rect"]
    wide = float(rects[0].get("width"))
    assert float(circle.get("cx")) == pytest.approx(float(rects[0].get("x")) + 1.5 * wide, abs=0.2)
    assert contour_map(values[:1], [1, 2, 3], [1], x_label="", y_label="", levels=[0.65])


def test_axes_have_round_ticks():
    assert Axis("", 0, 10).ticks() == [0, 2, 4, 6, 8, 10]
    assert Axis("", 0.5, 12, is_log=True).ticks() == pytest.approx([0.5, 1, 2, 5, 10])
    assert Axis("", 1, 100, is_log=True).at(10) == 0.5
    flat = axis_over("", [3.0, 3.0])
    assert flat.least < 3 < flat.most
    assert axis_over("", []).most > axis_over("", []).least
    assert axis_over("", [5.0], is_log=True).least == 2.5


def test_a_page_says_its_findings_and_what_was_left_out(tmp_path):
    made = Study(
        "n", "T & t", "s", ("found <it>",), (), ("all else",), {"n": Sheet(("a",), ((1.23456789,), ("x",)))}, ("gone",)
    )
    page = study_page(made, "cmd", is_short=False)
    assert "found &lt;it&gt;" in page
    assert "no result" not in page
    assert "What was left out" in page
    paths = write_study(made, tmp_path / "deep" / "er", "cmd", is_short=True)
    assert [path.name for path in paths] == ["n.html", "n.csv"]
    assert paths[1].read_text() == "a\n1.23457\nx\n"


def test_numbers_in_words():
    known = Estimate(0.5, 0.4, 0.6, 7, "seeds", "m", "1")
    assert with_interval(known, "{:.0%}") == "50% [40% to 60%] (n=7)"
    nan = float("nan")
    assert with_interval(Estimate(0.5, nan, nan, 1, "seeds", "m", "1")) == "0.50 (n=1)"
    assert with_interval(Estimate(nan, nan, nan, 0, "seeds", "m", "1", reason="none")) == "undefined: none"
    assert numbers(Estimate(0.5, nan, nan, 1, "seeds", "m", "1")) == (0.5, "", "", 1)
    assert [in_words(names) for names in ([], ["a"], ["a", "b", "c"])] == ["none", "a", "a, b and c"]
