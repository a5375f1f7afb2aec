"""The 45 chest-CT scans of the LIDC: numbers against counts and matchings made here again, slowly, from the XML itself."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest
from defusedxml import ElementTree

from labelhub.analytics.report import render
from labelhub.formats.lidc import read_lidc
from labelhub.scoring.gather import gather
from labelhub.scoring.gather_objects import gather_objects
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_questions import all_ratings
from labelhub.scoring.panel_rows import Panel
from tests.realdata import real

NS = "{http://www.nih.gov}"
# Two scans whose readers' nodules overlap clearly or not at all, so that no rule of matching can differ.
CLEAR = ("185_082.xml", "185_234.xml")
Voxels = set[tuple[float, int, int]]


def paths() -> list[Path]:
    return sorted(Path(real("seg", "lidc_xml")).glob("*.xml"))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return measure(read_lidc({path.name: path.read_bytes() for path in paths()}))


def sessions(path: Path) -> list[Any]:
    return list(ElementTree.parse(path).getroot().iter(f"{NS}readingSession"))


def is_large(nodule: Any) -> bool:
    """A nodule with ratings, or with an outline of more than a point."""
    rated = nodule.find(f"{NS}characteristics")
    return (rated is not None and len(rated) > 0) or any(
        len(roi.findall(f"{NS}edgeMap")) > 1 for roi in nodule.iter(f"{NS}roi")
    )


def inside(x: int, y: int, ring: list[tuple[int, int]]) -> bool:
    """Even-odd by hand; pixels on the outline are outside (the outline runs around the nodule)."""
    odd = False
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)
        if cross == 0 and min(x0, x1) <= x <= max(x0, x1) and min(y0, y1) <= y <= max(y0, y1):
            return False
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def voxels(nodule: Any) -> Voxels:
    filled: Voxels = set()
    holes: Voxels = set()
    for roi in nodule.iter(f"{NS}roi"):
        z = float(roi.findtext(f"{NS}imageZposition"))
        ring = [(int(e.findtext(f"{NS}xCoord")), int(e.findtext(f"{NS}yCoord"))) for e in roi.findall(f"{NS}edgeMap")]
        xs, ys = [x for x, _ in ring], [y for _, y in ring]
        found = {
            (z, y, x) for y in range(min(ys), max(ys) + 1) for x in range(min(xs), max(xs) + 1) if inside(x, y, ring)
        }
        (holes if roi.findtext(f"{NS}inclusion") == "FALSE" else filled).update(found)
    return filled - holes


def test_every_session_is_a_read_and_every_read_without_a_nodule_is_counted_as_empty(panel: Panel) -> None:
    n_sessions = n_empty = n_nodules = 0
    for path in paths():
        for session in sessions(path):
            large = [nodule for nodule in session.findall(f"{NS}unblindedReadNodule") if is_large(nodule)]
            n_sessions += 1
            n_empty += not large
            n_nodules += len(large)
    row = next(row for row in panel.detection if row.label == "nodule")
    assert panel.source.n_readings == row.n_reads == n_sessions == 180
    assert row.n_empty_reads == n_empty
    assert row.n_marks == n_nodules
    assert sum(found.count for found in row.found_by) == row.n_objects
    assert sum(found.count * found.k for found in row.found_by) == row.n_marks


@pytest.mark.parametrize("name", CLEAR)
def test_detection_and_overlap_of_a_scan_equal_a_matching_by_hand(name: str) -> None:
    path = Path(real("seg", "lidc_xml")) / name
    readers = [
        [voxels(n) for n in session.findall(f"{NS}unblindedReadNodule") if is_large(n)] for session in sessions(path)
    ]
    shared, total, dice = 0, 0, []
    for one, other in combinations(readers, 2):
        total += len(one) + len(other)
        for a in one:
            for b in other:
                iou = len(a & b) / len(a | b)
                assert iou < 0.2 or iou > 0.4, "this scan is not clear after all: choose another"
                if iou > 0.4:
                    shared += 2
                    dice.append(2 * len(a & b) / (len(a) + len(b)))
    panel = measure(read_lidc({name: path.read_bytes()}))
    row = next(row for row in panel.detection if row.label == "nodule")
    assert row.agreement.estimate.value == pytest.approx(shared / total)
    overlap = panel.overlap[0]
    assert overlap.dice.estimate.n == len(dice) > 3
    assert overlap.dice.estimate.value == pytest.approx(np.mean(dice))


def test_alpha_of_the_nine_ratings_equals_another_implementation(panel: Panel) -> None:
    gathered = gather(read_lidc({path.name: path.read_bytes() for path in paths()}))
    asked = {question.spec.key: question for question in all_ratings(gathered, gather_objects(gathered))}
    assert len(panel.questions) == 9
    nominal = {row.question for row in panel.questions if row.measure == "nominal"}
    assert nominal == {"internalStructure", "calcification"}
    for row in panel.questions:
        table = asked[row.question].table.ratings
        expected = krippendorff.alpha(reliability_data=table.T, level_of_measurement=row.measure)
        assert row.alpha.estimate.value == pytest.approx(expected, abs=1e-9)
        assert (row.alpha.estimate.n_groups, row.alpha.estimate.group_unit) == (45, "scans")
        assert row.alpha.estimate.low < row.alpha.estimate.value < row.alpha.estimate.high


def test_lengths_are_in_pixels_because_the_files_state_no_spacing(panel: Panel) -> None:
    assert [row.key for row in panel.overlap[0].hd95] == ["overlap.nodule.hd95-px"]
    assert not any("mm" in score.hd95_unit for score in panel.object_scores)


def test_the_report_says_unblinded_and_unidentifiable_at_once_and_ranks_nobody(panel: Panel) -> None:
    html = render(panel, read_lidc({path.name: path.read_bytes() for path in paths()[:1]}), title="LIDC")
    verdict = html[html.index('<ol class="verdict">') : html.index("</ol>")]
    assert "unblinded" in verdict
    assert "cannot be told apart" in verdict
    assert html.index("Read this first") < html.index("Do readers find the same objects?")
    assert "No table by reader" in html
    assert panel.labelers == ()
    assert {row.whom for row in panel.worklist} <= {"a reviewer", "another reader"}
