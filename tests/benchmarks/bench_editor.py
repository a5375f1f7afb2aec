"""The plane editor in Chromium, with a server and a data base of its own: python -m tests.benchmarks.bench_editor.

What is timed is the main thread from an event on until its frame is on the canvas, read back by one pixel so that the raster is
in the time: the handler plus the frame's callbacks, without the wait for the screen's next beat. Slices from the server are
timed on the clock until the canvas shows them. Medians, with the slowest of ten in brackets; goals beside them.
"""

from __future__ import annotations

import argparse
import gzip
import math
import os
import statistics
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np

VOLUME = (160, 384, 384)
CT = (300, 512, 512)
# Notes when the canvas shows a picture for the first time, from the moment on that the page was asked for.
SHOWN = """(() => {
  const look = () => {
    const canvas = document.querySelector('#canvas');
    const isOpen = document.querySelector('#main')?.dataset.ready === 'yes' && document.querySelector('#cover').hidden;
    const grey = isOpen && canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0];
    if (grey > 64) globalThis.shownAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();"""
# Waits for the frame that an event causes. `make` makes events; the first frame callback of ours runs before the editor's.
TIMED = """async ([kind, n, width, height]) => {
  const canvas = document.querySelector('#canvas');
  const box = canvas.getBoundingClientRect();
  const context = canvas.getContext('2d');
  const at = (x, y, more) => (
    { bubbles: true, cancelable: true, pointerId: 1, clientX: box.left + x, clientY: box.top + y, ...more });
  const anywhere = (side) => side * (0.3 + 0.4 * Math.random());
  const [cx, cy] = [width / 2, height / 2];
  const events = {
    brush: () => new PointerEvent('pointermove', at(anywhere(width), anywhere(height), { buttons: 1 })),
    slice: (i) => new WheelEvent('wheel', at(cx, cy, { deltaY: i % 8 < 4 ? 100 : -100 })),
    zoom: (i) => new WheelEvent('wheel', at(cx, cy, { deltaY: i % 20 < 10 ? -60 : 60, ctrlKey: true })),
    undo: (i) => new KeyboardEvent('keydown', { key: i % 2 ? 'Z' : 'z', shiftKey: i % 2 === 1, bubbles: true }),
    pan: (i) => new PointerEvent('pointermove', at(cx + 60 * Math.sin(i / 5), cy + 60 * Math.cos(i / 5), { buttons: 4 })),
  };
  canvas.setPointerCapture = () => {};
  const press = { brush: 0, pan: 1 }[kind];
  const held = { button: press, buttons: press ? 4 : 1 };
  if (press !== undefined) canvas.dispatchEvent(new PointerEvent('pointerdown', at(cx, cy, held)));
  const times = [];
  for (let i = 0; i < n; i += 1) {
    let began = 0;
    const frame = new Promise((resolve) => {
      requestAnimationFrame(() => { began = performance.now(); });
      const t0 = performance.now();
      canvas.dispatchEvent(events[kind](i));
      const handled = performance.now() - t0;
      requestAnimationFrame(() => {
        context.getImageData(0, 0, 1, 1);
        resolve(handled + performance.now() - began);
      });
    });
    times.push(await frame);
  }
  if (press !== undefined) canvas.dispatchEvent(new PointerEvent('pointerup', at(cx, cy, { button: press })));
  return times;
}"""
# Slices of this volume are of one grey each, so the canvas says which one it shows.
SERVED = """async (slices) => {
  const canvas = document.querySelector('#canvas');
  const context = canvas.getContext('2d');
  const grey = () => context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[0];
  const range = document.querySelector('#slice');
  const times = [];
  for (const [slice, wanted] of slices) {
    const t0 = performance.now();
    range.value = String(slice);
    range.dispatchEvent(new Event('input'));
    while (Math.abs(grey() - wanted) > 1 && performance.now() - t0 < 5000) await new Promise(requestAnimationFrame);
    times.push(performance.now() - t0);
  }
  return times;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--large", action="store_true", help="also a photograph of 100 megapixels in tiles")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelhub-bench-") as folder:
        _prepare(Path(folder))
        from labelhub.config.soak.serving import served

        server = served(Path(folder))
        server.start()
        try:
            _measure(server.url, options.frames, options.large)
        finally:
            server.stop()


def _prepare(folder: Path) -> None:
    os.environ |= {"LABELHUB_VAR": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'bench.sqlite3'}"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    # Playwright's event loop runs in this thread; the queries beside it are meant.
    os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)


def _measure(url: str, frames: int, is_large: bool) -> None:
    from playwright.sync_api import sync_playwright

    from labelhub.config.soak.drivers import CHROMIUM, FLAGS
    from tests.browser.drawing import click_all

    cast = _cast()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        print("| what | median | slowest of ten | goal |\n|---|---|---|---|")
        page, weight = _open(browser, url, cast.ann, _volume(cast))
        print(f"| JavaScript of the page, gzip | {weight / 1000:.0f} kB | | 150 kB |")
        page.keyboard.press("1")
        _row("brush, 384 x 384, 10 classes painted", page, "brush", frames, 8)
        _row("slice from memory", page, "slice", frames, 30)
        wanted = [(n, round((n - 1) * 255 / VOLUME[0])) for n in (12, 150, 40, 120, 25, 140, 50, 135, 5, 110)]
        _print("slice from the server", page.evaluate(SERVED, [list(pair) for pair in wanted]), 120)
        for n_polygons, goal in ((500, 16), (2000, 50)):
            page, _ = _open(browser, url, cast.ann, _polygons(cast, n_polygons))
            for kind in ("pan", "zoom"):
                _row(f"{kind}, {n_polygons} polygons x 60", page, kind, frames, goal)
            page.keyboard.press("p")
            click_all(page, (0.4, 0.4), (0.5, 0.4), (0.5, 0.5))
            page.keyboard.press("Enter")
            _row(f"undo and redo, {n_polygons} polygons", page, "undo", 20, 50)
        _print("a CT of 300 x 512 x 512 opens", _openings(browser, url, cast, _ct(cast)), 1000)
        if is_large:
            page, _ = _open(browser, url, cast.ann, _photograph(cast))
            _row("pan, 100 megapixels in tiles", page, "pan", frames, 16)
            _row("zoom, 100 megapixels in tiles", page, "zoom", frames, 16)
        browser.close()


def _row(what: str, page: Any, kind: str, frames: int, goal: float) -> None:
    box = page.locator("#canvas").bounding_box()
    page.evaluate(TIMED, [kind, 5, box["width"], box["height"]])
    _print(what, page.evaluate(TIMED, [kind, frames, box["width"], box["height"]]), goal)


def _print(what: str, times: list[float], goal: float) -> None:
    slow = sorted(times)[math.ceil(0.9 * len(times)) - 1]
    print(f"| {what} | {statistics.median(times):.1f} ms | {slow:.1f} ms | {goal} ms |", flush=True)


def _cast() -> Any:
    from labelhub.projects.policy import Policy
    from tests.cast import make_cast

    classes = [
        {"key": f"c{n}", "name": f"Class {n}", "colour": f"#{(n * 2654435761) & 0xFFFFFF:06x}", "tool": "brush"}
        for n in range(10)
    ]
    classes.append({"key": "cell", "name": "Cell", "colour": "#ffc914", "tool": "polygon"})
    policy = Policy(readers=1, gold_share=0.0, use_model=False)
    return make_cast(ontology={"classes": classes, "questions": []}, policy=policy)


def _open(browser: Any, url: str, user: Any, address: str, script: str = "") -> tuple[Any, int]:
    """Open a workspace as somebody; also how many bytes its scripts have when packed."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=url)
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])
    context.add_init_script(script)
    page = context.new_page()
    scripts: list[Any] = []
    page.on("response", lambda answer: scripts.append(answer) if answer.url.endswith(".js") else None)
    page.goto(address)
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#cover", state="hidden")
    page.wait_for_timeout(2000)
    return page, sum(len(gzip.compress(answer.body())) for answer in scripts)


def _openings(browser: Any, url: str, cast: Any, address: str) -> list[float]:
    """Return milliseconds from asking for the page to its first slice, in windows that have nothing of it yet."""
    times = []
    for _ in range(9):
        page, _ = _open(browser, url, cast.ann, address, script=SHOWN)
        times.append(float(page.evaluate("globalThis.shownAt")))
        page.context.close()
    return times


def _assigned(cast: Any, item: Any) -> Any:
    from labelhub.assignments.models import Assignment
    from labelhub.projects.selectors import labeler_of

    return Assignment.objects.create(
        item=item, labeler=labeler_of(cast.ann, cast.project), read_kind="independent", planned_blind=True
    )


def _volume(cast: Any) -> str:
    """A volume of the size of a knee, each slice of one grey, with ten classes painted through a third of it."""
    from labelhub.annotations.documents import document_of, store_mask
    from labelhub.catalog.services import ItemIdentity, add_volume
    from labelhub.formats.shapes import Grid

    pixels = np.broadcast_to(np.arange(VOLUME[0], dtype=np.int16)[:, None, None], VOLUME)
    item = add_volume(
        project=cast.project, pixels=np.ascontiguousarray(pixels), grid=Grid(VOLUME, (0.7, 0.365, 0.365)),
        window=(VOLUME[0] / 2, VOLUME[0]), identity=ItemIdentity(),
    )  # fmt: skip
    work = _assigned(cast, item)
    document = document_of(assignment=work)
    operations = []
    for n in range(10):
        mask = np.zeros((50, 60, 60), dtype=np.bool_)
        mask[:, 5 + n : 55, 5:55] = True
        blob = store_mask(document=document, author=cast.ann, mask=mask)
        operations.append(_operation("patch.add", {
            "stroke_id": f"p{n}", "medium": 0, "label": f"c{n}", "mode": "add", "mask": blob.pk,
            "origin": [55, 20 + 30 * n, 20 + 30 * n], "size": list(mask.shape),
        }))  # fmt: skip
    _append(document, cast.ann, operations)
    return f"/label/{work.pk}/"


def _ct(cast: Any) -> str:
    from labelhub.catalog.services import ItemIdentity, add_volume
    from labelhub.formats.shapes import Grid

    pixels = np.random.default_rng(5).normal(300, 30, CT).astype(np.int16)
    item = add_volume(
        project=cast.project, pixels=pixels, grid=Grid(CT, (1.0, 0.7, 0.7)), value_meaning="HU", window=(300, 400),
        identity=ItemIdentity(),
    )  # fmt: skip
    return f"/label/{_assigned(cast, item).pk}/"


def _polygons(cast: Any, n: int) -> str:
    from labelhub.annotations.documents import document_of
    from labelhub.catalog.services import ItemIdentity, add_photograph

    rng = np.random.default_rng(n)
    side = 2000
    pixels = rng.integers(60, 120, (side, side, 3), dtype=np.uint8)
    work = _assigned(cast, add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity()))
    document = document_of(assignment=work)
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    operations = []
    for i in range(n):
        centre, radius = rng.uniform(60, side - 60, 2), rng.uniform(15, 45)
        ring = centre + radius * (1 + 0.1 * np.sin(5 * angles))[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
        region = {"kind": "polygon", "points": np.round(ring, 2).tolist()}
        operations.append(
            _operation("shape.add", {"shape_id": f"s{i}", "medium": 0, "label": "cell", "regions": [region]})
        )
    _append(document, cast.ann, operations)
    return f"/label/{work.pk}/"


def _photograph(cast: Any) -> str:
    from labelhub.catalog.services import ItemIdentity, add_photograph

    row = np.arange(10_000, dtype=np.uint16)
    pixels = np.stack([np.broadcast_to(row % 256, (10_000, 10_000))] * 3, axis=2).astype(np.uint8)
    return f"/label/{_assigned(cast, add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())).pk}/"


def _operation(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"op_id": str(uuid.uuid4()), "kind": kind, "payload": payload}


def _append(document: Any, author: Any, operations: list[dict[str, Any]]) -> None:
    from labelhub.annotations.log import append_operations

    client = uuid.uuid4()
    for first in range(0, len(operations), 500):
        part = [{**one, "client_seq": first + i + 1} for i, one in enumerate(operations[first : first + 500])]
        result = append_operations(document=document, author=author, client_id=client, operations=part)
        assert result.refused is None, result.refused


if __name__ == "__main__":
    main()
