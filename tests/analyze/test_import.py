"""An imported set measures the same in the server as in its file, and importing twice changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelhub.accounts.services import create_person
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.formats.lidc import read_lidc
from labelhub.formats.shapes import AnnotationSet, Grid, QuestionSpec, Reading, Shape
from labelhub.projects.models import Project
from labelhub.projects.policy import Policy
from labelhub.projects.selectors import current_ontology
from labelhub.projects.services import create_project
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import Panel
from labelhub.scoring.reads import is_counted
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


@pytest.mark.once
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


def small_set() -> AnnotationSet:
    grade = QuestionSpec("grade", "ordinal", ("low", "mid", "high"), on_shapes=True)
    sure = QuestionSpec("sure", "nominal", ("yes", "no"))
    readings = [
        reading("a", "ann", box(10, 10, grade="low"), box(90, 90, label="scar"), answers={"sure": "yes"}),
        reading("a", "ben", box(11, 10, grade="mid"), answers={"sure": "no"}),
        reading("b", "ann"),
        reading("b", "ben", box(10, 10, grade="high")),
    ]
    return make_set(readings, questions=[sure, grade], groups={"a": "P1", "b": "P2"}, empty_means="read-empty")


@pytest.mark.django_db
def test_planned_independent_reads_questions_and_gold_survive_the_import() -> None:
    readings = small_set()
    truth = make_set([reading("a", "expert", box(10, 10), box(90, 90, label="scar"), answers={"sure": "yes"})])
    project = project_for(readings)
    import_readings(project=project, readings=readings, by=None, gold=truth)
    stored, gold = annotation_set_of(project), gold_set_of(project)
    assert len(gold.readings) == 1
    assert {entry.rater for entry in stored.readings} == {"ann", "ben"}
    of_file, of_project = measure(readings, gold=truth), measure(stored, gold=gold)
    assert of_project.source.is_independent
    assert_equal_numbers(of_file, of_project)
    assert [repr(row.gold) for row in of_file.labelers] != ["()", "()"]
    for one, other in zip(of_file.labelers, of_project.labelers, strict=True):
        assert [(m.name, m.estimate.value) for m in one.gold] == [(m.name, m.estimate.value) for m in other.gold]


@pytest.mark.django_db
def test_labels_the_project_does_not_know_are_refused_unless_they_shall_be_added() -> None:
    project = project_for(make_set([reading("z", "ann", box(1, 1, label="other"))]))
    with pytest.raises(UnknownLabels, match="cell, scar"):
        import_readings(project=project, readings=small_set(), by=None)
    assert not Item.objects.filter(project=project).exists()
    import_readings(project=project, readings=small_set(), by=None, adds_labels=True)
    assert Item.objects.filter(project=project).count() == 2
    assert {entry.key for entry in current_ontology(project)[1].classes} == {"other", "cell", "scar"}


@pytest.mark.django_db
def test_an_item_that_cannot_be_stored_is_listed_and_the_rest_goes_on() -> None:
    readings = small_set()
    broken = Reading("a", "cyd", (Shape("s", "cell", medium=7),), read_kind="independent", planned_blind=True)
    far = Grid(size=(0, 5, 5))
    items = (replace(readings.items[0], grids=(far,)), readings.items[1])
    project = project_for(readings)
    summary = import_readings(
        project=project, readings=replace(readings, items=items, readings=(*readings.readings, broken)), by=None
    )
    assert [problem.place for problem in summary.problems] == ["a"]
    assert list(Item.objects.filter(project=project).values_list("source_id", flat=True)) == ["b"]


@pytest.mark.django_db
def test_a_project_is_read_in_few_queries_however_many_submissions(django_assert_max_num_queries) -> None:
    readings = make_set([reading(f"i{n}", r, box(10 + n, 10)) for n in range(12) for r in ("ann", "ben")])
    project = project_for(readings)
    import_readings(project=project, readings=readings, by=None, is_routed=False)
    with django_assert_max_num_queries(12):
        assert len(annotation_set_of(project).readings) == 24


@pytest.mark.once
@pytest.mark.django_db
def test_the_command_makes_a_project_from_files_and_says_what_it_did(capsys) -> None:
    create_person(username="ada", display_name="Ada", actor="test")
    sample = Path(__file__).resolve().parents[2] / "fixtures"
    call_command(
        "import_readings", "Sample", str(sample / "sample_readings"), create=True, by="ada", gold=sample / "sample_gold"
    )
    assert "24 new items and 72 new readings in “sample”" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(CommandError, match="no project"):
        call_command("import_readings", "nowhere", str(sample / "sample_readings"))


@pytest.mark.django_db
@pytest.mark.parametrize("planned", [None, True, False])
def test_what_the_source_says_of_planning_survives_and_what_it_does_not_say_stays_unsaid(planned: bool | None) -> None:
    marked = [
        reading(item, rater, box(10, 10 + shift), planned_blind=planned)
        for item in ("a", "b")
        for rater, shift in (("x", 0), ("y", 2))
    ]
    readings = make_set(marked)
    project = project_for(readings)
    import_readings(project=project, readings=readings, by=None)
    assert set(Submission.objects.values_list("planned_blind", flat=True)) == {planned}
    of_file, of_project = measure(readings), measure(annotation_set_of(project))
    assert of_project.source.kind == of_file.source.kind
    assert of_project.cautions == of_file.cautions
    assert_equal_numbers(of_file, of_project)
    assert all(is_counted(submission) is (planned is True) for submission in Submission.objects.all())
