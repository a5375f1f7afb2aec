"""From each number of the labelers' page to the items behind it, and the gate's values in its file.

Planted and seen to fail: first passes that lead to all that was submitted, pauses and times that lead nowhere, gold answers
after the resumption among those of the pause before it, and a file that says of the gate only how it stands.
"""

from __future__ import annotations

import csv
import re
from html import unescape

import pytest
from django.urls import reverse

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Team, TeamMember
from labelhub.reviews.desk_time import beat_at_desk
from labelhub.workflow import lifecycle, pausing
from tests.cast import Cast
from tests.web.test_labelers import row_of
from tests.workflow.test_pausing import SHORT, answer
from tests.workflow.walking import add_item, labeler, read, review, set_policy, store, take

SQUARE = (10, 10, 20)


def page(as_, query: str = "") -> str:
    return as_("ada").get(reverse("manage-labelers", args=["cells"]) + query).content.decode()


def link_of(row: str, says: str) -> str:
    """The address of the link whose text matches ``says``."""
    links = re.findall(r"<a\b[^>]*?href=\"([^\"]+)\"[^>]*>(.*?)</a>", row, re.DOTALL)
    return unescape(next(href for href, inner in links if re.search(says, re.sub(r"<[^>]+>", "", inner))))


def part_of(row: str, part: str) -> str:
    """The address of the link to the items behind that part of the labeler's work."""
    return unescape(next(href for href in re.findall(r"href=\"([^\"]+)\"", row) if href.endswith(part)))


def opened(as_, address: str) -> set[str]:
    """The codes of the items that the address lists."""
    joined = "&" if "?" in address else "?"
    answered = as_("ada").get(f"{address}{joined}format=csv")
    assert answered.status_code == 200
    assert as_("ada").get(address).status_code == 200
    lines = b"".join(answered.streaming_content).decode("utf-8-sig").splitlines()
    return {row["item"] for row in csv.DictReader(lines)}


@pytest.fixture
def decided(cast: Cast) -> list[Item]:
    """Four items that Ann read: one rejected, two accepted, and one that waits for a second reader."""
    set_policy(cast, readers=2, max_readers=5)
    items = [add_item(cast.project, subject=f"p{n}", seed=n) for n in range(4)]
    for n, item in enumerate(items[:3]):
        first = store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, SQUARE)
        if n == 0:
            review(first, cast.rita, "reject", "Too wide.", score=2)
        else:
            review(first, cast.rita, "accept", score=8)
    store(cast, items[3], cast.ann, SQUARE)
    return items


def test_first_passes_lead_to_the_readings_that_count_in_them(decided: list[Item], cast: Cast, as_):
    ann, ben = (row_of(page(as_), name) for name in ("Ann", "Ben"))
    assert opened(as_, part_of(ann, "first-pass")) == {item.code for item in decided[:3]}
    assert opened(as_, part_of(ben, "first-pass")) == {item.code for item in decided[1:3]}
    made = opened(as_, part_of(ann, "made"))
    assert made > {item.code for item in decided[:3]}, "also what is not decided"
    assert len(made) == Submission.objects.filter(assignment__labeler__user=cast.ann).count()
    single = as_("ada").get(reverse("manage-labeler", args=["cells", labeler(cast, cast.ann).pk])).content.decode()
    assert part_of(single, "first-pass") == part_of(ann, "first-pass")


def test_times_lead_to_the_items_on_which_they_passed(decided: list[Item], cast: Cast, as_):
    timed = Submission.objects.filter(assignment__labeler__user=cast.ann, assignment__item=decided[0])
    timed.update(active_s=30.0)
    beat_at_desk(item=decided[2], by=cast.rita)
    html = page(as_)
    assert opened(as_, link_of(row_of(html, "Ann"), r"30 s\s+n=1")) == {decided[0].code}
    assert opened(as_, link_of(row_of(html, "Rita"), r"review .*n=1")) == {decided[2].code}


def test_rework_skipped_and_ended_work_lead_to_their_items(cast: Cast, as_):
    set_policy(cast, readers=1)
    add_item(cast.project)
    first = read(cast, cast.ann, SQUARE)
    review(first, cast.rita, "reject", "Too wide.")
    again = read(cast, cast.ann, (12, 12, 18))
    Submission.objects.filter(pk=again.pk).update(active_s=12.0)
    add_item(cast.project, seed=1)
    skipped = take(cast, cast.ann)
    lifecycle.skip(assignment=skipped, reason="dark")
    row = row_of(page(as_), "Ann")
    assert opened(as_, link_of(row, "^rework")) == {first.assignment.item.code}
    assert opened(as_, link_of(row, "^1 skipped")) == {skipped.item.code}


def test_pauses_lead_to_the_gold_that_they_looked_back_on(cast: Cast, as_):
    set_policy(cast, readers=2, max_readers=5, **SHORT)
    before = answer(cast, cast.ben, "--")
    ben = labeler(cast, cast.ben)
    pausing.pause(labeler=ben, by=cast.ada, reason="Wrong side.")
    row = row_of(page(as_), "Ben")
    assert opened(as_, link_of(row, "^1 pause$")) == {item.code for item in before}
    pausing.resume(labeler=ben, by=cast.ada, reason="We talked.")
    after = answer(cast, cast.ben, "+")
    row = row_of(page(as_), "Ben")
    assert opened(as_, link_of(row, "^1 pause$")) == {item.code for item in before}
    assert opened(as_, link_of(row, "^test ")) == {item.code for item in after}
    pausing.pause(labeler=labeler(cast, cast.rita), by=cast.ada, reason="Away.")
    assert link_of(row_of(page(as_), "Rita"), "^1 pause$").endswith("#gate"), "no gold: what was said of the pause"


def test_what_a_team_s_page_links_to_is_there(decided: list[Item], cast: Cast, as_):
    team = Team.objects.create(project=cast.project, name="Night")
    TeamMember.objects.create(team=team, labeler=labeler(cast, cast.ann))
    html = page(as_, f"?team={team.pk}")
    assert ">Ben</a>" not in html
    assert opened(as_, part_of(row_of(html, "Ann"), "first-pass")) == {item.code for item in decided[:3]}


def test_nobody_opens_the_work_of_another_project_s_labeler(decided: list[Item], cast: Cast, as_):
    elsewhere = Labeler.objects.filter(project=cast.other_project).first()
    address = reverse("manage-items", args=["cells"])
    assert as_("ada").get(f"{address}?of=labeler-{elsewhere.pk}.made").status_code == 400
    own = f"{address}?of=labeler-{labeler(cast, cast.ann).pk}.made"
    assert [as_(name).get(own).status_code for name in ("ann", "rita", "otto")] == [403, 403, 404]


def test_the_file_holds_the_values_of_test_and_watch_and_when_a_pause_began(cast: Cast, as_):
    set_policy(cast, readers=2, max_readers=5, **SHORT)
    answer(cast, cast.ann, "++++-")
    answer(cast, cast.ben, "--")
    pausing.pause(labeler=labeler(cast, cast.ben), by=cast.ada, reason="Wrong side.")
    streamed = as_("ada").get(reverse("manage-labelers", args=["cells"]) + "?format=csv").streaming_content
    rows = csv.DictReader(b"".join(streamed).decode("utf-8-sig").splitlines())
    gate = {(row["labeler"], row["number"]): row["value"] for row in rows if row["against"] in ("gate", "work")}
    # Wald's bounds of 5 % and 10 %, and the steps of right and wrong answers where 95 and 50 % are right.
    assert float(gate["Ben", "log likelihood ratio of poor to good"]) == pytest.approx(4.6052, abs=1e-4)
    assert float(gate["Ben", "log likelihood ratio that fails"]) == pytest.approx(2.8904, abs=1e-4)
    assert float(gate["Ben", "log likelihood ratio that clears"]) == pytest.approx(-2.2513, abs=1e-4)
    assert ("Ben", "CUSUM") not in gate
    assert float(gate["Ann", "log likelihood ratio of poor to good"]) == pytest.approx(-2.5674, abs=1e-4)
    assert float(gate["Ann", "CUSUM"]) == pytest.approx(2.3026, abs=1e-4)
    assert float(gate["Ann", "CUSUM that alarms"]) == 4.0
    assert gate["Ben", "pauses"] == "1"
    assert re.match(r"20\d\d-\d\d-\d\dT", gate["Ben", "last pause began"])
    assert ("Ann", "last pause began") not in gate
