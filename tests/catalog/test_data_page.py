"""The admin's Data page: who may open it, uploads in pieces, and rows that tell how an ingest stands."""

from __future__ import annotations

import dataclasses

import pytest
from django.urls import reverse

from labelhub.catalog.models import IngestEntry, IngestRun, Item
from labelhub.jobs.models import Job
from labelhub.jobs.worker import run_pending
from tests.catalog.arriving import picture

pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


@pytest.fixture
def admin(client, cast):
    client.force_login(cast.ada)
    return client


def _address(cast, name, *more):
    return reverse(name, args=[cast.project.slug, *more])


def _open(admin, cast, **options) -> int:
    answer = admin.post(_address(cast, "manage-data-upload"), options)
    assert answer.status_code == 200, answer.content
    return answer.json()["run"]


def _send(admin, cast, run: int, name: str, content: bytes, *, offset: int = 0, total: int | None = None):
    query = {"name": name, "offset": offset, "total": len(content) if total is None else total}
    return admin.post(
        _address(cast, "manage-data-piece", run), content, content_type="application/octet-stream", query_params=query
    )


def test_every_address_is_for_admins_alone(cast, client, settings, tmp_path):
    client.force_login(cast.ada)
    run = _open(client, cast)
    routes = [
        ("get", _address(cast, "manage-data")),
        ("post", _address(cast, "manage-data-upload")),
        ("post", _address(cast, "manage-data-folder")),
        ("get", _address(cast, "manage-data-run", run)),
        ("get", _address(cast, "manage-data-row", run)),
        *[
            ("post", _address(cast, f"manage-data-{name}", run))
            for name in ("piece", "start", "cancel", "resume", "abandon")
        ],
    ]
    for method, address in routes:
        for name, status in (("otto", 404), ("ann", 403), ("rita", 403)):
            client.force_login(getattr(cast, name))
            assert getattr(client, method)(address).status_code == status, (name, address)
        client.logout()
        assert client.get(address).status_code in {302, 405}
    assert IngestRun.objects.get().job_id is None
    assert IngestRun.objects.get().finished_at is None


def test_a_run_of_another_project_does_not_exist_here(cast, client):
    client.force_login(cast.otto)
    run = client.post(reverse("manage-data-upload", args=[cast.other_project.slug])).json()["run"]
    client.force_login(cast.ada)
    assert client.get(_address(cast, "manage-data-run", run)).status_code == 404
    assert _send(client, cast, run, "a.png", b"x").status_code == 404


def test_an_empty_project_says_what_to_do(cast, admin):
    page = admin.get(_address(cast, "manage-data")).content.decode()
    assert "Nothing came in yet" in page
    assert "LABELHUB_IN_PLACE_ROOTS" in page


def test_files_go_up_in_pieces_are_read_and_listed_with_their_remedies(cast, admin):
    run = _open(admin, cast)
    content = picture("PNG")
    half = len(content) // 2
    assert _send(admin, cast, run, "a/x.png", content[:half], total=len(content)).json() == {"held": half}
    lost = _send(admin, cast, run, "a/x.png", content[:half], total=len(content))
    assert (lost.status_code, lost.json()["held"]) == (409, half)
    _send(admin, cast, run, "a/x.png", content[half:], offset=half, total=len(content))
    _send(admin, cast, run, "bad.png", b"<script>alert(1)</script>")
    assert "2 files arrived" in admin.get(_address(cast, "manage-data")).content.decode()
    started = admin.post(_address(cast, "manage-data-start", run), headers={"Accept": "application/json"})
    assert started.json()["page"] == _address(cast, "manage-data-run", run)
    live = admin.get(_address(cast, "manage-data-row", run)).content.decode()
    assert "every 1s" in live
    assert "Cancel" in live
    run_pending(queues=["cpu"])
    over = admin.get(_address(cast, "manage-data-row", run)).content.decode()
    assert "every 1s" not in over
    assert "1 items from 1 files" in over
    page = admin.get(_address(cast, "manage-data-run", run), {"status": "refused"}).content.decode()
    assert "bad.png" in page
    assert "whatever the name says" in page
    assert "a/x.png" not in page
    table = b"".join(admin.get(_address(cast, "manage-data-run", run), {"format": "csv"}).streaming_content).decode()
    assert f"a/x.png,stored,,,{Item.objects.get().code}" in table


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"name": "../x", "offset": 0, "total": 1}, "points elsewhere"),
        ({"name": "x", "offset": "one", "total": 1}, "no number"),
        ({"name": "x", "offset": 0, "total": 10**12}, "GiB"),
        ({"name": "x", "offset": 0, "total": 0}, "More bytes"),
    ],
)
def test_a_piece_that_cannot_be_taken_is_refused_in_words(cast, admin, query, words):
    run = _open(admin, cast)
    answer = admin.post(
        _address(cast, "manage-data-piece", run), b"x", content_type="application/octet-stream", query_params=query
    )
    assert answer.status_code == 409
    assert words in answer.json()["detail"]


def test_wrong_options_are_told_before_anything_is_sent(cast, admin):
    answer = admin.post(_address(cast, "manage-data-upload"), {"subject_from": "pattern", "pattern": "("})
    assert answer.status_code == 409
    assert "regular expression" in answer.json()["detail"]
    assert not IngestRun.objects.exists()


def test_options_of_rules_that_were_not_chosen_do_not_matter(cast, admin):
    run = _open(admin, cast, subject_from="folder", folder_level="2", pattern="(", table="")
    assert IngestRun.objects.get(pk=run).options["folder_level"] == 2


def test_an_upload_can_be_given_up(cast, admin):
    run = _open(admin, cast)
    _send(admin, cast, run, "a.png", picture("PNG"))
    assert admin.post(_address(cast, "manage-data-abandon", run)).status_code == 302
    assert IngestEntry.objects.get().status == "ignored"
    assert _send(admin, cast, run, "b.png", b"x").status_code == 409
    assert admin.post(_address(cast, "manage-data-abandon", run)).status_code == 409


def test_a_folder_is_read_in_place_where_it_is_allowed(cast, admin, settings, tmp_path):
    place = tmp_path / "open"
    place.mkdir()
    (place / "a.png").write_bytes(picture("PNG"))
    address = _address(cast, "manage-data-folder")
    refused = admin.post(address, {"location": str(place)})
    assert refused.status_code == 409
    assert "may not be read in place" in refused.content.decode()
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, in_place_roots=(tmp_path,))
    assert "may be read" not in admin.get(_address(cast, "manage-data")).content.decode()
    assert admin.post(address, {"location": str(place)}).status_code == 302
    run_pending(queues=["cpu"])
    assert Item.objects.count() == 1


def test_a_running_ingest_is_cancelled_and_goes_on_from_the_page(cast, admin):
    run = _open(admin, cast)
    _send(admin, cast, run, "a.png", picture("PNG"))
    admin.post(_address(cast, "manage-data-start", run))
    cancelled = admin.post(_address(cast, "manage-data-cancel", run))
    assert "Go on" in cancelled.content.decode()
    assert Job.objects.get().state == "cancelled"
    assert "Cancel" in admin.post(_address(cast, "manage-data-resume", run)).content.decode()
    run_pending(queues=["cpu"])
    assert Item.objects.count() == 1


def test_starting_an_upload_twice_is_once(cast, admin):
    run = _open(admin, cast)
    _send(admin, cast, run, "a.png", picture("PNG"))
    for _ in range(2):
        assert admin.post(_address(cast, "manage-data-start", run)).status_code == 302
    assert Job.objects.count() == 1


def test_names_of_files_are_text_on_the_page(cast, admin):
    run = _open(admin, cast)
    _send(admin, cast, run, "<img src=x onerror=alert(1)>.png", b"x")
    admin.post(_address(cast, "manage-data-start", run))
    run_pending(queues=["cpu"])
    assert "<img src=x" not in admin.get(_address(cast, "manage-data-run", run)).content.decode()
    assert "<img src=x" not in admin.get(_address(cast, "manage-data")).content.decode()
