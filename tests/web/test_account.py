"""Sign-in, its end, and a person's own page (S5, S16 in short)."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from labelhub.accounts import failures, passwords, services
from labelhub.accounts.models import ApiToken, FailedSignIn, User
from labelhub.audit.models import Event

GOOD = "a long enough pass phrase"


def link_of(user: User) -> str:
    return f"/account/link/{services.make_sign_in_link(user=user, actor='test')}/"


def test_looking_at_a_link_does_not_spend_it_and_pressing_does_once(cast, as_):
    place, client = link_of(cast.ann), as_(None)
    for _ in range(3):
        assert client.get(place).status_code == 200
    assert client.post(place).status_code == 302
    assert client.get("/account/").status_code == 200
    assert as_(None).post(place).status_code == 410


def test_signing_in_changes_the_session_key(cast, as_):
    client = as_(None)
    client.get("/account/sign-in/")
    client.session["planted"] = "by an attacker"
    before = client.session.session_key
    client.post(link_of(cast.ann))
    assert client.session.session_key != before


def test_nobody_has_a_password_from_the_start(cast):
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_a_password_signs_in_and_says_the_same_of_wrong_and_of_unknown(cast, as_):
    passwords.set_password(user=cast.ann, password=GOOD)
    right = as_(None).post("/account/sign-in/", {"username": "ann", "password": GOOD, "next": "/account/"})
    assert (right.status_code, right.url) == (302, "/account/")
    wrong = as_(None).post("/account/sign-in/", {"username": "ann", "password": "wrong"})
    unknown = as_(None).post("/account/sign-in/", {"username": "nobody", "password": "wrong"})
    assert wrong.status_code == unknown.status_code == 400
    sentence = b"Name and password do not fit together."
    assert sentence in wrong.content
    assert sentence in unknown.content


def test_guessing_is_slowed_down_after_five_tries_even_for_the_right_password(cast, as_):
    passwords.set_password(user=cast.ann, password=GOOD)
    client = as_(None)
    for _ in range(5):
        client.post("/account/sign-in/", {"username": "ann", "password": "wrong"})
    blocked = client.post("/account/sign-in/", {"username": "ann", "password": GOOD})
    assert blocked.status_code == 429
    assert b"quarter of an hour" in blocked.content


def test_failures_stop_counting_after_a_quarter_of_an_hour_and_are_not_kept(cast):
    begun = timezone.now()
    for _ in range(failures.MOST_A_NAME):
        failures.note_failure(name="ann", address="10.0.0.1", now=begun)
    assert failures.is_blocked(name=" Ann", address="10.0.0.1", now=begun)
    assert not failures.is_blocked(name="ann", address="10.0.0.2", now=begun)
    later = begun + failures.WINDOW
    assert not failures.is_blocked(name="ann", address="10.0.0.1", now=later)
    failures.note_failure(name="ben", address="10.0.0.2", now=later)
    assert FailedSignIn.objects.count() == 1


def test_one_known_account_does_not_free_an_address_that_guesses(cast):
    for number in range(failures.MOST_AN_ADDRESS):
        failures.note_failure(name=f"guess{number}", address="10.0.0.1")
        failures.forget(name=f"guess{number}", address="10.0.0.1")
    assert failures.is_blocked(name="ann", address="10.0.0.1")


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example"]
)
def test_after_sign_in_nobody_is_sent_to_another_site(cast, as_, place):
    passwords.set_password(user=cast.ann, password=GOOD)
    answer = as_(None).post("/account/sign-in/", {"username": "ann", "password": GOOD, "next": place})
    assert answer.url == "/"


def test_after_signing_out_the_old_cookie_opens_nothing(cast, as_):
    client = as_("ann")
    stolen = Client()
    stolen.cookies = client.cookies.copy()
    assert stolen.get("/account/").status_code == 200
    client.post("/account/sign-out/")
    assert stolen.get("/account/").status_code == 302


@pytest.mark.parametrize("end", ["everywhere", "role", "disabled", "password"])
def test_each_end_of_trust_ends_every_other_session_at_its_next_request(cast, as_, end):
    elsewhere = as_("ann")
    assert elsewhere.get("/account/").status_code == 200
    if end == "everywhere":
        as_("ann").post("/account/everywhere/")
    elif end == "role":
        as_("ada").post(f"/manage/cells/people/{cast.ann.pk}/role/", {"role": "reviewer"})
    elif end == "disabled":
        User.objects.filter(pk=cast.ann.pk).update(is_active=False)
    else:
        as_("ann").post("/account/password/", {"password": GOOD})
    assert elsewhere.get("/account/").status_code == 302


def test_a_password_is_set_in_this_session_which_goes_on(cast, as_):
    client = as_("ann")
    assert client.post("/account/password/", {"password": "short"}).status_code == 400
    assert client.post("/account/password/", {"password": GOOD}).status_code == 302
    assert client.get("/account/").status_code == 200
    refused = client.post("/account/password/", {"password": GOOD + "2", "current": "wrong"})
    assert refused.status_code == 400
    assert b"present password is not right" in refused.content


def test_a_token_is_shown_once_works_and_is_revoked(cast, as_):
    client = as_("ann")
    shown = client.post("/account/tokens/", {"name": "Trainer"}).content.decode()
    token = re.search(r"lh_[\w-]+", shown).group()
    assert token not in client.get("/account/").content.decode()
    machine = {"Authorization": f"Bearer {token}"}
    assert Client(headers=machine).get("/api/v1/projects/cells/queue/").status_code == 200
    row = ApiToken.objects.get(user=cast.ann)
    assert as_("ben").post(f"/account/tokens/{row.pk}/revoke/").status_code == 404
    client.post(f"/account/tokens/{row.pk}/revoke/")
    assert Client(headers=machine).get("/api/v1/projects/cells/queue/").status_code in {401, 403}


def test_sign_in_and_out_are_on_record(cast, as_):
    client = as_(None)
    client.post(link_of(cast.ann))
    client.post("/account/sign-out/")
    kinds = list(Event.objects.filter(chain="site", actor=f"user:{cast.ann.pk}").values_list("kind", flat=True))
    assert kinds == ["person.signed_in", "person.signed_out"]


def test_the_theme_is_remembered_and_unknown_ones_are_refused(cast, as_):
    client = as_("ann")
    assert client.post("/account/theme/", {"theme": "dark"}).status_code == 204
    assert b'data-theme="dark"' in client.get("/account/").content
    assert client.post("/account/theme/", {"theme": '"><script>'}).status_code == 400


@pytest.mark.parametrize(
    ("name", "place"),
    [("ann", "/label/"), ("rita", "/review/"), ("ada", "/manage/cells/"), ("otto", "/manage/elsewhere/")],
)
def test_each_lands_where_their_work_is(cast, as_, name, place):
    assert as_(name).get("/").url == place


def test_who_is_in_no_project_is_told_what_to_do(cast, as_):
    services.create_person(username="nina", display_name="Nina", actor="test")
    client = Client()
    client.force_login(User.objects.get(username="nina"))
    assert b"Ask an admin to add you" in client.get("/").content
