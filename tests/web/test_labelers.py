"""The labelers' page: numbers with interval, n and their items; the gate's course; pausing by hand; what the paused see.

Planted and seen to fail: the raw share shown in place of the shrunk one, and the reason of a pause on the labeler's page.
"""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelhub.analytics.labeler_standings import standings_of
from labelhub.projects.models import Labeler
from labelhub.routing import gates
from labelhub.web.gate_chart import chart_of, rows_of
from tests.cast import Cast
from tests.routing.test_gate_trace import PLAN, SHORT, answers, course
from tests.workflow.test_pausing import SHORT as SHORT_POLICY
from tests.workflow.test_pausing import answer
from tests.workflow.walking import add_item, labeler, read, review, set_policy, store

SQUARE, OTHER = (10, 10, 20), (40, 40, 15)


@pytest.fixture
def crowd(cast: Cast) -> Cast:
    """Ann right on three of three, Ben wrong on his first two."""
    set_policy(cast, readers=2, max_readers=5, **SHORT_POLICY)
    answer(cast, cast.ann, "+++")
    answer(cast, cast.ben, "--")
    return cast


def page(as_, cast: Cast, user=None, name: str = "ada", query: str = ""):
    if user is None:
        return as_(name).get(reverse("manage-labelers", args=["cells"]) + query)
    return as_(name).get(reverse("manage-labeler", args=["cells", labeler(cast, user).pk]))


def row_of(html: str, name: str) -> str:
    return next(row for row in html.split("<tr>") if f">{name}</a>" in row)


def test_each_number_has_interval_n_and_leads_to_its_items(crowd: Cast, as_):
    html = page(as_, crowd).content.decode()
    ann, ben = row_of(html, "Ann"), row_of(html, "Ben")
    assert "Being tested" in ann
    assert "Pause proposed" in ben
    key = labeler(crowd, crowd.ann).pk
    assert f"labeler={key}&amp;gold=1" in ann
    assert re.search(r"1\.00</span> <span class=\"interval\">\[0\.\d\d–1\.00\]</span> <span class=\"n\">n=3", ann)
    assert "2 wrong" in ben
    assert "is-grey" in ann, "three gold answers are too few to act on"


def test_labelers_stand_by_name_and_are_compared_after_shrinkage(crowd: Cast):
    found = standings_of(crowd.project)
    assert [entry.labeler.name for entry in found.rows] == sorted(entry.labeler.name for entry in found.rows)
    by_name = {entry.labeler.name: entry for entry in found.rows}
    ann, ben = by_name["Ann"], by_name["Ben"]
    assert ann.gold.estimate.value == 1.0
    assert ann.shrunk.estimate.value == pytest.approx(3.5 / 4)
    assert ben.gold.estimate.value == 0.0
    assert ben.shrunk.estimate.value == pytest.approx(0.5 / 3)
    assert 0 < ben.better.estimate.value < 0.1 < ann.better.estimate.value
    assert ben.wrong == ben.gold.items
    assert not by_name["Rita"].gold.estimate.is_defined
    assert by_name["Rita"].gold.estimate.reason == "no gold items"


def test_first_passes_and_review_scores_are_counted_from_first_answers(cast: Cast):
    set_policy(cast, readers=2, max_readers=5)
    for n in range(3):
        item = add_item(cast.project, subject=f"p{n}")
        first = store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, SQUARE)
        if n == 0:
            review(first, cast.rita, "reject", "Too wide.", score=2)
        else:
            review(first, cast.rita, "accept", score=8)
    entry = next(entry for entry in standings_of(cast.project).rows if entry.labeler.name == "Ann")
    assert entry.first_pass.estimate.value == pytest.approx(2 / 3)
    assert entry.first_pass.estimate.n == 3
    assert (entry.review.estimate.value, entry.review.estimate.n) == (6.0, 3)
    assert entry.review.estimate.low < 6 < entry.review.estimate.high
    assert len(entry.review.items) == 3
    ben = next(entry for entry in standings_of(cast.project).rows if entry.labeler.name == "Ben")
    # The first item is back with Ann and so not decided yet.
    assert (ben.first_pass.estimate.value, ben.first_pass.estimate.n) == (1.0, 2)


def test_the_chart_and_the_table_hold_the_same_numbers():
    trace = course("++++--++")
    chart, rows = chart_of(trace), rows_of(trace)
    assert [part.says for part in chart.stretches] == ["cleared", "alarm", ""]
    assert sum(len(part.dots) for part in chart.stretches) == len(rows) == 8
    assert [row.height for row in rows] == [height for part in trace.segments for height in part.heights]
    assert rows[3].says == "cleared"
    assert rows[5].says == "alarm"
    assert rows[5].upper == SHORT.drift_limit
    assert rows[5].lower is None
    # A bound is drawn above what stays below it.
    assert all(dot.y > chart.stretches[0].y_upper for dot in chart.stretches[0].dots)
    assert chart_of(course("")) is None
    failed = rows_of(course("--+"))
    assert (failed[2].height, failed[2].stage) == (None, "after the test had failed")
    assert len(answers("+" * PLAN.longest)) == 140


def test_a_labeler_s_page_shows_course_facts_and_what_can_be_done(crowd: Cast, as_):
    html = page(as_, crowd, crowd.ben).content.decode()
    assert "Course of the gate over 2 gold answers" in html
    assert "A pause was proposed" in html
    assert "Decline and test again" in html
    assert html.count('class="cross"') == 2
    assert page(as_, crowd, crowd.rita).content.decode().count("No gold answer of theirs yet") == 1


def test_an_admin_pauses_and_resumes_with_a_reason(crowd: Cast, as_):
    ben = labeler(crowd, crowd.ben)
    place = reverse("manage-labeler-gate", args=["cells", ben.pk])
    answered = as_("ada").post(place, {"step": "pause", "reason": "Wrong side all the time."}, follow=True)
    assert "Ben is paused." in answered.content.decode()
    assert gates.is_paused(ben)
    html = page(as_, crowd, crowd.ben).content.decode()
    assert "Wrong side all the time." in html
    again = as_("ada").post(place, {"step": "pause", "reason": "Twice."}, follow=True).content.decode()
    assert "Nothing was changed" in again.replace("\n", " ")
    as_("ada").post(place, {"step": "resume", "reason": "We talked."})
    assert not gates.is_paused(ben)
    missing = as_("ada").post(place, {"step": "propose", "reason": " "}, follow=True).content.decode()
    assert "Say why" in missing
    assert as_("ada").post(place, {"step": "promote"}).status_code == 400


def test_nobody_else_pauses_anybody(crowd: Cast, as_):
    place = reverse("manage-labeler-gate", args=["cells", labeler(crowd, crowd.ben).pk])
    for name, status in (("ann", 403), ("rita", 403), ("otto", 404)):
        assert as_(name).post(place, {"step": "pause", "reason": "I say so."}).status_code == status
    elsewhere = Labeler.objects.filter(project=crowd.other_project).first()
    foreign = reverse("manage-labeler-gate", args=["cells", elsewhere.pk])
    assert as_("ada").post(foreign, {"step": "pause", "reason": "x"}).status_code == 404
    assert not gates.is_paused(labeler(crowd, crowd.ben))


def test_a_paused_labeler_is_told_so_and_nothing_of_why(crowd: Cast, as_):
    assert "Not paused" in as_("ben").get("/label/me/?project=cells").content.decode()
    place = reverse("manage-labeler-gate", args=["cells", labeler(crowd, crowd.ben).pk])
    as_("ada").post(place, {"step": "pause", "reason": "Misses the left kidney on gold."})
    for answered in (
        as_("ben").get("/label/?project=cells"), as_("ben").get("/label/me/?project=cells"),
        as_("ben").post("/label/next/", {"project": "cells"}, follow=True), as_("ben").post("/api/v1/projects/cells/next/"),
    ):  # fmt: skip
        text = answered.content.decode()
        assert "paused" in text.lower()
        assert "kidney" not in text
        assert "gold" not in text.lower()
    assert as_("ben").post("/api/v1/projects/cells/next/").json()["code"] == "labeler-paused"


def test_a_proposed_pause_changes_nothing_for_the_labeler(crowd: Cast, as_):
    """Two worlds: Ben whose pause is proposed receives what Ann, who is cleared or tested, receives."""
    assert gates.state_of(labeler(crowd, crowd.ben)) == "proposed"
    # The map of our scripts is the same on every page; one of them has a name like it.
    personal = r"(?s)<script type=\"importmap\".*?</script>|nonce=\"[^\"]+\"|value=\"[^\"]{20,}\"|\bBen\b|\bAnn\b"
    pages = [re.sub(personal, "", as_(name).get("/label/me/").content.decode()) for name in ("ben", "rita")]
    assert "Not paused" in pages[0]
    assert "propos" not in pages[0].lower()
    assert "propos" not in pages[1].lower()


def test_a_submit_that_is_followed_by_a_pause_still_succeeds(cast: Cast, as_):
    set_policy(cast, readers=2, pause_without_asking=True, **SHORT_POLICY)
    answer(cast, cast.ann, "-")
    item = add_item(cast.project)
    store(cast, item, cast.ada, SQUARE, is_gold=True)
    submission = read(cast, cast.ann, OTHER)
    assert submission.pk
    assert gates.is_paused(labeler(cast, cast.ann))


def test_the_list_is_a_file_too(crowd: Cast, as_):
    rows = b"".join(page(as_, crowd, query="?format=csv").streaming_content).decode().splitlines()
    assert any(row.startswith("Ann,gold and reviews,gold accuracy,1.0") for row in rows)
    assert any(row.startswith("Ben,gate,proposed") for row in rows)


def test_the_list_takes_few_queries_however_many_labelers(crowd: Cast, as_):
    client = as_("ada")
    cache.clear()
    address = reverse("manage-labelers", args=["cells"])
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as caught:
        client.get(address)
    assert len(caught) <= 12, [query["sql"][:120] for query in caught]
