"""Outlines corrected by gold: better than the majority where it is off, switched off where it is not; in short.

The full run is ``manage.py simulate --fusion --seeds 20``. Planted: a rule that is always on fails the second test, one that is
never on the first.
"""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.core.management import call_command

from labelhub.config.simulation.fusion import SCENARIOS, compare_fusion
from labelhub.config.simulation.fusion_report import FIELDS, fusion_lines, fusion_page


def played(name: str):
    scenario = next(one for one in SCENARIOS if one.name == name)
    return compare_fusion([scenario], range(4), items=2)[0]


def test_where_the_majority_is_off_the_correction_is_on_and_beats_it():
    found = played("three of five draw 4 px too large")
    assert [one.is_on for one in found.projects] == [True] * 4
    assert found.gain().low > 0.02
    assert all(one.gold_fused > one.gold_majority for one in found.projects)


@pytest.mark.parametrize("name", ["nobody is off", "nobody is off, some are ragged"])
def test_where_nobody_is_off_the_correction_is_off_and_nothing_changes(name):
    found = played(name)
    assert [one.is_on for one in found.projects] == [False] * 4
    assert "no rater's offset differs from 0" in found.projects[0].reason
    assert found.gain().value == 0.0
    # What is switched off would not have been the majority's: the rule has something to decide.
    assert all(one.always != one.majority for one in found.projects)


def test_the_report_says_how_often_how_much_and_why(tmp_path):
    out = StringIO()
    call_command("simulate", "--fusion", "--seeds", "2", "--short", "--out", str(tmp_path), stdout=out)
    assert "correction on in 2 of 2 projects [" in out.getvalue()
    page = (tmp_path / "fusion.html").read_text()
    assert "95 % t intervals over projects" in page
    assert "with each patient&#x27;s gold left out the Dice is" in page
    assert page.count("<table") == 1 + len(SCENARIOS)
    assert "&lt;" not in page
    rows = list(csv.DictReader((tmp_path / "fusion.csv").open()))
    assert tuple(rows[0]) == FIELDS
    assert len(rows) == 2 * len(SCENARIOS)
    assert fusion_page([], "nothing") != page
    assert len(fusion_lines(played("nobody is off"))) == 2
