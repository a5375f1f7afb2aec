"""The keys that the builder refuses are those that the labeling page listens to."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from labelhub.web.page_keys import PAGE_KEYS

# The page's frame has the sheet of keys.
FRAMES = {"?"}


def keys_listened_to() -> set[str]:
    """What ``keys.js`` has a tool or an act for, of one letter, and not as a large letter."""
    code = (Path(settings.BASE_DIR) / "static" / "js" / "label" / "keys.js").read_text(encoding="utf-8")
    [tools] = re.findall(r"export const TOOL_KEYS = \{(.*?)\};", code, re.DOTALL)
    [acts] = re.findall(r"const plain = \{(.*?)\n  \};", code, re.DOTALL)
    found = {key for key in re.findall(r"(\w+): ", tools) if len(key) == 1}
    named = re.findall(r'(?:^|[,{]\s*|\n\s*)(?:"([^"]+)"|([A-Za-z0-9]+)): ', acts)
    keys = {quoted or plain for quoted, plain in named}
    return found | {key for key in keys if len(key) == 1 and not key.isupper()}


def test_the_builder_refuses_exactly_the_keys_that_the_labeling_page_has():
    assert keys_listened_to() | FRAMES == set(PAGE_KEYS)


def test_every_key_is_named_in_words():
    assert all(PAGE_KEYS.values())
