"""The overview, the labelers and the disputes of a project: current or said to be behind, and no word beyond the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelhub.accounts.services import create_person
from labelhub.analytics import selectors, services
from labelhub.analytics.labeler_standings import standings_of
from labelhub.analytics.models import Rollup
from labelhub.catalog.models import Item
from labelhub.formats.shapes import AnnotationSet
from labelhub.formats.sources import read_annotations
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from labelhub.projects.models import Labeler, Project
from labelhub.projects.permissions import Secrecy, registration_of
from labelhub.projects.policy import Policy
from labelhub.projects.services import create_project
from labelhub.workflow.importing import import_readings, ontology_of
from tests.analyze.making import box, make_set, reading

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def imported(readings: AnnotationSet, gold: AnnotationSet | None = None) -> Project:
    ada = create_person(username="ada", display_name="Ada", actor="test")
    project = create_project(name="Imported", ontology=ontology_of(readings), policy=Policy(), created_by=ada)
    import_readings(project=project, readings=readings, by=None, gold=gold, is_routed=False)
    return project


def agreed(n: int = 30) -> AnnotationSet:
    return make_set([reading(f"i{k:02d}", r, box(10 + k, 10)) for k in range(n) for r in ("ann", "ben", "cyd")])


@pytest.mark.django_db
def test_an_empty_project_says_what_to_do_next() -> None:
    project = imported(make_set([]))
    overview = selectors.project_overview(project)
    assert [sentence.target.kind for sentence in overview.sentences] == ["data"]
    assert overview.n_items == overview.n_submissions == 0
    assert selectors.disputed_items(project) == ()


@pytest.mark.django_db
def test_where_nothing_is_wrong_no_alarm_is_raised() -> None:
    overview = selectors.project_overview(imported(agreed()))
    texts = [sentence.text for sentence in overview.sentences]
    assert len(texts) <= 4
    assert any("No labeler is shown to differ" in text for text in texts)
    assert all(sentence.tone != "bad" for sentence in overview.sentences)
    assert sum(overview.funnel.values()) == overview.n_items == 30


@pytest.mark.django_db
def test_the_planted_faults_of_the_sample_are_said_with_their_evidence() -> None:
    project = imported(
        read_annotations(FIXTURES / "sample_readings"), read_annotations(FIXTURES / "sample_gold", raters={"*": "gold"})
    )
    overview = selectors.project_overview(project)
    texts = [sentence.text for sentence in overview.sentences]
    assert len(texts) <= 4
    assert any("ben and cyd share 32" in text for text in texts)
    alarm = next(sentence for sentence in overview.sentences if "ben draws" in sentence.text)
    ben = Labeler.objects.get(project=project, source_key="ben")
    assert (alarm.target.kind, alarm.target.key) == ("labeler", str(ben.pk))
    assert set(alarm.target.items) <= set(Item.objects.filter(project=project).values_list("code", flat=True))
    rows = {entry.labeler.source_key: entry.row for entry in standings_of(project).rows}
    assert rows["ann"] is not None
    assert rows["gold"] is None
    assert len(selectors.disputed_items(project, limit=3)) == 3
    assert overview.gold is not None
    assert overview.gold.n_items == 24


@pytest.mark.django_db
def test_a_page_measures_once_and_again_only_after_something_changed(monkeypatch) -> None:
    project = imported(agreed(4))
    first = selectors.standing_of(project)
    assert first is not None
    monkeypatch.setattr(selectors, "measure_project", lambda _: pytest.fail("measured again without need"))
    again = selectors.standing_of(project)
    assert again is not None
    assert (again.is_current, again.made_at) == (True, first.made_at)
    monkeypatch.undo()
    more = make_set([reading("new", "ann", box(10, 10))])
    import_readings(project=project, readings=more, by=None, is_routed=False)
    after = selectors.standing_of(project)
    assert after is not None
    assert after.panel.source.n_items == 5


@pytest.mark.django_db
def test_a_large_project_shows_the_last_measure_says_how_far_it_is_behind_and_asks_a_worker(monkeypatch) -> None:
    monkeypatch.setattr(selectors, "MEASURED_AT_ONCE", 5)
    project = imported(agreed(4))
    assert selectors.standing_of(project) is None
    assert selectors.project_overview(project).standing is None
    assert Job.objects.filter(kind=services.JOB_KIND).count() == 1
    run_pending(queues=["cpu"])
    standing = selectors.standing_of(project)
    assert standing is not None
    assert standing.is_current
    import_readings(project=project, readings=make_set([reading("new", "ann", box(10, 10))]), by=None, is_routed=False)
    behind = selectors.standing_of(project)
    assert behind is not None
    assert (behind.is_current, behind.n_since) == (False, 1)


@pytest.mark.django_db
def test_excluding_an_item_makes_the_numbers_old_and_takes_it_out_of_them() -> None:
    project = imported(agreed(4))
    assert selectors.standing_of(project) is not None
    Item.objects.filter(pk=Item.objects.filter(project=project).first().pk).update(state=Item.State.EXCLUDED)
    standing = selectors.standing_of(project)
    assert standing is not None
    assert standing.panel.source.n_items == 3


@pytest.mark.django_db
def test_a_rollup_of_another_version_is_made_again_and_not_shown() -> None:
    project = imported(agreed(3))
    selectors.standing_of(project)
    Rollup.objects.update(content=b"junk")
    standing = selectors.standing_of(project)
    assert standing is not None
    assert standing.panel.source.n_items == 3


@pytest.mark.django_db
def test_one_read_an_item_says_what_cannot_be_concluded() -> None:
    project = imported(make_set([reading(f"i{n}", "ann", box(10, 10)) for n in range(5)]))
    texts = " ".join(sentence.text for sentence in selectors.project_overview(project).sentences)
    assert "nothing can be concluded" in texts
    assert "381" in texts


@pytest.mark.django_db
def test_numbers_never_reach_annotators() -> None:
    registration = registration_of(Rollup)
    assert registration is not None
    assert registration.secrecy is Secrecy.HIDDEN
