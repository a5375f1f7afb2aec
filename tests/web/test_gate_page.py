"""The gate's certificate page: what it promises, that it refuses without gold, and that nobody but admins sees it."""

from __future__ import annotations

from django.urls import reverse

from labelhub.projects.policy import Policy
from labelhub.routing import gate_certificate
from labelhub.routing.gate_certificate import Supply


def page(as_, name="ada", query=""):
    return as_(name).get(reverse("manage-gate", args=["cells"]) + query)


def test_without_gold_the_page_says_how_much_is_missing_and_where_to_make_it(world, as_):
    html = page(as_).content.decode()
    assert "Not certified." in html
    assert "140 gold items are missing" in html
    assert "Gold is made on an item" in html


def test_with_gold_the_page_states_rates_with_interval_n_and_method(world, as_, monkeypatch):
    monkeypatch.setattr(gate_certificate, "planned_gold", lambda project: (400, 400))
    html = page(as_).content.decode()
    assert "Certified over 200 planned gold items." in html
    assert "n=5000" in html
    assert "exact, by counting paths" in html
    assert "Fewer than 8 of the last 10 right" in html
    assert "is paused by one test in 0.8%" in html
    # Good comes from the policy where no reference reader read gold, and the page says which.
    assert "reference readers gave 0 gold answers of the 20" in html


def test_the_numbers_are_a_file_too(world, as_, monkeypatch):
    monkeypatch.setattr(gate_certificate, "planned_gold", lambda project: (400, 400))
    rows = b"".join(page(as_, query="?format=csv").streaming_content).decode().splitlines()
    assert rows[0].endswith("what,labeler,right_on,value,low,high,n,unit,method")
    assert any(row.startswith("One test pauses,good,0.9,0.00") for row in rows)
    assert len(rows) == 1 + 11 * 3 - 4


def test_only_admins_see_it(world, as_):
    assert [page(as_, name).status_code for name in ("ann", "rita", "otto")] == [403, 403, 404]


def test_the_supply_of_one_labeler_is_not_divided_by_none():
    assert Supply(3, 3, 0, 15).reachable == 3
    assert Policy().exam_items == 0
