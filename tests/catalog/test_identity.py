"""Whose pictures these are: by the rule that was chosen, never by a guess, and never readable afterwards."""

from __future__ import annotations

import logging

import pytest
from django.apps import apps
from django.core import serializers

from labelhub.catalog.errors import CatalogProblem
from labelhub.catalog.identity import IngestOptions, places_of, read_options
from labelhub.catalog.models import IngestEntry, Item, Subject
from labelhub.catalog.name_patterns import match_names
from labelhub.jobs.models import Job
from labelhub.projects.permissions import visible_to
from tests.catalog.arriving import bring, dicom, outcome, picture, series


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "arriving"
    place.mkdir()
    return place


def _groups() -> list[tuple[str, str]]:
    return sorted(Item.objects.values_list("group_kind", "group_key"))


def test_dicom_tags_tell_patient_and_study(cast, folder):
    series(folder / "a", patient="P1", prefix="one")
    series(folder / "b", patient="P1", prefix="two")
    series(folder / "c", patient="", study="1.2.3")
    series(folder / "d", patient="P2")
    bring(cast, folder)
    assert Item.objects.count() == 4
    assert sorted(Item.objects.values_list("group_kind", flat=True)) == ["patient", "patient", "patient", "study"]
    assert Subject.objects.count() == 2


def test_without_a_rule_nothing_is_guessed_for_a_photograph(cast, folder):
    (folder / "patient7").mkdir()
    (folder / "patient7" / "a.png").write_bytes(picture("PNG"))
    bring(cast, folder)
    assert _groups() == [("unknown", "")]


def test_folders_tell_subject_and_study(cast, folder):
    for number, place in enumerate(("p1/first", "p1/second", "p2/first")):
        (folder / place).mkdir(parents=True)
        (folder / place / "a.png").write_bytes(picture("PNG", number))
    (folder / "loose.png").write_bytes(picture("PNG", 9))
    bring(cast, folder, subject_from="folder", subject_kind="slide")
    assert [kind for kind, _ in _groups()] == ["slide", "slide", "slide", "unknown"]
    assert len({key for kind, key in _groups() if kind == "slide"}) == 2
    assert Item.objects.exclude(study=None).values("study").distinct().count() == 3


def test_a_pattern_tells_them_from_the_name(cast, folder):
    for number, name in enumerate(("s1_left.png", "s1_right.png", "s2_left.png", "other.png")):
        (folder / name).write_bytes(picture("PNG", number))
    bring(cast, folder, subject_from="pattern", item_per="pattern", pattern=r"(?P<item>(?P<subject>s\d))_")
    assert sorted(item.media.count() for item in Item.objects.all()) == [1, 1, 2]
    assert Subject.objects.count() == 2


def test_a_table_tells_them_by_column(cast, folder):
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        (folder / name).write_bytes(picture("PNG", number))
    (folder / "who.csv").write_text("file,patient,task\na.png,P1,17\nb.png,P1,18\n")
    options = {"table": "who.csv", "subject_column": "patient", "source_id_column": "task"}
    run = bring(cast, folder, subject_from="column", **options)
    assert outcome(run) == {"a.png": "stored", "b.png": "stored", "c.png": "stored", "who.csv": "ignored"}
    assert [kind for kind, _ in _groups()] == ["patient", "patient", "unknown"]
    assert sorted(Item.objects.values_list("source_id", flat=True)) == ["", "17", "18"]
    assert "does not name this file" in IngestEntry.objects.get(path="c.png").message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name,patient\na.png,P1\n", "no column file"),
        (b"file,patient\na.png,P1\na.png,P2\n", "Line 3"),
        (b"file,patient\n\xff\xfe,P1\n", "UTF-8"),
        (b"", "no column"),
        (None, "not among the files"),
    ],
)
def test_a_table_that_cannot_be_used_stops_the_run_with_a_sentence(cast, folder, content, words):
    (folder / "a.png").write_bytes(picture("PNG"))
    if content is not None:
        (folder / "who.csv").write_bytes(content)
    bring(cast, folder, subject_from="column", table="who.csv", subject_column="patient")
    job = Job.objects.get()
    assert (job.state, job.attempt) == ("failed", 1)
    assert words in job.error
    assert not Item.objects.exists()


def test_media_of_one_study_become_one_item_and_patients_are_never_mixed(cast, folder):
    series(folder, patient="P1", study="1.2.3", prefix="t1")
    series(folder, patient="P1", study="1.2.3", prefix="t2", n=3)
    series(folder, patient="P2", study="1.2.4", prefix="other")
    bring(cast, folder, item_per="study")
    assert sorted(item.media.count() for item in Item.objects.all()) == [1, 2]
    assert {item.group_kind for item in Item.objects.all()} == {"patient"}


def test_one_folder_with_two_patients_gives_two_items(cast, folder):
    dicom(folder / "a.dcm", PatientID="P1", SeriesInstanceUID="1.2.1")
    dicom(folder / "b.dcm", PatientID="P2", SeriesInstanceUID="1.2.2")
    dicom(folder / "c.dcm", PatientID="P2", SeriesInstanceUID="1.2.3")
    (folder / "sub").mkdir()
    dicom(folder / "sub" / "a.dcm", PatientID="P1", SeriesInstanceUID="1.2.4")
    dicom(folder / "sub" / "b.dcm", PatientID="P2", SeriesInstanceUID="1.2.5")
    bring(cast, folder / "sub", item_per="folder")
    assert Item.objects.count() == 2
    bring(cast, folder.parent, item_per="folder")
    assert sorted(item.media.count() for item in Item.objects.all()) == [1, 1, 1, 2]


def test_a_pattern_that_never_comes_back_is_stopped():
    with pytest.raises(CatalogProblem, match="took longer"):
        match_names(r"(?P<subject>(a+)+)$", ["a" * 60 + "!"], limit_s=0.5)


@pytest.mark.parametrize("pattern", ["", "(", "(?P<subject>a", "no groups", "(?P<name>a)", "x" * 301])
def test_a_pattern_that_is_none_is_refused_with_an_example(pattern):
    with pytest.raises(CatalogProblem, match=r"\(\?P<subject>"):
        read_options({"subject_from": "pattern", "pattern": pattern})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subject_from": "guess"}, "auto, folder, pattern, column"),
        ({"item_per": "week"}, "file, study, folder, pattern"),
        ({"subject_kind": "Patient X!"}, "one word"),
        ({"folder_level": 9}, "1 to 6"),
        ({"colour": "red"}, "Unknown options: colour"),
        ({"subject_from": "column"}, "not named"),
    ],
)
def test_wrong_options_are_named_with_what_is_allowed(options, words):
    with pytest.raises(CatalogProblem, match=words):
        read_options(options)


def test_options_survive_their_document():
    options = IngestOptions(subject_from="folder", folder_level=2)
    assert read_options(options.to_document()) == options


def test_the_level_of_the_folder_can_be_chosen():
    places = places_of(["site/p1/s1/a.png", "site/a.png"], IngestOptions(subject_from="folder", folder_level=2), None)
    assert (places["site/p1/s1/a.png"].subject, places["site/p1/s1/a.png"].study) == ("p1", "s1")
    assert places["site/a.png"].subject == ""


CANARIES = (
    "Canary^Patient",
    "CANARYID",
    "canaryfolder",
    "canaryfile",
    "canaryaccession",
    "CanaryHospital",
    "1.2.999.777",
)


def test_identifiers_in_tags_names_and_folders_reach_no_row_that_an_annotator_or_reviewer_sees(cast, folder, caplog):
    place = folder / "canaryfolder"
    dicom(
        place / "canaryfile.dcm", PatientName="Canary^Patient", PatientID="CANARYID", AccessionNumber="canaryaccession",
        InstitutionName="CanaryHospital", StudyInstanceUID="1.2.999.777", BodyPartExamined="Canary^Patient",
        StudyDescription="CanaryHospital", ConvolutionKernel="CANARYID",
    )  # fmt: skip
    (place / "canaryfile.png").write_bytes(b"no picture")
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        run = bring(cast, folder, subject_from="folder")
    assert sorted(outcome(run).values()) == ["refused", "stored"]
    for person in (cast.ann, cast.rita):
        for model in apps.get_models():
            rows = visible_to(person, model._default_manager.all())
            _assert_free(serializers.serialize("json", rows), f"{model.__name__} as {person}")
    from labelhub.audit.models import Event

    _assert_free(serializers.serialize("json", Event.objects.all()), "audit")
    _assert_free(serializers.serialize("json", Job.objects.all()), "jobs")
    _assert_free(serializers.serialize("json", Item.objects.all()), "items")
    _assert_free(caplog.text, "log")
    assert "canaryfile" in serializers.serialize("json", visible_to(cast.ada, IngestEntry.objects.all()))


def _assert_free(text: str, where: str) -> None:
    for canary in CANARIES:
        assert canary.lower() not in text.lower(), f"{canary} in {where}"
