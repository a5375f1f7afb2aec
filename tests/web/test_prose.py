"""Instructions come out with paragraphs, lists and emphasis, and with nothing that their writer's markup could do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.web.prose import prose

# S12: what must come out as text, whoever wrote it.
HOSTILE = (
    "<script>alert(1)</script>",
    "- <img src=x onerror=alert(1)>",
    '*<a href="javascript:alert(1)">press</a>*',
    "&lt;script&gt;",
    "<p onclick='x'>*a*</p>",
    "*a* <em style=position:fixed>",
    "- a\n</ul><iframe src=//x>",
    "{{ csrf_token }} {% debug %}",
    '*" onmouseover="alert(1)*',
)
OURS = re.compile(r"</?(?:p|ul|li|em)>|<br>")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_as_text(text):
    rest = OURS.sub("", prose(text))
    assert not set("<>\"'") & set(rest)


@given(st.text(alphabet="ab *-•<>&\"'\n\t", max_size=60))
def test_only_our_own_tags_come_out_and_each_is_closed(text):
    html = prose(text)
    assert not set("<>\"'") & set(OURS.sub("", html))
    for tag in ("p", "ul", "li", "em"):
        assert html.count(f"<{tag}>") == html.count(f"</{tag}>")


def test_blank_lines_part_paragraphs_and_dashes_make_lists():
    html = prose("Outline it.\nClosely.\n\n- first\n- second,\n  still second\n\nThen submit.")
    assert html == (
        "<p>Outline it.<br>Closely.</p>\n<ul><li>first</li><li>second, still second</li></ul>\n<p>Then submit.</p>"
    )


def test_a_list_may_follow_its_sentence_without_a_blank_line():
    assert prose("Mind:\n- a\n- b\nthen c") == "<p>Mind:</p>\n<ul><li>a</li><li>b</li></ul>\n<p>then c</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("do *not* guess", "<p>do <em>not</em> guess</p>"),
        ("2*3*4 and * alone", "<p>2*3*4 and * alone</p>"),
        ("5 - 3\n-4", "<p>5 - 3<br>-4</p>"),
        ("* starred", "<ul><li>starred</li></ul>"),
        ("", ""),
        (" \r\n\r\n ", ""),
    ],
)
def test_signs_that_mean_something_else_stay(text, html):
    assert prose(text) == html


def test_the_queue_the_workspace_and_the_admins_page_show_it_alike(world, as_, cast):
    hostile = "Read:\n- *first* <script>x</script>"
    as_("ada").post("/manage/cells/guideline/", {"text": hostile, "confirmed": "1"})
    shown = "<ul><li><em>first</em> &lt;script&gt;x&lt;/script&gt;</li></ul>"
    assert shown in as_("ann").get("/label/").content.decode()
    assert shown in as_("ada").get("/manage/cells/ontology/").content.decode()
