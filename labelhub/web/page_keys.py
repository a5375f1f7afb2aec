"""The keys that belong to the labeling page, pressed without Shift; a class cannot have them as well.

``static/js/label/keys.js`` is what listens; ``tests/architecture/test_page_keys.py`` compares the two. Keys of more than one
letter (Enter, PageDown) cannot be typed into the builder and are not listed.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGE_KEYS: Mapping[str, str] = {
    "s": "select and change", "a": "sculpt", "p": "polygon", "r": "box", "e": "ellipse", "k": "point", "l": "line",
    "b": "brush", "x": "eraser", "o": "fill", "m": "grow", "j": "threshold", "y": "superpixels",
    "z": "undo", "h": "hide labels", "f": "fit", "g": "cross-hair", "v": "layout", "q": "ask", "u": "unreadable",
    "d": "the model's draft", "t": "look back", "c": "comment at a place", "w": "next window", "n": "next remark",
    "i": "instructions", "0": "no finding", "[": "weaker", "]": "stronger", "+": "zoom in", "=": "zoom in", "-": "zoom out",
    ".": "next slice", ",": "slice before", "<": "copy to the slice before", ">": "copy to the next slice",
    "?": "keys of this page",
}  # fmt: skip
