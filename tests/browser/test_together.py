"""Two people label one image together in two browsers: what one draws the other sees, through crashes and lost networks.

Planted once and seen to fail: operations that are acknowledged before the commit; a reconnect that does not pull; a part of a
long log that is not followed by the next; undo that takes back a colleague's work; an outbox that forgets before the
acknowledgement; a shape in hand that two can move.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from typing import Any

import pytest

from labelhub.accounts.services import end_sessions
from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Document, Operation, Submission
from labelhub.assignments.batches import make_batch
from labelhub.assignments.models import Assignment
from labelhub.config.soak.browsers import session_cookie
from labelhub.projects.selectors import labeler_of
from labelhub.workflow import lifecycle, together
from tests.browser.drawing import at, click_all, drag, saved
from tests.cast import Cast, make_cast
from tests.workflow.walking import add_item, set_policy, submit

# Takes the last act back, and hears nothing for some seconds.
UNDONE_AND_BUSY = """() => setTimeout(() => {
  document.querySelector("#canvas").dispatchEvent(new KeyboardEvent("keydown", { key: "z", bubbles: true }));
  for (const end = performance.now() + 5000; performance.now() < end;);
}, 100)"""
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def people(transactional_db) -> Cast:
    cast = make_cast()
    set_policy(cast, readers=1)
    return cast


@pytest.fixture
def work(people: Cast) -> Assignment:
    item = add_item(people.project)
    make_batch(project=people.project, name="Together", items=[item], by="test", is_shared=True)
    found = lifecycle.hand_out(labeler=labeler_of(people.ann, people.project))
    assert found is not None
    together.join(assignment=found, by=people.ben)
    return found


def opened(visit: Any, user: Any, work: Assignment) -> Any:
    page = visit(user, f"/label/{work.pk}/")
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#cover", state="hidden")
    return page


def rows(page: Any, count: int) -> None:
    """Wait until so many things are listed as drawn."""
    if count:
        page.locator(".shape-row").nth(count - 1).wait_for()
    page.wait_for_timeout(100)
    assert page.locator(".shape-row").count() == count


def standing(work: Assignment) -> int:
    return len(history.state_of(Document.objects.get(assignment=work)).standing_shapes())


def box(page: Any, x: float, y: float) -> None:
    page.keyboard.press("2")
    drag(page, (x, y), (x + 0.1, y + 0.12))


def test_each_sees_what_the_other_draws_and_undoes_only_their_own(visit_live, people, work):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    ann.locator(".avatar", has_text="BE").wait_for()
    ben.locator(".avatar", has_text="AN").wait_for()
    box(ann, 0.35, 0.3)
    rows(ben, 1)
    box(ben, 0.55, 0.3)
    rows(ann, 2)
    assert ann.locator(".drawn-by:visible").all_inner_texts() == ["by Ben"]
    ann.keyboard.press("z")
    rows(ben, 1)
    ann.keyboard.press("z")
    ann.wait_for_timeout(300)
    assert standing(work) == 1, "Ben's box is not Ann's to take back"
    ann.keyboard.press("Shift+Z")
    rows(ben, 2)
    saved(ann)
    saved(ben)
    ann.keyboard.press("3")
    drag(ann, (0.4, 0.6), (0.6, 0.6))
    rows(ben, 3)
    saved(ann)
    with ben.expect_navigation():
        ben.keyboard.press("Control+Enter")
    ann.locator("#saved[data-status=closed]").wait_for()
    frozen = Submission.objects.get()
    assert frozen.annotations.count() == 3
    assert frozen.head_seq == Operation.objects.count()


def test_the_server_is_killed_one_goes_offline_and_nothing_is_lost_or_doubled(visit_live, people, work, server):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    box(ann, 0.3, 0.3)
    rows(ben, 1)
    server.kill()
    box(ann, 0.42, 0.3)
    box(ben, 0.54, 0.3)
    ann.locator("#saved[data-status=offline]").wait_for()
    server.start()
    rows(ann, 3)
    rows(ben, 3)
    ben.context.set_offline(offline=True)
    box(ben, 0.3, 0.55)
    box(ann, 0.42, 0.55)
    ben.locator("#saved[data-status=offline]").wait_for()
    ben.wait_for_timeout(500)
    ben.context.set_offline(offline=False)
    rows(ann, 5)
    rows(ben, 5)
    for page in (ann, ben):
        saved(page)
    assert standing(work) == 5
    seqs = list(Operation.objects.order_by("seq").values_list("seq", flat=True))
    assert seqs == [1, 2, 3, 4, 5]
    # What is called saved is stored: killed at that moment, it is still there.
    box(ann, 0.54, 0.55)
    saved(ann)
    server.kill()
    server.start()
    rows(ben, 6)
    assert standing(work) == 6


def opened_and_pulled(page: Any) -> list[tuple[str, float]]:
    """What will be seen on the page's next sockets: each greeting and each pull, with its moment in seconds."""
    seen: list[tuple[str, float]] = []

    def note(kind: str, frame: Any) -> None:
        if f'"{kind}"' in str(frame)[:60]:
            seen.append((kind, time.monotonic()))

    def listen(socket: Any) -> None:
        socket.on("framereceived", lambda frame: note("hello", frame))
        socket.on("framesent", lambda frame: note("pull", frame))

    page.on("websocket", listen)
    return seen


def test_who_comes_back_asks_at_once_for_what_went_on_meanwhile(visit_live, people, work):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    box(ann, 0.3, 0.3)
    rows(ben, 1)
    ben.context.set_offline(offline=True)
    ben.wait_for_timeout(1000)
    box(ann, 0.45, 0.3)
    saved(ann)
    seen = opened_and_pulled(ben)
    ben.context.set_offline(offline=False)
    for _ in range(200):
        if any(kind == "pull" for kind, _ in seen):
            break
        ben.wait_for_timeout(100)
    greeted = next(at for kind, at in seen if kind == "hello")
    pulled = next(at for kind, at in seen if kind == "pull" and at >= greeted)
    # The timer alone would ask a quarter of a minute later.
    assert pulled - greeted < 3
    rows(ben, 2)


def test_a_window_that_crashes_with_unsent_work_sends_it_when_it_is_opened_again(visit_live, people, work, server):
    ann = opened(visit_live, people.ann, work)
    box(ann, 0.3, 0.3)
    saved(ann)
    server.kill()
    box(ann, 0.45, 0.3)
    ann.locator("#saved[data-status=offline]").wait_for()
    context = ann.context
    ann.close()
    server.start()
    again = context.new_page()
    again.goto(f"/label/{work.pk}/")
    again.wait_for_selector("#main[data-ready=yes]")
    rows(again, 2)
    saved(again)
    assert standing(work) == 2


def test_an_act_is_kept_though_the_page_is_too_busy_to_hear_so_before_it_crashes(
    chromium, visit_live, people, work, server
):
    ann = opened(visit_live, people.ann, work)
    box(ann, 0.3, 0.3)
    box(ann, 0.45, 0.3)
    saved(ann)
    server.kill()
    processes = chromium.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    ann.evaluate(UNDONE_AND_BUSY)
    time.sleep(1.5)
    with ann.expect_event("crash"):
        for process in processes:
            if process["type"] == "renderer":
                os.kill(process["id"], signal.SIGKILL)
    server.start()
    again = ann.context.new_page()
    again.goto(f"/label/{work.pk}/")
    again.wait_for_selector("#main[data-ready=yes]")
    saved(again)
    assert standing(work) == 1


def test_where_no_socket_comes_through_a_window_that_only_looks_is_told_that_its_person_was_signed_out(
    visit_live, people, work
):
    ann = opened(visit_live, people.ann, work)
    ann.context.add_init_script("WebSocket = class extends EventTarget { close() {} send() {} }")
    ann.reload()
    ann.wait_for_selector("#main[data-ready=yes]")
    end_sessions(user=people.ann, actor="test", reason="test")
    ann.locator("#saved[data-status=signed-out]").wait_for()


def test_what_one_drew_is_not_sent_by_the_next_who_signs_in_on_the_same_browser(visit_live, people, work, server):
    ann = opened(visit_live, people.ann, work)
    end_sessions(user=people.ann, actor="test", reason="test")
    ann.locator("#saved[data-status=signed-out]").wait_for()
    box(ann, 0.3, 0.3)
    ann.locator("#saved:has-text('1 kept here')").wait_for()
    ann.context.add_cookies([session_cookie(people.ben, server.url)])
    ann.evaluate("window.dispatchEvent(new Event('focus'))")
    ann.locator("#trouble:has-text('Somebody else is signed in here')").wait_for()
    assert not Operation.objects.count()
    ann.context.add_cookies([session_cookie(people.ann, server.url)])
    ann.evaluate("window.dispatchEvent(new Event('focus'))")
    saved(ann)
    assert Operation.objects.get().author == people.ann


def test_what_had_not_arrived_when_the_image_was_handed_in_is_in_the_tray_and_not_drawn_as_if_it_were(
    visit_live, people, work
):
    ann = opened(visit_live, people.ann, work)
    ann.context.set_offline(True)
    box(ann, 0.3, 0.3)
    ann.locator("#saved:has-text('1 kept here')").wait_for()
    submit(work, people.ann, no_finding=True)
    ann.context.set_offline(False)
    for _ in range(2):
        ann.reload()
        ann.wait_for_selector("#main[data-ready=yes]")
        ann.locator("#tray li").wait_for()
        assert ann.locator("#tray li").inner_text().startswith("You drew a shape. It had not reached the server")
        assert ann.locator("#shapes > li").count() == 0


def test_a_window_left_open_keeps_its_work_after_its_person_signed_out_and_in_again(visit_live, people, work, server):
    ann = opened(visit_live, people.ann, work)
    box(ann, 0.3, 0.3)
    saved(ann)
    other = ann.context.new_page()
    other.goto("/account/")
    with other.expect_navigation():
        other.locator("form[action$='/account/sign-out/'] button").first.evaluate("(button) => button.click()")
    ann.locator("#saved[data-status=signed-out]").wait_for()
    ann.context.add_cookies([session_cookie(people.ann, server.url)])
    ann.evaluate("window.dispatchEvent(new Event('focus'))")
    saved(ann)
    box(ann, 0.45, 0.3)
    ann.wait_for_timeout(1000)
    assert ann.locator("#saved").get_attribute("data-status") == "saved"
    server.kill()
    box(ann, 0.6, 0.3)
    ann.locator("#saved[data-status=offline]").wait_for()
    ann.close()
    server.start()
    other.goto(f"/label/{work.pk}/")
    other.wait_for_selector("#main[data-ready=yes]")
    rows(other, 3)
    saved(other)
    assert standing(work) == 3


def test_cursors_have_names_a_shape_in_hand_is_held_and_one_follows_the_other(visit_live, people, work):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    box(ann, 0.4, 0.3)
    rows(ben, 1)
    ann.keyboard.press("s")
    ben.keyboard.press("s")
    ann.mouse.move(*at(ann, 0.45, 0.36))
    ann.mouse.down()
    ann.mouse.move(*at(ann, 0.5, 0.45), steps=6)
    ben.wait_for_timeout(600)
    click_all(ben, (0.45, 0.36))
    assert "Ann is changing this shape" in ben.locator("#said").inner_text()
    ben.locator("#shapes button[aria-label='Delete this shape']").click()
    rows(ben, 1)
    ann.mouse.up()
    ben.locator(".avatar").click()
    assert ben.locator(".avatar").get_attribute("aria-pressed") == "true"
    ben.wait_for_timeout(600)
    seen = ben.locator("#canvas").screenshot()
    for _ in range(4):
        ann.keyboard.press("+")
    ben.wait_for_timeout(1200)
    assert ben.locator("#canvas").screenshot() != seen, (
        "who follows sees what the other zooms to, without a move of the pointer"
    )
    assert documents.head_of(Document.objects.get()) == 2


def test_how_it_came_to_be_is_stepped_through_and_what_stood_is_brought_back(visit_live, people, work):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    box(ann, 0.35, 0.3)
    rows(ben, 1)
    box(ben, 0.55, 0.3)
    rows(ann, 2)
    ann.keyboard.press("z")
    rows(ben, 1)
    ann.keyboard.press("t")
    told = ann.locator("#replay-text", has_text="3 of 3")
    told.wait_for()
    assert "You deleted a shape" in told.inner_text()
    ann.keyboard.press("ArrowLeft")
    assert "Ben drew a shape" in ann.locator("#replay-text", has_text="2 of 3").inner_text()
    box(ann, 0.4, 0.6)
    assert standing(work) == 1, "nothing is drawn into the past"
    ann.locator("#replay-slider").press("Space")
    ann.locator("#replay-text", has_text="3 of 3").wait_for()
    ann.locator("#replay-slider").press("ArrowLeft")
    ann.locator("#replay-copy").click()
    rows(ben, 2)
    saved(ann)
    assert standing(work) == 2
    assert ann.locator("#replay").is_hidden()


def test_an_image_that_is_closed_while_the_past_is_shown_stays_closed(visit_live, people, work):
    ann, ben = opened(visit_live, people.ann, work), opened(visit_live, people.ben, work)
    box(ann, 0.35, 0.3)
    rows(ben, 1)
    ann.keyboard.press("t")
    ann.locator("#replay").wait_for()
    with ben.expect_navigation():
        ben.keyboard.press("Control+Enter")
    ann.locator("#saved[data-status=closed]").wait_for()
    ann.locator("#replay-slider").press("ArrowLeft")
    ann.locator("#replay-slider").press("ArrowRight")
    ann.locator("#replay-copy").click()
    ann.locator("#replay").wait_for(state="hidden")
    box(ann, 0.6, 0.3)
    rows(ann, 1)
    assert "kept here" not in ann.locator("#saved").inner_text()


def test_a_long_absence_is_caught_up_with_in_parts_and_at_once(visit_live, people, work):
    ben = opened(visit_live, people.ben, work)
    ben.context.set_offline(offline=True)
    stroke = {
        "medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "add", "tip": "round", "radius": 8,
        "points": [40, 40],
    }  # fmt: skip
    square = {
        "medium": 0,
        "label": "debris",
        "shape_id": "last",
        "regions": [{"kind": "box", "points": [[2, 2], [9, 9]]}],
    }
    acts = [("stroke.add", stroke | {"stroke_id": f"s{number}"}) for number in range(1200)] + [("shape.add", square)]
    operations = [
        {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": kind, "payload": payload}
        for number, (kind, payload) in enumerate(acts, start=1)
    ]
    document, client_id = Document.objects.get(assignment=work), uuid.uuid4()
    for first in range(0, len(operations), 400):
        part = operations[first : first + 400]
        told = log.append_operations(document=document, author=people.ann, client_id=client_id, operations=part)
        assert told.refused is None
    ben.context.set_offline(offline=False)
    # More than one answer holds; the next look by itself would come later than this waits.
    rows(ben, 2)
