"""The page on which a reviewer names errors of objects: its JSON, what it refuses, and where what was said is shown."""

from __future__ import annotations

import json
import uuid

import pytest

from labelhub.consensus.object_errors import NamedError
from labelhub.consensus.regions import forget_sittings
from labelhub.projects.models import Labeler
from labelhub.reviews.error_models import Appraisal, ObjectVerdict
from labelhub.reviews.sightings import has_seen
from labelhub.web import object_errors


@pytest.fixture(autouse=True)
def _nothing_remembered():
    forget_sittings()


@pytest.fixture
def place(world) -> str:
    return f"/review/cells/{world.item.code}/"


def judge(client, place: str, **body):
    body = {"request_id": str(uuid.uuid4())} | body
    return client.post(place + "errors/judge/", json.dumps(body), content_type="application/json")


def test_errors_are_proposed_and_what_is_said_of_them_comes_back_and_is_shown(as_, cast, world, place):
    rita = as_("rita")
    page = rita.get(place).content.decode()
    assert "data-errors=" in page
    assert page.count("data-kind=") == 7
    found = rita.get(place + "errors/").json()
    assert found["against"] == "the label as you decided so far"
    own = next(reading for reading in found["readings"] if reading["reader"] == f"s{world.by_ann.pk}")
    # Two readers who share nothing give no common label: nothing of it stands, so all that each marked is extra.
    (error,) = own["errors"]
    assert (error["proposed"], error["said"], error["classes"], error["where"]) == ("extra", None, "Nucleus", "256 px")
    answered = judge(rita, place, reader=own["reader"], objects=[{"key": error["key"], "kind": "boundary"}]).json()
    again = next(reading for reading in answered["readings"] if reading["reader"] == own["reader"])
    assert again["errors"][0]["said"] == "boundary"
    ann = Labeler.objects.get(project=cast.project, user=cast.ann)
    row = as_("ada").get(f"/manage/cells/labelers/{ann.pk}/").content.decode()
    assert "Errors that reviewers named" in row
    assert f"codes={world.item.code}" in row
    story = as_("ada").get(place + "story/").content.decode()
    assert "named errors in the reading of Ann" in story
    assert "Boundary: nucleus, 256 px" in story


@pytest.mark.parametrize(
    ("objects", "status"),
    [(None, 400), ([], 400), ([1], 400), ("x", 400), ([{"key": "0" * 32, "kind": "extra"}], 409), ([{}] * 500, 400)],
)
def test_what_names_no_object_is_refused_in_a_sentence(as_, world, place, objects, status):
    answer = judge(as_("rita"), place, reader=f"s{world.by_ann.pk}", objects=objects)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")
    assert not ObjectVerdict.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "boundary", "offset": 2.0}, "2 mm too large on average"),
        ({"kind": "boundary", "offset": -0.5}, "0.5 mm too small on average"),
        ({"kind": "slice range", "early": 2, "late": -1}, "begins 2 slices too early, ends 1 slice too early"),
        ({"kind": "slice range", "early": -1, "late": 3}, "begins 1 slice too late, ends 3 slices too late"),
        ({"kind": "extra", "offset": None}, ""),
    ],
)
def test_how_far_off_an_object_is_told_in_words(fields, words):
    """Planted and seen to fail: too small for too large; late for early at either end."""
    error = NamedError(
        key="k", medium=0, label_given="a", label_accepted="a", given=("a",), accepted=("b",), size=1.0, unit="mm³",
        slices=(0, 1), place=(0.0, 0.0, 0.0), box=((0, 0, 0), (1, 1, 1)), length_unit="mm", **fields,
    )  # fmt: skip
    assert object_errors._how(error) == words


def test_who_looks_at_errors_reads_the_item_blind_no_more_and_what_the_label_lost_is_shown_as_kept(
    as_, cast, world, place
):
    """Planted and seen to fail: a look that is not kept; words on what stands shown a second time as kept."""
    rita = as_("rita")
    assert not has_seen(cast.rita, world.item)
    own = next(one for one in rita.get(place + "errors/").json()["readings"] if one["reader"] == f"s{world.by_ann.pk}")
    assert has_seen(cast.rita, world.item)
    (error,) = own["errors"]
    said = judge(rita, place, reader=own["reader"], objects=[{"key": error["key"], "kind": "extra"}]).json()
    own = next(one for one in said["readings"] if one["reader"] == own["reader"])
    assert (len(own["errors"]), own["kept"]) == (1, [])
    gone = next(one for one in said["readings"] if one["reader"] == f"s{world.by_ben.pk}")
    ObjectVerdict.objects.filter(key=error["key"]).update(submission=world.by_ben, key="0" * 32)
    again = next(one for one in rita.get(place + "errors/").json()["readings"] if one["reader"] == gone["reader"])
    assert [(row["said"], row["how"]) for row in again["kept"]] == [("extra", "the label no longer shows it")]


def test_nobody_but_reviewers_is_told_of_errors(as_, place):
    assert as_("ann").get(place + "errors/").status_code == 403
    assert as_("otto").get(place + "errors/").status_code == 404
    assert judge(as_("ann"), place, reader="s1", objects=[]).status_code == 403


def test_scores_and_comments_are_given_when_settling_by_region(as_, world, place):
    rita = as_("rita")
    assert f'name="score-{world.by_ann.pk}"' in rita.get(place).content.decode()
    for matter in rita.get(place + "matters/").json()["matters"]:
        body = {"key": matter["key"], "choice": "ambiguous", "request_id": str(uuid.uuid4())}
        rita.post(place + "matters/answer/", json.dumps(body), content_type="application/json")
    said = {f"score-{world.by_ann.pk}": "7", f"comment-{world.by_ann.pk}": "Good.", f"comment-{world.by_ben.pk}": ""}
    for wrong in ({f"score-{world.by_ann.pk}": "11"}, {"comment-x": "a"}):
        assert rita.post(place + "matters/settle/", said | wrong).status_code == 400
    assert rita.post(place + "matters/settle/", said).status_code == 302
    assert list(Appraisal.objects.values_list("submission", "score", "comment")) == [(world.by_ann.pk, 7, "Good.")]
    assert "Score 7 of 10" in as_("ada").get(place).content.decode()
    assert "said how good the reading of Ann is" in as_("ada").get(place + "story/").content.decode()
