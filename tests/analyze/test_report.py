"""The report stands alone, runs nothing, hides nothing, and its tables open safely anywhere."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelhub.analytics.panel_store import from_bytes, to_bytes
from labelhub.analytics.report import render, write_report
from labelhub.formats.shapes import AnnotationSet, QuestionSpec
from labelhub.scoring.panel import measure
from tests.analyze.making import box, make_set, outline, point, rated, reading

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</style><script>alert(1)</script>",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1)",
    "a\x00b",
    "‮evil",
)


class Outline(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                assert value not in self.ids, f"{value} is used twice"
                self.ids.add(value)
            if name in ("href", "src"):
                self.links.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


def hostile(text: str) -> AnnotationSet:
    spec = QuestionSpec(text, "nominal", (text, "other"))
    square = [(10.0, 10.0), (15, 8), (20, 10), (22, 15), (20, 20), (10, 20)]
    readings = []
    for item in (text, f"{text} 2", f"{text} 3"):
        for rater, answer in ((text, text), (f"{text} b", "other"), ("c", "other")):
            shapes = (outline(square, label=text), box(60, 60, label="cell"), point(90 if rater == "c" else 150, 90))
            readings.append(reading(item, rater, *shapes, answers={text: answer}))
    return make_set(readings, questions=[spec], notes=(text,))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_names_are_text_and_nothing_else(payload: str, tmp_path: Path) -> None:
    readings = hostile(payload)
    panel = measure(readings, gold=readings, n_resamples=50)
    html = render(panel, readings, title=payload)
    page = Outline()
    page.feed(html)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.handlers == []
    assert page.tags.count("style") == 1
    assert all(link.startswith("#") for link in page.links)
    write_report(tmp_path, panel, readings, title=payload)
    for path in tmp_path.glob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text())):
            for cell in row:
                assert not cell.startswith(("=", "+", "@", "\t")), (path.name, cell)
                assert not (cell.startswith("-") and not re.fullmatch(r"-?[\d.e+-]+", cell)), (path.name, cell)


def sample() -> AnnotationSet:
    square = [(10.0, 10.0), (15, 8), (20, 10), (22, 15), (20, 20), (10, 20)]
    return make_set(
        [
            *(reading(f"i{n}", r, outline(square), box(60 + n, 60)) for n in range(5) for r in ("ann", "ben")),
            *(reading(f"i{n}", "cyd", box(120, 120)) for n in range(5)),
        ]
    )


def test_every_link_leads_somewhere_in_the_page() -> None:
    readings = sample()
    page = Outline()
    page.feed(render(measure(readings), readings, title="Sample"))
    assert page.links
    assert [link for link in page.links if link[1:] not in page.ids] == []


def test_the_page_asks_nothing_of_any_other_place() -> None:
    readings = sample()
    html = render(measure(readings), readings, title="Sample")
    assert "default-src 'none'" in html.replace("&#x27;", "'")
    assert not re.search(r"(src|href)=\"(https?:|//)", html)
    assert "url(" not in html
    assert '<svg class="picture"' in html


def test_pictures_tell_readers_apart_by_stroke_as_well_as_colour() -> None:
    readings = sample()
    html = render(measure(readings), readings, title="Sample")
    picture = html[html.index('<svg class="picture"') :]
    picture = picture[: picture.index("</svg>")]
    strokes = set(re.findall(r'stroke-dasharray="([^"]*)"', picture))
    assert len(strokes) >= 1
    assert 'role="img"' in picture
    assert "aria-label=" in picture


def test_every_number_carries_its_method_and_count() -> None:
    readings = sample()
    html = render(measure(readings), readings, title="Sample")
    numbers = re.findall(r'class="est[^"]*"[^>]*title="([^"]*)"', html)
    assert numbers
    assert all("n = " in title and "version" in title for title in numbers)


def test_a_panel_is_kept_and_read_back_without_loss() -> None:
    readings = rated({"a": {"ann": "x", "ben": "y"}, "b": {"ann": "x"}})
    for made in (sample(), make_set(readings), make_set([])):
        panel = measure(made, gold=made, n_resamples=50)
        again = from_bytes(to_bytes(panel))
        assert repr(again.numbers()) == repr(panel.numbers())
        assert repr(again.items) == repr(panel.items)
        assert repr(again.labelers) == repr(panel.labelers)
        assert again.verdict == panel.verdict


@pytest.mark.parametrize("content", [b"", b"junk", b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00{}"])
def test_damaged_panels_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no panel"):
        from_bytes(content)


def test_analyze_needs_no_database_and_finds_what_was_planted_in_the_sample(tmp_path: Path, capsys) -> None:
    """Without the database mark of pytest-django any query would fail this test."""
    folder = tmp_path / "report"
    call_command(
        "analyze", str(ROOT / "fixtures/sample_readings"), gold=ROOT / "fixtures/sample_gold", out=folder, verbosity=0
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "24 images with 72 reads" in said
    assert "ben and cyd share 32" in said
    names = {"index.html", "worklist.csv", "agreement.csv", "labelers.csv", "pairs.csv", "items.csv", "scores.csv"}
    assert {path.name for path in folder.iterdir()} == names
    tables = {name: list(csv.DictReader((folder / name).open())) for name in names if name.endswith(".csv")}
    assert all(tables.values())
    rows = {(row["rater"], row["name"]): row for row in tables["labelers.csv"] if row["against"] == "gold"}
    size = "size against gold, 2(own−gold)/(own+gold)"
    assert float(rows["ben", size]["low"]) > 0.3
    assert abs(float(rows["ann", size]["value"])) < 0.05
    assert float(rows["cyd", "class right"]["high"]) < 0.95
    assert "debris taken for nucleus" in rows["cyd", "class right"]["confusions"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "nowhere"}, "nowhere"),
        ({"question_measures": "grade"}, "not of the form"),
        ({"question_measures": "grade=huge"}, "not of the form"),
        ({"match_iou": 0.0}, "above 0"),
        ({"gold": Path("nowhere")}, "nowhere"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(options: dict, message: str, tmp_path: Path) -> None:
    path = options.pop("path", str(ROOT / "fixtures/sample_readings"))
    with pytest.raises(CommandError, match=message):
        call_command("analyze", path, out=tmp_path / "report", **options)
    assert not (tmp_path / "report").exists()


def test_a_scale_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    table = tmp_path / "ratings.csv"
    table.write_text(
        "item,rater,category\n" + "".join(f"i{n},{r},{(n + k) % 3 + 1}\n" for n in range(9) for k, r in enumerate("ab"))
    )
    call_command("analyze", str(table), out=tmp_path / "r", question_measures="category=ordinal")
    rows = list(csv.DictReader((tmp_path / "r" / "agreement.csv").open()))
    assert any("ordinal" in row["name"] for row in rows)
