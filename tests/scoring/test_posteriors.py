"""The kept posterior of an item: renewed with each reading, judged anew by a project-wide fit, hidden from annotators.

Planted once and seen to fail: the value taken over the mean of units; an uncalibrated value called calibrated; a fit
that forgets items whose readings came in before the last fit (fourth test).
"""

from __future__ import annotations

import pytest

from labelhub.jobs.models import Job
from labelhub.projects.permissions import visible_to
from labelhub.scoring.models import Posterior, TruthFit
from labelhub.scoring.posteriors import FIT_KIND, fit_project, posterior_of, standing_fits
from labelhub.scoring.truth_fit import belief
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, set_policy, store

SQUARE, ALIKE, OTHER = (10, 10, 20), (11, 10, 20), (40, 40, 15)


@pytest.fixture(autouse=True)
def _no_hidden_gold(cast: Cast) -> None:
    set_policy(cast, readers=2, max_readers=5)


def test_nothing_is_said_of_an_item_that_nobody_read(cast: Cast):
    found = posterior_of(add_item(cast.project))
    assert (found.value, found.is_calibrated, found.reason) == (None, False, "nobody has read the item yet")


def test_each_reading_renews_it_and_the_least_sure_object_names_it(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE, OTHER)
    first = posterior_of(item)
    store(cast, item, cast.ben, ALIKE)
    second = posterior_of(item)
    assert first.value != second.value
    assert second.worst_cluster == "nucleus 2", "only one of two readers has the second object"
    # Two equal raters of four categories, one each for two of them.
    assert second.value == pytest.approx(0.8 * 0.2 / 3 / (2 * (0.8 * 0.2 / 3) + 2 * (0.2 / 3) ** 2))
    store(cast, item, new_annotator(cast, "Cleo"), ALIKE)
    assert posterior_of(item).value > 0.5


def test_it_is_calibrated_only_with_enough_known_answers(cast: Cast):
    set_policy(cast, readers=2, max_readers=5, calibration_items=3)
    for number in range(3):
        item = add_item(cast.project, seed=number)
        store(cast, item, cast.rita, SQUARE, is_gold=True)
        store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, ALIKE)
    late = add_item(cast.project, seed=9)
    store(cast, late, cast.ann, SQUARE)
    assert not posterior_of(late).is_calibrated, "nothing was estimated yet"
    result = fit_project(cast.project)
    assert result["items"] == 4
    found = posterior_of(late)
    assert (found.is_calibrated, found.n_calibration) == (True, 3)


def test_a_fit_is_asked_for_once_and_replaces_what_stood(cast: Cast):
    for number in range(2):
        item = add_item(cast.project, seed=number)
        store(cast, item, cast.ann, SQUARE)
        store(cast, item, cast.ben, SQUARE)
    assert Job.objects.filter(kind=FIT_KIND).count() == 1
    fit_project(cast.project)
    assert fit_project(cast.project)["items"] == 2, "also those that were read before the last fit"
    standing = TruthFit.objects.filter(replaced_at=None)
    assert set(standing.values_list("topic", flat=True)) >= {"objects", "finding", "shapes"}
    assert standing.count() == len(set(standing.values_list("topic", flat=True)))
    assert standing.get(topic="objects").n_units == 2
    assert TruthFit.objects.exclude(replaced_at=None).exists()
    Job.objects.all().delete()
    store(cast, add_item(cast.project, seed=5), cast.ann, SQUARE)
    assert Job.objects.get(kind=FIT_KIND).not_before is not None, "soon after the last, not at once"


def test_a_reading_that_changes_nothing_computes_nothing(cast: Cast, monkeypatch):
    from labelhub.scoring import posteriors
    from labelhub.scoring.services import score_item

    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    monkeypatch.setattr(posteriors, "judge", lambda *args, **rest: pytest.fail("computed twice"))
    assert score_item(item).judged is None


def test_raters_are_told_apart_across_items(cast: Cast):
    """Ann and Ben see the same objects; Cleo marks one more on every item. Of two votes to one hers weighs least."""
    cleo = new_annotator(cast, "Cleo")
    for number in range(12):
        item = add_item(cast.project, seed=number)
        for user in (cast.ann, cast.ben, new_annotator(cast, f"D{number}")):
            store(cast, item, user, SQUARE, is_routed=False)
        store(cast, item, cleo, SQUARE, OTHER)
    fit_project(cast.project)
    fit = standing_fits(cast.project.pk).topics["objects"]
    ann, her = str(labeler(cast, cast.ann).pk), str(labeler(cast, cleo).pk)
    found = belief(fit, {ann: "", her: "nucleus"})
    assert found.winner == "", "even votes, and she is known to see what is not there"
    assert found.confidence > 0.8


def test_annotators_and_outsiders_never_see_it(cast: Cast):
    item = add_item(cast.project)
    store(cast, item, cast.ann, SQUARE)
    for person in (cast.ann, cast.ben, cast.otto):
        assert not visible_to(person, Posterior.objects.all()).exists()
        assert not visible_to(person, TruthFit.objects.all()).exists()
