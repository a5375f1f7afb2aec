"""An imported set measures the same in the server as in its file, and importing twice changes nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from labelhub.accounts.services import create_person
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.formats.lidc import read_lidc
from labelhub.formats.shapes import AnnotationSet
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.services import create_project
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import Panel
from labelhub.scoring.stored import annotation_set_of, gold_set_of
from labelhub.workflow.importing import UnknownLabels, import_readings, ontology_of
from tests.analyze.making import box, make_set, reading
from tests.realdata import real

SCANS = 12


def lidc(n: int | None = None) -> AnnotationSet:
    files = sorted(Path(real("seg", "lidc_xml")).glob("*.xml"))[:n]
    return read_lidc({path.name: path.read_bytes() for path in files})


def project_for(readings: AnnotationSet) -> Project:
    ada = create_person(username="ada", display_name="Ada", actor="test")
    return create_project(name="Imported", ontology=ontology_of(readings), policy=Policy(), created_by=ada)


def numbers_of(panel: Panel) -> dict[str, tuple[float, ...]]:
    return {
        row.key: (row.estimate.value, row.estimate.low, row.estimate.high, row.estimate.n, row.estimate.n_groups)
        for row in panel.numbers()
    }


def assert_equal_numbers(first: Panel, second: Panel) -> None:
    one, other = numbers_of(first), numbers_of(second)
    assert one.keys() == other.keys()
    assert one
    for key, values in one.items():
        for a, b in zip(values, other[key], strict=True):
            assert a == b or (math.isnan(a) and math.isnan(b)), (key, values, other[key])


@pytest.mark.django_db
def test_the_panel_of_an_imported_project_equals_the_panel_of_its_file_number_by_number() -> None:
    readings = lidc(SCANS)
    project = project_for(readings)
    summary = import_readings(project=project, readings=readings, by=None)
    assert (summary.n_items, summary.n_readings, summary.problems) == (SCANS, 4 * SCANS, [])
    stored = annotation_set_of(project)
    assert not stored.raters_identifiable
    of_file, of_project = measure(readings), measure(stored)
    assert_equal_numbers(of_file, of_project)
    assert [row.source_id for row in of_project.disputed] == [row.source_id for row in of_file.disputed]
    assert [row.expected_gain for row in of_project.items] == [row.expected_gain for row in of_file.items]
    assert of_project.labelers == ()


@pytest.mark.django_db
def test_importing_twice_stores_nothing_twice() -> None:
    readings = lidc(2)
    project = project_for(readings)
    import_readings(project=project, readings=readings, by=None)
    again = import_readings(project=project, readings=readings, by=None)
    assert (again.n_items, again.n_readings, again.n_known) == (0, 0, 8)
    assert Item.objects.filter(project=project).count() == 2
    assert Submission.objects.filter(assignment__item__project=project).count() == 8
