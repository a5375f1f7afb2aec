"""axe finds no serious fault on the pages of the three groups: WCAG 2.2 A and AA, but contrast.

That is measured in both themes by ``test_pages``.

Planted once and seen to fail: a button without a name; a list item outside a list; a control inside another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_pages import places_of, with_a_model
from tests.cast import make_cast
from tests.realdata import absent
from tests.web.world import World, make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXE = Path(__file__).resolve().parents[1] / "js" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
  const { violations } = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], rules: { "color-contrast": { enabled: false } },
  });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 2).map((node) => node.html.slice(0, 140)).join(" | ")}`);
}"""


@pytest.fixture
def world(transactional_db) -> World:
    return with_a_model(make_world(make_cast()))


def faults(page: Any) -> list[str]:
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN)
    return found


def test_no_page_of_any_group_has_a_serious_fault(visit_as, world):
    if not AXE.exists():
        absent("axe-core is not installed (cd tests/js && npm ci)")
    work = world.work_of_ann()
    places = [*places_of(world), ("ann", "/label/"), ("ann", "/label/me/"), ("ann", f"/label/{work.pk}/")]
    windows: dict[str, Any] = {}
    found = {}
    for name, place in places:
        page = windows[name] = windows.get(name) or visit_as(getattr(world.cast, name))
        page.goto(place, wait_until="networkidle")
        if f"{work.pk}" in place:
            page.wait_for_selector("#main[data-ready=yes]")
        found[place] = faults(page)
    assert {place: told for place, told in found.items() if told} == {}
