"""The pages in a real Chromium: nothing blocked or broken, readable in both themes, usable on a phone and by keys alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from labelhub.accounts.models import User
from labelhub.accounts.services import make_sign_in_link
from labelhub.assignments.services import open_assignment
from labelhub.predictions.models import Draft, TrainingPoint, TrainingRun
from labelhub.predictions.services import predict_item, register_model
from labelhub.projects.selectors import current_ontology, labeler_of
from labelhub.projects.services import publish_guideline
from labelhub.scoring.models import HelpedReading
from labelhub.workflow.lifecycle import record_reading
from tests.cast import make_cast
from tests.web.world import World, add_item, make_world, read
from tests.workflow.walking import square_reading

MANAGE = (
    "",
    "items/",
    "labelers/",
    "pairs/",
    "data/",
    "people/",
    "ontology/",
    "policy/",
    "releases/",
    "audit/",
    "models/",
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Contrast of every text with what lies behind it, after WCAG 2.2 (1.4.3): 4.5, or 3 for large text.
FAINT_TEXTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("white");
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (element.closest("script, option, svg, [disabled], .visually-hidden, [aria-pressed=false]")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(behind(element))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if ((a + 0.05) / (b + 0.05) < least) found.push(`${text.slice(0, 40)}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return found;
}"""

NAMELESS_CONTROLS = """() => [...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea")]
  .filter((control) => control.checkVisibility() && !control.closest("template"))
  .filter((control) => !(control.textContent.trim() || control.getAttribute("aria-label") || control.labels?.length
    || control.getAttribute("aria-hidden") === "true"))
  .map((control) => control.outerHTML.slice(0, 120))"""


@pytest.fixture
def world(transactional_db) -> World:
    return with_a_model(make_world(make_cast()))


def with_a_model(world: World) -> World:
    """The world with a model that looked at an item, a training under way, and a labeler who lets planted errors stand."""
    project = world.cast.project
    model = register_model(
        project=project, name="m", predictor="classical-threshold", parameters={"classes": {"debris": {}}}, by="test"
    )
    predict_item(model=model, item=world.item)
    run = TrainingRun.objects.create(project=project, name="m", release_number=1)
    for fold, dice in ((0, 0.4), (1, 0.5), (0, 0.8), (1, 0.7)):
        epoch = 1 + TrainingPoint.objects.filter(run=run, fold=fold).count()
        TrainingPoint.objects.create(run=run, fold=fold, epoch=epoch, loss=1.0, held_out_loss=1.0, held_out_dice=dice)
    for _ in range(3):
        reading = square_reading(world.add(), "ben", (5, 5, 9), read_kind="assisted")
        labeler = labeler_of(world.cast.ben, project)
        submission = record_reading(item=world.add(), labeler=labeler, reading=reading, is_routed=False)
        draft = Draft.objects.create(assignment=submission.assignment, arm="planted", planted={"kind": "grown"})
        HelpedReading.objects.create(
            submission=submission, draft=draft, is_unchanged=True, kind="grown", undone_share=0.0, is_caught=False,
            method="test", method_version="1",
        )  # fmt: skip
    return world


@pytest.fixture
def visit(visit_as, world) -> Callable[..., Any]:
    """Return a way to open pages as one of the cast; every error in the console fails the test."""
    return lambda name, **size: visit_as(getattr(world.cast, name), is_strict=True, **size)


def places_of(world: World) -> list[tuple[str, str]]:
    places = [("ada", f"/manage/cells/{place}") for place in MANAGE]
    places += [("ada", "/manage/"), ("ada", "/manage/new/"), ("ada", f"/manage/cells/items/{world.item.code}/")]
    places += [
        ("ada", f"/manage/cells/labelers/{world.by_ann.assignment.labeler_id}/"),
        ("ada", "/help/"),
        ("ada", "/account/"),
    ]
    places += [("rita", f"/review/cells/{world.item.code}/story/"), ("ada", f"/review/cells/{world.item.code}/story/")]
    return [*places, ("rita", "/review/"), ("rita", f"/review/cells/{world.item.code}/"), ("rita", "/review/me/")]


def test_every_page_is_readable_named_no_wider_than_a_phone_and_breaks_no_rule_of_the_policy(visit, world):
    """Each page is opened once: light, dark, then made as narrow as a phone."""
    faint, nameless, wide = {}, {}, {}
    windows: dict[str, Any] = {}
    for name, place in places_of(world):
        page = windows[name] = windows.get(name) or visit(name)
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(place, wait_until="networkidle")
        nameless[place] = page.evaluate(NAMELESS_CONTROLS)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            faint[place, scheme] = page.evaluate(FAINT_TEXTS)
        page.set_viewport_size({"width": 390, "height": 844})
        wide[place] = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert {place: texts for place, texts in faint.items() if texts} == {}
    assert {place: controls for place, controls in nameless.items() if controls} == {}
    assert {place: by for place, by in wide.items() if by > 0} == {}


def test_a_link_signs_in_by_its_button(chromium, live_server, world):
    context = chromium.new_context(base_url=live_server.url)
    page = context.new_page()
    page.goto(f"/account/link/{make_sign_in_link(user=world.cast.rita, actor='test')}/")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/")
    context.close()


def test_keys_open_the_sheet_the_search_and_nothing_while_typing(visit):
    page = visit("ada")
    page.goto("/manage/")
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#shortcuts").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("n?")
    assert page.locator("#search").input_value() == "n?"
    assert page.url.endswith("/manage/")


def test_the_theme_changes_at_once_and_is_remembered(visit, world):
    page = visit("ada")
    page.goto("/account/")
    with page.expect_response("**/account/theme/"):
        page.get_by_role("button", name="Dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 22)"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert User.objects.get(pk=world.cast.ada.pk).theme == "dark"


def test_a_number_tells_its_method_on_focus(visit):
    page = visit("ada")
    page.goto("/manage/cells/")
    number = page.locator(".estimate").first
    number.focus()
    assert "n counts" in page.locator("#tip").inner_text()
    assert number.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert not page.locator("#tip").is_visible()


def test_a_table_sorts_by_its_header_and_keeps_it_in_the_address(visit):
    page = visit("ada")
    page.goto("/manage/cells/people/")
    header = page.locator("th", has_text="Person")
    header.get_by_role("button").click()
    header.get_by_role("button").click()
    assert page.url.endswith("?sort=-name")
    page.reload()
    assert header.get_attribute("aria-sort") == "descending"
    assert page.locator("tbody th").first.inner_text().startswith("Rita")


def test_the_inbox_is_worked_by_keys(visit, world):
    second = add_item(world.cast, source_id="task-8")
    read(world.cast, second, world.cast.ann, box=(4, 4, 20, 20))
    read(world.cast, second, world.cast.ben, box=(40, 40, 60, 60))
    page = visit("rita")
    page.goto("/review/")
    cards = page.locator("[data-list-row]")
    assert cards.count() == 2
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert cards.nth(1).get_attribute("aria-current") == "true"
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/cells/*/")


def test_readers_are_toggled_flipped_and_accepted_by_keys(visit, world):
    page = visit("rita")
    page.goto(f"/review/cells/{world.item.code}/", wait_until="networkidle")
    page.wait_for_selector(".matter[aria-current]")
    pressed = "[...document.querySelectorAll('[data-layer^=s]')].map((b) => b.getAttribute('aria-pressed')).join()"
    lit = """() => { const c = document.querySelector('canvas');
      return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) => i % 4 !== 3 && v > 0).length }"""
    assert page.evaluate(lit) > 10_000
    assert page.evaluate(pressed) == "true,true"
    page.keyboard.press("Shift+Digit1")
    assert page.evaluate(pressed) == "false,true"
    page.keyboard.press("Backquote")
    assert page.evaluate(pressed) == "true,false"
    page.keyboard.press("=")
    assert page.evaluate(pressed) == "true,true"
    page.keyboard.press("c")
    page.keyboard.type("a fine reading")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/?project=cells")
    world.item.refresh_from_db()
    assert world.item.state == "settled"


def test_a_case_opens_with_exactly_its_layers_and_without_the_heat(visit, world):
    page = visit("ada")
    page.goto(f"/manage/cells/items/{world.item.code}/?layer=s{world.by_ben.pk}", wait_until="networkidle")
    pressed = (
        "[...document.querySelectorAll('[data-layer], [data-heat]')].map((b) => b.getAttribute('aria-pressed')).join()"
    )
    assert page.evaluate(pressed) == "false,false,true,false", "the last is the model’s"


def test_instructions_open_by_their_key_with_their_list(visit, world):
    publish_guideline(project=world.cast.project, text="Mind:\n- the *edge*", by=world.cast.ada)
    item = add_item(world.cast, source_id="task-9")
    labeler = labeler_of(world.cast.ann, world.cast.project)
    own = open_assignment(
        item=item, labeler=labeler, read_kind="independent", planned_blind=True, reason="first read", lease_s=1800
    )
    page = visit("ann")
    page.goto(f"/label/{own.pk}/", wait_until="networkidle")
    page.keyboard.press("i")
    assert page.locator("#instructions-dialog li em").inner_text() == "edge"


def test_returning_without_words_is_held_back_on_the_page(visit, world):
    page = visit("rita")
    page.goto(f"/review/cells/{world.item.code}/", wait_until="networkidle")
    page.keyboard.press("r")
    assert page.evaluate("document.activeElement.id") == "comment"
    world.item.refresh_from_db()
    assert world.item.state == "review"


def test_the_builder_adds_a_ready_made_ontology_and_shows_it_as_annotators_see_it(visit, world):
    page = visit("ada")
    page.goto("/manage/cells/ontology/")
    page.get_by_role("button", name="Knee MRI").click()
    assert "Cartilage" in page.locator("[data-preview-classes]").inner_text()
    page.get_by_role("button", name="Publish as version 2").first.click()
    page.wait_for_load_state()
    assert page.get_by_role("heading", name="What version 2 touches").is_visible()
    page.get_by_role("button", name="Publish version 2").click()
    page.wait_for_load_state()
    _, ontology = current_ontology(world.cast.project)
    assert [entry.key for entry in ontology.classes][-3:] == ["femur", "tibia", "cartilage"]


def test_the_builder_shows_the_annotators_own_panel_as_one_types_and_sends_nothing_of_it(visit, world):
    page = visit("ada")
    page.goto("/manage/cells/ontology/", wait_until="networkidle")
    page.get_by_role("button", name="Knee MRI").click()
    view = page.locator("[data-preview]")
    row = page.locator("[data-rows] tr").last
    row.locator("[name=attributes]").fill("Margin *: sharp | blurred")
    row.locator("[name=colour]").fill("#123456")
    page.locator("#questions").fill("Which side *: left | right\nRemark [if found] (text)")
    page.locator("#text").fill("Draw the *edge*.\n\n- each bone")
    view.locator(".class-row", has_text="Cartilage").click()
    assert view.locator(".class-row[aria-pressed=true] .name").inner_text() == "Cartilage"
    assert "#123456" in view.locator(".class-row[aria-pressed=true]").get_attribute("style")
    assert view.locator("[data-preview-attributes] legend").inner_text() == "Margin required"
    assert view.locator("[data-tool=brush]").get_attribute("aria-pressed") == "true"
    assert not view.locator("[data-tool=ellipse]").is_visible(), "no class is drawn as one"
    view.get_by_text("Instructions", exact=True).click()
    assert view.locator("li").inner_text() == "each bone"
    assert not view.locator("figure").count(), "no example was added yet"
    view.get_by_text("left", exact=True).click()
    view.locator("textarea").fill("seen")
    row.locator("[name=name]").fill("Meniscus")
    assert view.get_by_role("radio", name="left").is_checked(), "what is tried out stays while one types"
    assert view.locator(".class-row[aria-pressed=true] .name").inner_text() == "Meniscus"
    view.get_by_role("button", name="No finding").click()
    assert view.locator("textarea").is_disabled()
    sent = "[...new FormData(document.querySelector('[data-builder]').closest('form')).keys()]"
    assert set(page.evaluate(sent)) == {
        "csrfmiddlewaretoken", "version", "key", "name", "colour", "tool", "shortcut", "attributes", "questions",
    }  # fmt: skip
    if os.environ.get("LABELHUB_PICTURES"):
        view.screenshot(path=f"{os.environ['LABELHUB_PICTURES']}/annotator_view.png")


def test_the_audit_chain_is_verified_in_place(visit):
    page = visit("ada")
    page.goto("/manage/cells/audit/")
    page.get_by_role("button", name="Verify").click()
    page.get_by_text("as they were written").wait_for()


def test_readers_stand_side_by_side_and_overlaid_again(visit, world):
    page = visit("rita")
    page.goto(f"/review/cells/{world.item.code}/", wait_until="networkidle")
    page.wait_for_selector(".matter[aria-current]")
    # The page shows the first matter near; whoever comes back from side by side sees the whole.
    page.keyboard.press("f")
    shown = "() => document.querySelector('[data-viewer] canvas').toDataURL()"
    overlaid = page.evaluate(shown)
    page.keyboard.press("s")
    assert page.locator("[data-beside]").get_attribute("aria-pressed") == "true"
    beside = page.evaluate(shown)
    assert beside != overlaid
    page.keyboard.press("s")
    assert page.evaluate(shown) == overlaid
