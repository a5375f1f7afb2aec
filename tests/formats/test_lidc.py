"""LIDC reads: what 45 real files give, and what damaged or unusual files give."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from labelhub.formats.lidc import read_lidc
from labelhub.formats.shapes import FormatError
from tests.realdata import real


def message(sessions: str, *, task: str = "Second unblinded read", series: str = "1.2.3") -> bytes:
    return (
        '<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader>'
        f"<TaskDescription>{task}</TaskDescription><SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>"
        f"{sessions}</LidcReadMessage>"
    ).encode()


def outline(z: float, points: list[tuple[int, int]], *, inclusion: str = "TRUE") -> str:
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return f"<roi><imageZposition>{z}</imageZposition><inclusion>{inclusion}</inclusion>{edges}</roi>"


def nodule(*rois: str, ratings: str = "<characteristics><malignancy>3</malignancy></characteristics>") -> str:
    return f"<unblindedReadNodule><noduleID>1</noduleID>{ratings}{''.join(rois)}</unblindedReadNodule>"


SQUARE = [(10, 10), (14, 10), (14, 14), (10, 14), (10, 10)]


def session(*marks: str) -> str:
    return f"<readingSession>{''.join(marks)}</readingSession>"


def test_the_45_real_scans_hold_four_unblinded_reads_each():
    files = {path.name: path.read_bytes() for path in sorted(real("seg", "lidc_xml").glob("*.xml"))}
    read = read_lidc(files)
    assert (len(read.items), len(read.readings)) == (45, 180)
    assert Counter(shape.label for reading in read.readings for shape in reading.shapes) == {
        "non-nodule": 810,
        "small nodule": 620,
        "nodule": 303,
    }
    assert {reading.read_kind for reading in read.readings} == {"unblinded"}
    assert {reading.rater for reading in read.readings} == {"1", "2", "3", "4"}
    assert not read.raters_identifiable
    assert not read.problems
    assert all(item.group == item.key and item.group_kind == "scan" for item in read.items)


def test_no_identifier_of_the_file_is_shown_as_a_key():
    files = {path.name: path.read_bytes() for path in sorted(real("seg", "lidc_xml").glob("185_1*.xml"))}
    read = read_lidc(files)
    assert all(item.key.startswith("scan-") and len(item.key) == 17 for item in read.items)
    assert not any("1.3.6.1" in repr((item.key, item.source_id, item.group)) for item in read.items)


def test_outlines_move_to_pixel_centres_and_lie_outside_the_nodule():
    read = read_lidc({"a.xml": message(session(nodule(outline(-5, SQUARE), outline(2.5, SQUARE))))})
    first, second = read.readings[0].shapes[0].regions
    assert np.array_equal(first.points, np.array(SQUARE[:4]) + 0.5)
    assert first.edge_excluded
    assert (first.z, second.z) == (0, 1)
    grid = read.items[0].grids[0]
    assert grid.plane_positions_mm == (-5.0, 2.5)
    assert grid.spacing_mm is None
    assert grid.affine is None


def test_an_exclusion_is_a_hole():
    inner = outline(0, [(11, 11), (13, 11), (13, 13)], inclusion="FALSE")
    read = read_lidc({"a.xml": message(session(nodule(outline(0, SQUARE), inner)))})
    assert [region.is_hole for region in read.readings[0].shapes[0].regions] == [False, True]


def test_a_nodule_with_one_point_and_no_rating_is_small_and_one_with_ratings_is_not():
    read = read_lidc(
        {
            "a.xml": message(
                session(nodule(outline(0, [(5, 6)]), ratings=""), nodule(outline(0, SQUARE), outline(1, [(12, 12)])))
            )
        }
    )
    small, large = read.readings[0].shapes
    assert (small.label, large.label) == ("small nodule", "nodule")
    assert [region.kind for region in large.regions] == ["polygon", "points"]
    assert large.attributes == {"malignancy": 3}


def test_a_rating_outside_its_scale_counts_as_not_answered_and_is_reported():
    wrong = "<characteristics><subtlety>9</subtlety><margin>0</margin><texture>5</texture></characteristics>"
    read = read_lidc({"a.xml": message(session(nodule(outline(0, SQUARE), ratings=wrong)))})
    assert read.readings[0].shapes[0].attributes == {"texture": 5}
    assert ["subtlety" in problem.message for problem in read.problems] == [True]


def test_a_session_without_marks_is_an_empty_read():
    read = read_lidc({"a.xml": message(session(nodule(outline(0, SQUARE))) + session())})
    assert [reading.is_empty_read for reading in read.readings] == [False, True]
    assert read.empty_means == "read-empty"


def test_a_second_file_of_one_series_is_a_repeat_by_further_readers_on_common_planes():
    first = message(session(nodule(outline(4, SQUARE))))
    second = message(session(nodule(outline(1, SQUARE))) + session(nodule(outline(4, SQUARE))))
    read = read_lidc({"a.xml": first, "b.xml": second})
    assert len(read.items) == 1
    assert [(r.rater, r.read_kind) for r in read.readings] == [("1", "unblinded"), ("2", "repeat"), ("3", "repeat")]
    assert [r.shapes[0].regions[0].z for r in read.readings] == [1, 0, 1]
    assert read.items[0].grids[0].plane_positions_mm == (1.0, 4.0)


def test_the_same_file_twice_is_read_once():
    data = message(session(nodule(outline(4, SQUARE))))
    read = read_lidc({"a.xml": data, "copy.xml": data})
    assert len(read.readings) == 1
    assert read.problems[0].place == "copy.xml"


@pytest.mark.parametrize(
    ("task", "tag", "kind"),
    [
        ("First blinded read", "blindedReadNodule", "independent"),
        ("", "blindedReadNodule", "independent"),
        ("", "unblindedReadNodule", "unblinded"),
        ("Something else", "unblindedReadNodule", "unknown"),
    ],
)
def test_the_read_kind_is_what_the_file_says(task, tag, kind):
    mark = nodule(outline(0, SQUARE)).replace("unblindedReadNodule", tag)
    read = read_lidc({"a.xml": message(session(mark), task=task)})
    assert read.readings[0].read_kind == kind
    assert len(read.readings[0].shapes) == 1


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"not xml",
        message(session(nodule(outline(4, SQUARE))))[:-40],
        b"<IdriReadMessage/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><LidcReadMessage>&b;</LidcReadMessage>',
        b"<LidcReadMessage>" + b"<a>" * 500 + b"</a>" * 500 + b"</LidcReadMessage>",
    ],
)
def test_a_damaged_file_is_listed_and_the_others_are_read(damaged):
    good = message(session(nodule(outline(4, SQUARE))))
    read = read_lidc({"bad.xml": damaged, "good.xml": good})
    assert len(read.readings) == 1
    assert [problem.place for problem in read.problems] == ["bad.xml"]
    with pytest.raises(FormatError) as refused:
        read_lidc({"bad.xml": damaged})
    assert "bad.xml" in str(refused.value)


def test_numbers_that_cannot_be_pixels_leave_the_outline_out():
    for wrong in ("nan", "1e300", "inf", "x", ""):
        bad = outline(0, SQUARE).replace("<xCoord>14<", f"<xCoord>{wrong}<")
        read = read_lidc({"a.xml": message(session(nodule(bad), nodule(outline(1, SQUARE))))})
        assert [len(r.shapes) for r in read.readings] == [1]
        assert read.problems
