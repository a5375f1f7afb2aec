"""What work cost and drafts saved: at the price of the day, an interval where something is estimated, and "not known" else.

Planted once and seen to fail: yesterday's work at today's price; a reading without a time counted as none; an amount of two
currencies; the time of imported raters; the interval over items where patients are known; a price that holds only after the
instant it was given; each reading read by itself; what was typed gone after a refusal; amounts without cents.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelhub.analytics.costs import COUNTED, SEED, Cost, project_cost
from labelhub.analytics.draft_effects import draft_effect
from labelhub.annotations.models import Submission
from labelhub.audit.models import Event
from labelhub.numerics.bootstrap import Resampling, mean_estimate
from labelhub.projects.models import PriceVersion, StaleEdit
from labelhub.projects.prices import Prices, PricesProblem, read_prices
from labelhub.projects.selectors import price_versions
from labelhub.projects.services import imported_labeler, publish_prices
from labelhub.reviews.error_models import DeskTime
from labelhub.workflow import lifecycle
from tests.cast import Cast, make_cast
from tests.web.test_models_page import SQUARE, helped, page
from tests.workflow.walking import add_item, set_policy, square_reading, store

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]

EUROS = Prices(30.0, 60.0, "EUR")


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    set_policy(made, readers=2, drafts="asked")
    return made


def cost_of(cast: Cast) -> Cost:
    return project_cost(cast.project, draft_effect(cast.project))


def timed(cast: Cast, seconds: float | None, *, days_ago: int = 0, subject: str | None = None) -> Submission:
    submission = store(cast, add_item(cast.project, subject=subject), cast.ann, SQUARE, is_routed=False)
    at = timezone.now() - timedelta(days=days_ago)
    Submission.objects.filter(pk=submission.pk).update(active_s=seconds, submitted_at=at)
    return submission


def test_what_was_measured_is_counted_at_the_price_of_its_day(cast: Cast):
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    PriceVersion.objects.update(created_at=timezone.now() - timedelta(days=10))
    publish_prices(project=cast.project, prices=Prices(60.0, 60.0, "EUR"), by=cast.ada)
    timed(cast, 3600.0, days_ago=5)
    timed(cast, 1800.0)
    # Before anybody gave a price the first one holds.
    timed(cast, 3600.0, days_ago=20)
    DeskTime.objects.create(item=add_item(cast.project), reviewer=cast.rita, active_s=900.0, beat_at=timezone.now())
    found = cost_of(cast)
    assert found.labeling.value == pytest.approx(30 + 30 + 30)
    assert (found.labeling.n, found.labeling.interval_reason, np.isnan(found.labeling.low)) == (3, COUNTED, True)
    assert found.reviewing.value == pytest.approx(15)
    assert (found.version, found.n_untimed) == (2, 0)


def test_readings_without_a_time_are_taken_at_the_mean_and_only_they_have_an_interval(cast: Cast):
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    rng = np.random.default_rng(3)
    times = rng.normal(600, 120, 24)
    for number, seconds in enumerate(times):
        timed(cast, float(seconds), subject=f"patient-{number % 12}")
    for _ in range(6):
        timed(cast, None)
    # What an imported rater read elsewhere cost nothing here.
    imported = imported_labeler(project=cast.project, source_key="r1", name="R1")
    item = add_item(cast.project)
    lifecycle.record_reading(
        item=item, labeler=imported, reading=square_reading(item, "R1", SQUARE), active_s=9e6, is_routed=False
    )
    found = cost_of(cast)
    rate = 30.0 / 3600
    assert found.labeling.value == pytest.approx(rate * (times.sum() + 6 * times.mean()))
    assert rate * times.sum() < found.labeling.low < found.labeling.value < found.labeling.high
    assert found.labeling.high - found.labeling.low < rate * 6 * 300
    assert (found.labeling.n, found.n_untimed, found.labeling.n_groups) == (24, 6, 12)
    assert "6 of 30 at the mean time" in found.labeling.method


def test_what_drafts_saved_is_their_hours_at_todays_price(cast: Cast):
    rng = np.random.default_rng(4)
    for _ in range(30):
        helped(cast, cast.ann, "shown", float(rng.normal(20, 2)))
        helped(cast, cast.ann, "withheld", float(rng.normal(60, 5)), why="compared")
    assert cost_of(cast).saved.reason == "nobody said what an hour of labeling costs"
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    hours, money = draft_effect(cast.project).saved_h, cost_of(cast).saved
    assert money.value == pytest.approx(30 * hours.value)
    assert money.low == pytest.approx(30 * hours.low)
    assert money.high == pytest.approx(30 * hours.high)
    assert (money.n, money.low < money.value < money.high) == (60, True)


def row_by_row(
    rows: list[tuple[datetime, float | None, str]], known: list[tuple[datetime, float]]
) -> tuple[float, ...]:
    """The amount and its interval with each row looked at by itself; the interval is NaN where all times are known."""

    def held(at: datetime) -> float:
        earlier = [price for since, price in known if since <= at]
        return (earlier[-1] if earlier else known[0][1]) / 3600

    timed = [(held(at) * seconds, seconds, group) for at, seconds, group in rows if seconds is not None]
    spent, rate = sum(one[0] for one in timed), sum(held(at) for at, seconds, _ in rows if seconds is None)
    if not rate:
        return spent, np.nan, np.nan
    groups = np.array([group for _, _, group in timed])
    resampling = Resampling(np.random.default_rng(SEED), groups=groups, kind="percentile")
    mean = mean_estimate([seconds for _, seconds, _ in timed], resampling)
    return spent + rate * mean.value, spent + rate * mean.low, spent + rate * mean.high


@pytest.mark.parametrize("seed", range(3))
def test_what_the_database_adds_up_is_what_each_row_by_itself_gives(cast: Cast, seed: int):
    rng = np.random.default_rng(seed)
    now = timezone.now()
    prices = [Prices(None, 50.0, "EUR"), Prices(20.0, None, "EUR"), Prices(35.0, 80.0, "EUR")]
    starts = [now - timedelta(days=days) for days in (9, 6, 3)]
    for number, (start, given) in enumerate(zip(starts, prices, strict=True), start=1):
        publish_prices(project=cast.project, prices=given, by=cast.ada)
        PriceVersion.objects.filter(number=number).update(created_at=start)
    read, reviewed = [], []
    for number in range(30):
        seconds = None if number == 1 or (number and rng.random() < 0.2) else float(rng.normal(90, 20))
        # Some work begins with a price, to the instant.
        at = starts[number % 3] if number < 3 else now - timedelta(days=float(rng.uniform(0, 12)))
        submission = timed(cast, seconds, subject=f"patient-{number % 7}" if number % 3 else None)
        Submission.objects.filter(pk=submission.pk).update(submitted_at=at)
        item = submission.assignment.item
        read.append((at, seconds, item.group_key or item.code))
        DeskTime.objects.create(item=item, reviewer=cast.rita, active_s=number * 1.5, beat_at=at)
        reviewed.append((at, number * 1.5, ""))
    found = cost_of(cast)
    assert found.n_untimed == sum(seconds is None for _, seconds, _ in read) > 0
    for one, rows, known in (
        (found.labeling, read, [(starts[1], 20.0), (starts[2], 35.0)]),
        (found.reviewing, reviewed, [(starts[0], 50.0), (starts[2], 80.0)]),
    ):
        assert (one.value, one.low, one.high) == pytest.approx(row_by_row(rows, known), rel=1e-12, nan_ok=True)
    assert found.labeling.n_groups == len({group for _, seconds, group in read if seconds is not None})


def test_more_work_is_read_with_as_many_queries_and_no_row_by_itself(cast: Cast):
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    effect = draft_effect(cast.project)
    for n_more in (4, 12):
        for number in range(n_more):
            timed(cast, float(number) if number % 2 else None, subject="one")
        with CaptureQueriesContext(connection) as asked:
            project_cost(cast.project, effect)
        assert len(asked) == 4
        # All readings are of one patient and at one price: whatever is asked of them comes back as one row.
        of_readings = [query["sql"] for query in asked if '"annotations_submission"' in query["sql"]]
        with connection.cursor() as cursor:
            assert [len(cursor.execute(sql).fetchall()) for sql in of_readings] == [1, 1]


def reasons(found: Cost) -> list[Any]:
    return [one.reason for one in (found.labeling, found.reviewing, found.saved)]


def test_what_is_not_known_says_why_and_is_no_number(cast: Cast):
    assert reasons(cost_of(cast))[:2] == ["no labeling was done here yet", "no reviewing was done here yet"]
    timed(cast, None)
    assert reasons(cost_of(cast))[0] == "the time of no labeling is known"
    timed(cast, 60.0)
    assert reasons(cost_of(cast))[0] == "nobody said what an hour of labeling costs"
    publish_prices(project=cast.project, prices=Prices(None, 40.0, "EUR"), by=cast.ada)
    assert reasons(cost_of(cast))[0] == "nobody said what an hour of labeling costs"
    body = page(cast, cast.ada).content.decode()
    assert "What labeling cost is not known: nobody said what an hour of labeling costs." in body
    publish_prices(project=cast.project, prices=Prices(10.0, 40.0, "EUR"), by=cast.ada)
    assert reasons(cost_of(cast))[0] is None
    publish_prices(project=cast.project, prices=Prices(10.0, 40.0, "USD"), by=cast.ada)
    assert reasons(cost_of(cast))[0] == "prices were given in EUR and in USD, which do not add up"


def test_an_admin_gives_prices_and_each_change_is_a_version(cast: Cast):
    assert "nobody said what an hour of work costs" in page(cast, cast.ada).content.decode()
    sent = page(cast, cast.ada, "prices/", version="0", labeling="32,50", reviewing="", currency="EUR")
    assert sent.status_code == 302
    ((version, prices),) = price_versions(cast.project)
    assert (version.number, version.created_by, prices) == (1, cast.ada, Prices(32.5, None, "EUR"))
    assert Event.objects.filter(kind="prices.published").count() == 1
    body = page(cast, cast.ada).content.decode()
    assert 'value="32.5"' in body
    # The same again makes no version; a change over somebody else's is kept and refused.
    page(cast, cast.ada, "prices/", version="1", labeling="32.5", reviewing="", currency="EUR")
    page(cast, cast.ada, "prices/", version="0", labeling="99", reviewing="", currency="EUR")
    assert PriceVersion.objects.count() == 1
    assert StaleEdit.objects.get().what == "prices"
    body = page(cast, cast.ada).content.decode()
    assert "Not published" in body
    assert "<strong>Version 1</strong>" not in body, "the one that holds is none of the earlier ones"
    page(cast, cast.ada, "prices/", version="1", labeling="40", reviewing="", currency="EUR")
    body = page(cast, cast.ada).content.decode()
    assert "<strong>Version 1</strong>" in body
    assert "labeling 32.50 EUR, reviewing not known" in body
    for user, status in ((cast.ann, 403), (cast.rita, 403), (cast.otto, 404)):
        assert page(cast, user, "prices/", version="2", labeling="1", currency="EUR").status_code == status
    assert PriceVersion.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"labeling": "much"}, "is a number without a separator of thousands"),
        ({"labeling": "1.000,50"}, "is a number without a separator of thousands"),
        ({"labeling": "1,000"}, "1,000 may be 1 or 1 thousand"),
        ({"reviewing": "12.000"}, "12.000 may be 12 or 12 thousand"),
        ({"labeling": "-1"}, "is a number from 0 to 1,000,000"),
        ({"labeling": "nan"}, "is a number from 0 to 1,000,000"),
        ({"reviewing": "1e999"}, "is a number from 0 to 1,000,000"),
        ({"currency": ""}, "A price needs a currency"),
    ],
)
def test_a_wrong_price_is_refused_in_words_and_stays_in_the_form(cast: Cast, wrong: dict[str, str], words: str):
    typed = {"labeling": "7,5", "reviewing": "9", "currency": "EUR"} | wrong
    client = Client()
    client.force_login(cast.ada)
    answer = client.post(f"/manage/{cast.project.slug}/models/prices/", typed, follow=True)
    body = answer.content.decode()
    assert words in body
    assert not PriceVersion.objects.exists()
    for name, value in typed.items():
        field = re.search(rf'<input id="price-{name}".*?>', body, re.DOTALL)
        assert field is not None
        assert f'value="{value}"' in field[0]


def test_prices_that_were_taken_back_leave_amounts_in_their_currency(cast: Cast):
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    timed(cast, 120.0)
    publish_prices(project=cast.project, prices=Prices(), by=cast.ada)
    body = page(cast, cast.ada).content.decode()
    assert "1.00 EUR" in body
    assert "the last that was said counts on" in body


def test_small_amounts_are_shown_with_cents_and_whole_prices_without_a_point(cast: Cast):
    publish_prices(project=cast.project, prices=EUROS, by=cast.ada)
    for seconds in (30.0, 50.0, None):
        timed(cast, seconds)
    DeskTime.objects.create(
        item=add_item(cast.project), reviewer=cast.rita, active_s=9 * 3600.0, beat_at=timezone.now()
    )
    body = page(cast, cast.ada).content.decode()
    assert "1.00 EUR" in body, "two readings of 40 s in the mean and one taken at that, at 30 an hour"
    assert "540 EUR" in body
    assert "1 reading has no measured time and is taken at the mean of the others" in " ".join(body.split())
    assert 'value="30"' in body


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"labeling": "x"}, "labeling costs is a number"),
        ({"reviewing": True}, "reviewing costs is a number"),
        ({"labeling": float("inf"), "currency": "EUR"}, "is a number"),
        ({"labeling": 1.0}, "needs a currency"),
        ({"currency": "E" * 21}, "at most 20 letters"),
        ({"currency": "E\n"}, "at most 20 letters"),
        ({"tip": 1}, "Unknown prices: tip"),
    ],
)
def test_prices_that_are_none_are_refused(document: dict[str, Any], words: str):
    with pytest.raises(PricesProblem, match=words):
        read_prices(document)


def test_prices_survive_their_document():
    assert read_prices(EUROS.to_document()) == EUROS
    assert read_prices({}) == Prices()
