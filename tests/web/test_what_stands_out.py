"""Whoever stands out is shown by their clearest cases, worst first; the crowd is recorded once for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.urls import reverse

from labelhub.analytics.cases import stand_out
from labelhub.analytics.selectors import project_overview, standing_of
from labelhub.annotations.plain import rater_key
from labelhub.projects import teams
from labelhub.projects.models import Labeler
from labelhub.projects.policy import Policy
from labelhub.projects.services import imported_labeler, publish_policy
from labelhub.web.evidence import sentence_link
from tests.cast import Cast, make_cast
from tests.kept import Storages, made_once
from tests.web.test_cases import N_ITEMS, concerns, ring, store
from tests.web.world import add_item

pytestmark = pytest.mark.once
Crowded = tuple[Cast, dict[str, Labeler]]


@pytest.fixture(scope="module")
def recorded(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[tuple[Crowded, Storages]]:
    """The cast, the crowd and where its pictures lie, in a transaction around those of the tests."""
    yield from made_once(crowded, blocker=django_db_blocker, folder=tmp_path_factory.mktemp("crowd"))


@pytest.fixture
def cast(recorded, db, settings) -> Cast:
    settings.STORAGES = recorded[1]
    return recorded[0][0]


@pytest.fixture
def crowd(recorded) -> dict[str, Labeler]:
    return recorded[0][1]


def crowded() -> Crowded:
    """Ann draws too large and now and then another class; Ben hands in Rita's outlines; an expert's are gold."""
    cast = make_cast()
    publish_policy(project=cast.project, policy=Policy(readers=3, max_readers=3, min_gold=5, min_items=5), by=cast.ada)
    people = {user.username: Labeler.objects.get(project=cast.project, user=user) for user in (cast.ann, cast.ben)}
    people["expert"] = imported_labeler(project=cast.project, source_key="expert", name="Expert")
    people["rita"] = imported_labeler(project=cast.project, source_key="rater-9", name="Rater 9")
    for number in range(N_ITEMS):
        item = add_item(cast, source_id=f"task-{number}")
        shift = number % 5
        store(item, people["expert"], ring(30 + shift, 30, 10), is_gold=True)
        store(item, people["ann"], ring(30 + shift, 30, 14 + number / 4), label="debris" if number == 3 else "nucleus")
        store(item, people["rita"], ring(30 + shift, 30, 10.5))
        store(item, people["ben"], ring(30 + shift, 30, 10.5))
    return cast, people


def test_who_draws_too_large_is_shown_with_the_worst_item_first(cast, crowd):
    found = concerns(cast.project, crowd["ann"])
    size = next(concern for concern in found if "larger than gold" in concern.what)
    shares = [float(case.fact.partition("%")[0]) for case in size.cases]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 8
    assert shares[0] > 100
    assert all("Dice 0." in case.fact and case.against == "gold" for case in size.cases)


def test_a_copy_is_shown_beside_what_it_copies_on_both_pages(cast, crowd):
    for one, other in (("ben", "rita"), ("rita", "ben")):
        (copy,) = concerns(cast.project, crowd[one])
        assert copy.other == crowd[other]
        assert len(copy.items) == N_ITEMS
        assert all(case.fact.startswith("12 vertices, all the same") for case in copy.cases)


def test_a_copy_of_an_imported_reading_keeps_nobody_apart(cast, crowd, as_):
    context = as_("ada").get(reverse("manage-teams", args=["cells"])).context
    assert (context["pairs"], context["let_together"]) == ([], [])


def test_nothing_stands_out_about_the_one_whose_readings_are_gold(cast, crowd):
    assert concerns(cast.project, crowd["expert"]) == ()
    standing = standing_of(cast.project)
    assert stand_out(standing.panel) == {rater_key(crowd[name]) for name in ("ann", "ben", "rita")}


def test_each_sentence_leads_to_the_pictures_that_prove_it(cast, crowd, as_):
    links = [sentence_link(cast.project, sentence) for sentence in project_overview(cast.project).sentences]
    links = [link for link in links if "#" in link]
    assert {link.partition("#")[2] for link in links} == {"cases", "copies"}
    for link in links:
        page, _, place = link.partition("#")
        html = as_("ada").get(page).content.decode()
        assert f'id="{place}"' in html
        pictures = [part.partition('"')[0] for part in html.split('<img src="')[1:]]
        assert len(pictures) == 8
        answer = as_("ada").get(pictures[0].replace("&amp;", "&"))
        assert answer["Content-Type"] == "image/png"


def test_a_case_opens_the_item_with_exactly_its_layers(cast, crowd, as_):
    case = concerns(cast.project, crowd["ann"])[0].cases[0]
    page = as_("ada").get(reverse("manage-item", args=["cells", case.item]), {"layer": ",".join(case.layers)})
    assert page.context["viewer"]["asked"] == list(case.layers)


def test_labelers_who_stand_out_are_marked_by_a_word_in_the_table(cast, crowd, as_):
    html = as_("ada").get(reverse("manage-labelers", args=["cells"])).content.decode()
    assert html.count("stands out") == 3


def test_the_overview_of_a_team_says_what_stands_out_about_its_people_alone(cast, crowd, as_):
    team = teams.make_team(project=cast.project, name="Site", kind="site", by="test")
    teams.set_teams(labeler=crowd["ann"], teams=[team], by="test")
    page = as_("ada").get(reverse("manage-overview", args=["cells"]), {"team": team.pk})
    (first, link), *rest = page.context["sentences"]
    assert crowd["ann"].name in first.text
    assert link == f"{reverse('manage-labeler', args=['cells', crowd['ann'].pk])}?team={team.pk}#cases"
    said = " ".join(sentence.text for sentence, _ in rest)
    assert not any(crowd[name].name in said for name in ("ben", "rita"))
