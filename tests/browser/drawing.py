"""Hands on the labeling page: start an item, click, drag, wait until all is saved."""

from __future__ import annotations

from typing import Any


def start(page: Any) -> None:
    page.reload()
    page.keyboard.press("Enter")
    page.wait_for_selector("#main[data-ready=yes]")
    page.wait_for_selector("#cover", state="hidden")


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """The place on the screen at a share of the stage."""
    box = page.locator("#canvas").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Any, *places: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=4)
    page.mouse.up()


def click_all(page: Any, *places: tuple[float, float]) -> None:
    for place in places:
        page.mouse.click(*at(page, *place))


def saved(page: Any) -> None:
    page.wait_for_selector("#saved[data-status=saved]")
