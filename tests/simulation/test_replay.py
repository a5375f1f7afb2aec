"""Replay of recorded crowds: only answers that exist, every form that is read, every refusal.

Planted once and seen to fail: ``exists`` left out of what may be asked.
"""

from __future__ import annotations

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labelhub.config.simulation import replay as replaying
from labelhub.config.simulation.recorded import CrowdProblem, read_crowd
from labelhub.config.simulation.replay import MAJORITY, WAYS, WHOM_TOO, replay
from tests.realdata import real

LINES = ["item,rater,category,truth"] + [
    f"{item},{rater},{'yes' if (item + (rater == 3)) % 2 else 'no'},{'yes' if item % 2 else 'no'}"
    for item in range(20)
    for rater in range(4)
    if (item + rater) % 4
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def test_only_answers_that_exist_are_asked(table, monkeypatch):
    crowd = read_crowd(table)
    seen = []
    original = replaying._answers

    def watched(crowd, asked):
        seen.append((crowd.given[asked] >= 0).all())
        return original(crowd, asked)

    monkeypatch.setattr(replaying, "_answers", watched)
    found = replay(crowd, n_orders=2, most=5)
    assert all(seen)
    assert found.spent[WHOM_TOO].max() <= crowd.n_answers / 20
    assert all(((found.accuracy[way] >= 0) & (found.accuracy[way] <= 1)).all() for way in WAYS)


def test_the_same_orders_give_the_same_curves(table):
    crowd = read_crowd(table)
    first, second = replay(crowd, n_orders=2, most=2), replay(crowd, n_orders=2, most=2)
    assert all((first.accuracy[way] == second.accuracy[way]).all() for way in WAYS)


def test_a_table_is_read_with_its_truth(table):
    crowd = read_crowd(table)
    assert crowd.given.shape == (20, 4)
    assert crowd.categories == ("no", "yes")
    assert np.isnan(crowd.truth).sum() == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("item,rater\n1,2\n", "lacks the columns category"),
        ("item,rater,category\n1,2,a\n1,3,b\n", "states no truth"),
        ("item,rater,category,truth\n1,2,a,a\n", "single category"),
        ("item,rater,category,truth\n", "holds no answer"),
    ],
)
def test_what_cannot_be_replayed_says_why(tmp_path, text, reason):
    path = tmp_path / "odd.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrowdProblem, match=reason):
        read_crowd(path)


def test_a_folder_or_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(CrowdProblem, match="no recorded crowd that is known"):
        read_crowd(tmp_path)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("replay", str(tmp_path / "nothing.csv"))


def test_the_command_shows_curves_and_writes_them(table, tmp_path, capsys):
    call_command("replay", str(table), orders=2, most=2, out=tmp_path / "curves.csv")
    shown = capsys.readouterr().out
    assert "20 items, 4 raters" in shown
    assert "adaptive, whom too at 2" in shown
    assert len((tmp_path / "curves.csv").read_text(encoding="utf-8").splitlines()) == 1 + len(WAYS) * 2 * 2


def test_recorded_crowds_of_others_are_read():
    birds = read_crowd(real("crowd/bluebirds_welinder"))
    assert birds.given.shape == (108, 39)
    assert (birds.given >= 0).all()
    # Majority vote of all 39: 75.93 % (methods 3.1).
    assert replaying._fixed(birds, birds.given >= 0)[MAJORITY] == pytest.approx(0.7593, abs=5e-4)
    assert read_crowd(real("crowd/gal_barzanmozafari")).n_answers > 4000
    with pytest.raises(CrowdProblem, match="rankings of readers without names"):
        read_crowd(real("crowd/dermatology_ddx"))
