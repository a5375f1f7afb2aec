"""The reviewer's pages: inbox, layers, decisions, and what each of them does to the item."""

from __future__ import annotations

import csv
import html
import io
import re
import uuid

import numpy as np
import pytest
from django.test import Client
from PIL import Image

from labelhub.analytics import own_acts
from labelhub.assignments.models import Assignment
from labelhub.formats.shapes import MaskRegion, Reading, Shape
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.services import publish_policy
from labelhub.reviews import threads
from labelhub.reviews.models import ClaimVerdict, Decision
from labelhub.workflow import lifecycle
from tests.web.world import add_item, read


@pytest.fixture
def place(world) -> str:
    return f"/review/cells/{world.item.code}/"


def test_the_inbox_says_why_the_item_is_there(world, as_):
    assert world.item.state == "review", "the two readings of the small world must be far apart"
    page = as_("rita").get("/review/").content.decode()
    assert world.item.code in page
    assert "2 readers" in page


def test_the_most_valuable_look_stands_first_in_the_inbox(cast, world, as_):
    urgent = add_item(cast, source_id="task-8")
    type(urgent).objects.filter(pk=urgent.pk).update(priority=1)
    read(cast, urgent, cast.ann, box=(4, 4, 20, 20))
    read(cast, urgent, cast.ben, box=(40, 40, 60, 60))
    page = as_("rita").get("/review/").content.decode()
    assert page.index(urgent.code) < page.index(world.item.code)


def test_who_read_an_item_does_not_find_it_in_their_inbox(cast, world, as_):
    read(cast, world.item, cast.rita, box=(4, 4, 20, 20), is_routed=False)
    assert world.item.code not in as_("rita").get("/review/").content.decode()
    assert b"somebody else decides" in as_("rita").get(f"/review/cells/{world.item.code}/").content


def test_layers_hold_each_reader_with_outlines(world, as_, place):
    layers = as_("rita").get(place + "layers/").json()["layers"]
    assert [layer["name"] for layer in layers if layer["kind"] == "reader"] == ["Ann", "Ben"]
    assert layers[0]["shapes"][0]["regions"][0]["points"][0] == [4.0, 4.0]
    assert layers[0]["shapes"][0]["colour"] == "#e4572e"


def test_the_heat_picture_covers_what_one_reader_alone_marked(world, as_, place):
    answer = as_("rita").get(place + "layers/dispute/0/0/")
    heat = np.asarray(Image.open(io.BytesIO(answer.content)))
    # The part in which anything is: from the first pixel of Ann's box to the last of Ben's.
    assert (answer["X-Left"], answer["X-Top"], answer["X-Step"]) == ("4", "4", "1")
    assert heat.shape == (56, 56, 4)
    assert heat[10 - 4, 10 - 4, 3] > 100
    assert heat[50 - 4, 50 - 4, 3] > 100
    assert heat[30 - 4, 30 - 4, 3] == 0
    assert as_("rita").get(place + "layers/dispute/0/0/", headers={"If-None-Match": answer["ETag"]}).status_code == 304


def test_an_item_without_pixels_has_a_thumbnail_of_its_dispute(cast, as_, world):
    from labelhub.catalog.models import Medium

    Medium.objects.filter(item=world.item).update(pixels=None)
    answer = as_("rita").get(f"/review/cells/{world.item.code}/thumbnail/")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.max() > 100
    assert as_("ada").get(f"/manage/cells/items/{world.item.code}/").status_code == 200


def test_another_class_for_the_same_outline_is_a_dispute_too(cast, world):
    from labelhub.analytics.layers import dispute_of, layers_of
    from labelhub.catalog.selectors import grid_of

    item = add_item(cast, source_id="task-8")
    for user, label in ((cast.ann, "nucleus"), (cast.ben, "lesion")):
        labeler = Labeler.objects.get(project=cast.project, user=user)
        shape = Shape("s1", label, mask=MaskRegion(np.ones((1, 4, 4), dtype=bool), (0, 2, 2)))
        reading = Reading(item.code, "x", (shape,), read_kind="independent", planned_blind=True)
        lifecycle.record_reading(item=item, labeler=labeler, reading=reading)
    heat = dispute_of(medium=0, grid=grid_of(item.media.get()), layers=layers_of(item))
    assert heat is not None
    assert heat.heat(0)[0].max() == 1.0


def test_a_mask_is_sent_plane_by_plane_and_only_where_it_is(cast, as_):
    item = add_item(cast)
    labeler = Labeler.objects.get(project=cast.project, user=cast.ann)
    shape = Shape("m1", "lesion", mask=MaskRegion(np.eye(5, dtype=bool)[None], (0, 3, 7)))
    reading = Reading(item.code, "x", (shape,), read_kind="independent", planned_blind=True)
    submission = lifecycle.record_reading(item=item, labeler=labeler, reading=reading)
    layers = as_("rita").get(f"/review/cells/{item.code}/layers/").json()["layers"]
    assert layers[0]["shapes"][0]["mask"] == {"z": [0, 1], "y": 3, "x": 7, "height": 5, "width": 5}
    answer = as_("rita").get(f"/review/cells/{item.code}/layers/s{submission.pk}/0/0/")
    alpha = np.asarray(Image.open(io.BytesIO(answer.content)))[..., 1]
    assert np.array_equal(alpha > 0, np.eye(5, dtype=bool))
    for wrong in (f"s{submission.pk}/0/1", f"s{submission.pk}/4/0", "s999999/0/0"):
        assert as_("rita").get(f"/review/cells/{item.code}/layers/{wrong}/").status_code == 404
    # Of a part a pixel stands for a block, and is lit where any of it is.
    part = as_("rita").get(f"/review/cells/{item.code}/layers/s{submission.pk}/0/0/?part=2,1,0,4,5")
    lit = np.asarray(Image.open(io.BytesIO(part.content)))[..., 1] > 0
    assert lit.tolist() == [[True, False], [True, True], [False, True]]
    empty = as_("rita").get(f"/review/cells/{item.code}/layers/s{submission.pk}/0/0/?part=1,4,0,1,2")
    assert empty.status_code == 204


@pytest.mark.parametrize("step", [1, 3, 7])
def test_a_heat_in_steps_has_the_greatest_of_each_block(cast, world, step):
    from labelhub.analytics.layers import dispute_of, layers_of
    from labelhub.catalog.selectors import grid_of
    from labelhub.consensus.regions import sitting_of
    from labelhub.workflow.steps import current_reads

    painted = sitting_of(world.item, current_reads(world.item)).found.grounds[0]
    drawn = dispute_of(medium=0, grid=grid_of(world.item.media.get()), layers=layers_of(world.item))
    assert drawn is not None
    for found in (painted, drawn):
        (fine, at), (coarse, begins) = found.heat(0), found.heat(0, step)
        assert begins == at
        wanted = np.array([
            [fine[y : y + step, x : x + step].max() for x in range(0, fine.shape[1], step)]
            for y in range(0, fine.shape[0], step)
        ])  # fmt: skip
        assert np.array_equal(coarse, wanted)
        assert {0.0, 1.0} <= set(coarse.flat)


def test_a_piece_of_heat_lies_where_it_was_found_however_coarse(world, monkeypatch):
    from labelhub.web import overlays

    medium = world.item.media.get()
    monkeypatch.setattr(overlays, "MOST_PIXELS", medium.size_x * medium.size_y // 4)
    assert overlays.heat_step(medium) == 2
    heat = np.zeros((6, 8))
    heat[3:5, 2:7] = 0.5
    piece = overlays.heat_piece(medium, heat, (10, 20))
    assert piece is not None
    assert (piece.left, piece.top, piece.step) == (20 + 2 * 2, 10 + 3 * 2, 2)
    assert Image.open(io.BytesIO(piece.png)).size == (5, 2)
    assert overlays.heat_piece(medium, np.zeros((6, 8)), (10, 20)) is None


def decide(client, place, reading, verdict, **fields):
    form = {"submission": reading.pk, "verdict": verdict, "request_id": str(uuid.uuid4())} | fields
    return client.post(place + "decide/", form)


def test_accepting_settles_the_item_with_that_reading(world, as_, place):
    assert decide(as_("rita"), place, world.by_ann, "accept", score="8").status_code == 302
    world.item.refresh_from_db()
    assert world.item.state == "settled"
    assert Decision.objects.get().score == 8


def test_who_voted_in_a_panel_goes_on_to_what_waits_next(cast, world, as_, place):
    """Catches a member who is left on the item, where the others' votes are open to them now."""
    publish_policy(project=cast.project, policy=Policy(max_readers=2, panel_reviewers=3), by=cast.ada)
    form = {"submission": world.by_ann.pk, "verdict": "accept", "request_id": str(uuid.uuid4())}
    answer = as_("rita").post(f"{place}decide/", form, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/review/?")
    assert "Your vote is kept; the panel decides" in answer.content.decode()


def test_returning_needs_words_and_then_reaches_the_author(world, as_, place):
    refused = decide(as_("rita"), place, world.by_ann, "reject")
    assert refused.status_code == 422
    assert b"Say what is wrong" in refused.content
    assert not Decision.objects.exists()
    decide(as_("rita"), place, world.by_ann, "reject", comment="Follow the edge.")
    world.item.refresh_from_db()
    assert world.item.state == "rework"
    assert Assignment.objects.filter(item=world.item, labeler__user=world.cast.ann, read_kind="rework").exists()


def test_pressing_twice_is_one_decision(world, as_, place):
    number = str(uuid.uuid4())
    for _ in range(2):
        decide(as_("rita"), place, world.by_ann, "accept", request_id=number)
    assert Decision.objects.count() == 1


@pytest.mark.parametrize(
    "fields", [{"score": "11"}, {"score": "ten"}, {"score": "²"}, {"request_id": ""}, {"submission": "x"}]
)
def test_a_wrong_field_is_refused_with_a_sentence(world, as_, place, fields):
    answer = decide(as_("rita"), place, world.by_ann, "accept", **fields)
    assert answer.status_code == 400
    assert b"Nothing was stored" in answer.content
    assert not Decision.objects.exists()


def test_a_reading_of_another_item_is_not_decided_here(cast, world, as_):
    other = add_item(cast, source_id="task-9")
    read(cast, other, cast.ann, box=(1, 1, 5, 5))
    assert decide(as_("rita"), f"/review/cells/{other.code}/", world.by_ann, "accept").status_code == 404


def test_shapes_that_are_ambiguous_are_those_of_one_reading(world, as_, place):
    """Catches a form with a shape of another reading beside one of the chosen reading."""
    shapes = [f"{entry.pk}:{entry.annotations.get().shape_id}" for entry in (world.by_ann, world.by_ben)]
    form = {"submission": world.by_ann.pk, "comment": "No edge.", "request_id": str(uuid.uuid4())}
    refused = as_("rita").post(f"{place}ambiguous/", form | {"shape": shapes})
    assert (refused.status_code, "Tick shapes of the one reading" in refused.content.decode()) == (422, True)
    world.item.refresh_from_db()
    assert world.item.state == "review"
    as_("rita").post(f"{place}ambiguous/", form | {"shape": shapes[:1]})
    world.item.refresh_from_db()
    assert world.item.state == "settled"


def test_taking_the_vote_answers_htmx_with_an_empty_card_or_a_notice(world, as_, place):
    answer = as_("rita").post(place + "settle/", headers={"HX-Request": "true"})
    if answer.status_code == 200:
        assert answer.content == b""
    else:
        assert answer["HX-Retarget"] == "#notices"
        assert b"is-error" in answer.content


@pytest.mark.parametrize(("verdict", "state"), [("confirm", "excluded"), ("refute", "waiting")])
def test_an_image_that_cannot_be_read_is_taken_out_where_a_reviewer_confirms_it(world, as_, verdict, state):
    claim = world.claim_of_ann()
    as_("rita").post(f"/review/cells/unreadable/{claim.pk}/decide/", {"verdict": verdict, "comment": "I looked."})
    claim.item.refresh_from_db()
    assert (claim.item.state, ClaimVerdict.objects.get(claim=claim).outcome == "confirmed") == (
        state,
        verdict == "confirm",
    )


def test_my_reviewing_shows_mine_alone(world, as_, place):
    decide(as_("rita"), place, world.by_ann, "accept", score="8", comment="Good edge.")
    assert b"Good edge." in as_("rita").get("/review/me/").content
    assert b"Good edge." not in as_("ada").get("/review/me/").content


def test_an_admin_who_may_still_vote_sees_no_vote_on_any_page_nor_in_a_file(cast, world, as_):
    """Catches an open vote on the item page, the review page, the audit's page and the audit's CSV; that there is one, in the
    marks of the review pages, the table of reviewers, and what the audit finds by person, item, group or kind.
    """
    item, ada, rita = world.item.code, as_("ada"), as_("rita")
    choices = ({"who": f"user:{cast.rita.pk}"}, {"item": item}, {"group": "Reviewing"}, {"kind": "panel.voted"})
    silent: list[tuple[str, dict[str, str]]] = [
        (f"/review/cells/{item}/", {}),
        ("/review/", {}),
        ("/manage/cells/people/", {}),
    ]
    silent += [("/manage/cells/audit/", chosen) for chosen in choices]
    publish_policy(project=cast.project, policy=Policy(readers=2, max_readers=2, panel_reviewers=3), by=cast.ada)
    ada.get(f"/review/cells/{item}/")
    before = [ada.get(*asked).content for asked in silent]
    answer = rita.post(
        f"/review/cells/{item}/decide/",
        {"submission": world.by_ben.pk, "verdict": "accept", "comment": "As Ben says", "score": "9",
         "request_id": str(uuid.uuid4())},
    )  # fmt: skip
    assert answer.status_code == 302
    after = [ada.get(*asked).content for asked in silent]
    assert [plain(page) for page in after] == [plain(page) for page in before]
    places = [f"/manage/cells/items/{item}/", f"/review/cells/{item}/", "/manage/cells/audit/"]
    for place in places:
        page = as_("ada").get(place).content.decode()
        assert "As Ben says" not in page, place
        assert "Rita</strong> voted" not in page, place
        assert "accepted a reading" not in page, place
    rows = csv_of(as_("ada"), "/manage/cells/audit/")
    assert not [row for row in rows if row["kind"] in ("panel.voted", "submission.reviewed")]
    kept = [row for row in rows if row["kind"] == "vote.kept_back"]
    assert [(bool(row["hash"]), row["subject"], row["actor"]) for row in kept] == [(True, "", "somebody")] * 2
    assert "Truly ambiguous <kbd>" not in as_("rita").get(places[1]).content.decode()
    as_("ada").post(
        f"/review/cells/{world.item.code}/decide/",
        {"submission": world.by_ann.pk, "verdict": "accept", "comment": "", "request_id": str(uuid.uuid4())},
    )  # fmt: skip
    assert "As Ben says" in as_("ada").get(places[0]).content.decode()
    assert not [row for row in csv_of(as_("ada"), "/manage/cells/audit/") if row["kind"] == "vote.kept_back"]


def plain(page: bytes) -> str:
    """The page without what is drawn anew for each answer: nonces, form tokens, ids of requests and times."""
    drawn = r'nonce(=|-)"?[\w+/=-]{10,}|[A-Za-z0-9]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|<time[^>]*>[^<]*'
    return re.sub(drawn, "", page.decode())


def csv_of(client, place: str) -> list[dict[str, str]]:
    text = b"".join(client.get(place, {"format": "csv"}).streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_blind_review_shows_letters_in_an_order_of_ones_own_until_it_is_decided(cast, world, as_, place):
    """Planted once and seen to fail: layers that carry the names."""
    from labelhub.accounts.services import create_person
    from labelhub.projects.models import Role
    from labelhub.projects.policy import Policy
    from labelhub.projects.services import add_member, publish_policy

    publish_policy(project=cast.project, policy=Policy(readers=2, max_readers=2, review_blind=True), by=cast.ada)
    page = plain(as_("rita").get(place).content)
    main = page[page.index("<main") : page.index("</main>")]
    assert "Reader A" in main
    assert not any(name in main for name in ("Ann", "Ben"))
    layers = as_("rita").get(place + "layers/").json()["layers"]
    assert [layer["name"] for layer in layers] == ["Reader A", "Reader B"]
    assert "Ann" in as_("ada").get(place).content.decode()
    orders = set()
    for number in range(12):
        user = create_person(username=f"r{number}", display_name=f"R{number}", actor="test")
        add_member(project=cast.project, user=user, role=Role.REVIEWER, actor="test")
        client = Client()
        client.force_login(user)
        orders.add(tuple(layer["key"] for layer in client.get(place + "layers/").json()["layers"]))
    assert len(orders) == 2, "each reviewer has an order of their own"
    decide(as_("rita"), place, world.by_ann, "accept")
    assert "Ann" in as_("rita").get(place).content.decode()


def test_who_opens_the_readings_of_others_reads_the_item_blind_no_more(cast, world, as_, place):
    """Catches a reviewer who looks, leaves, and is handed the same item as an independent reader."""
    from labelhub.reviews.sightings import has_seen, knows_others

    assert not knows_others(cast.rita, world.item)
    as_("rita").get(place)
    as_("rita").get(place)
    assert has_seen(cast.rita, world.item)
    assert not has_seen(cast.ann, world.item)


def test_a_reviewer_reads_their_own_acts_newest_first_page_by_page(as_, world, monkeypatch):
    """Planted and seen to fail: another reviewer's acts in the list; a page that begins where the last one ended."""
    rita = as_("rita")
    assert "What you did" not in rita.get("/review/me/").content.decode()
    lifecycle.review(
        submission=world.by_ann,
        reviewer=world.cast.ada,
        verdict="accept",
        score=None,
        comment="",
        request_id=uuid.uuid4(),
    )
    for text in ("One.", "Two."):
        threads.open_thread(item=world.item, by=world.cast.rita, text=text, request_id=uuid.uuid4())
    lifecycle.settle(item=world.item, reason="x", by=world.cast.rita, submission=world.by_ben)
    page = rita.get("/review/me/").content.decode()
    acts = re.findall(r"<li>\s*<span>([^<]+)</span><a class=\"code\" href=\"([^\"]+)\"", page)
    assert [what for what, _ in acts] == ["Settled the item", "Opened a thread", "Opened a thread"]
    assert {address for _, address in acts} == {f"/review/cells/{world.item.code}/"}
    monkeypatch.setattr(own_acts, "PAGE", 1)
    seen = []
    address = "/review/me/"
    while address:
        page = rita.get(address).content.decode()
        seen += re.findall(r"<li>\s*<span>([^<]+)</span>", page)
        found = re.search(r'href="(/review/me/\?before=[^"]+)#acts">Earlier', page)
        address = html.unescape(found.group(1)) if found else ""
    assert seen == ["Settled the item", "Opened a thread", "Opened a thread"]
    for place in ("x", "2026-01-01", "2026-01-01T00:00:00"):
        assert rita.get("/review/me/", {"before": place}).status_code == 400
