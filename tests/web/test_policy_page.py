"""The policy page keeps what it shows and what it does not, refuses what is unsound, and never overwrites a newer version."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from labelhub.jobs.worker import run_pending
from labelhub.projects.policy import Policy, read_policy
from labelhub.projects.presets import PRESETS, preset_of
from labelhub.projects.selectors import current_policy
from labelhub.projects.services import publish_policy
from labelhub.routing.models import Route
from labelhub.workflow import trying
from tests.cast import Cast, make_cast
from tests.web.world import World, make_world

pytestmark = pytest.mark.django_db
PLACE = "/manage/cells/policy/"
INPUT = re.compile(r"<(input|select|textarea)\b([^>]*)>(.*?)(?=<(?:input|select|textarea|button)\b|</form>)", re.DOTALL)


@pytest.fixture
def cast(db) -> Cast:
    """A project of which nothing was read yet."""
    return make_cast()


@pytest.fixture
def world(cast) -> World:
    return make_world(cast)


def form_of(page: str) -> dict[str, list[str]]:
    """Return what a browser would send of the policy form as it stands."""
    body = page[page.index('id="policy"') : page.index("</form>", page.index('id="policy"')) + 7]
    sent: dict[str, list[str]] = {}
    for tag, attributes, rest in INPUT.findall(body):
        given = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', attributes))
        if "name" not in given or (given.get("type") == "checkbox" and " checked" not in attributes):
            continue
        value = given.get("value", "")
        if tag == "select":
            options = re.findall(r'<option value="([^"]*)"( selected)?', rest)
            value = next((text for text, chosen in options if chosen), options[0][0])
        sent.setdefault(given["name"], []).append(unescape(value))
    return sent


def page_of(as_, query: str = "") -> str:
    return as_("ada").get(PLACE + query).content.decode()


def newest(cast) -> tuple[int, Policy]:
    version, policy = current_policy(cast.project)
    return version.number, policy


def odd_policy() -> Policy:
    """A policy in which no field has its default, as far as the ranges go."""
    changed = {
        "overlap_share": 0.5, "repeat_share": 0.1, "same_subject": "same", "skip_rule": "later", "audit_by": "reviewers",
        "audit_least": 7, "panel_reviewers": 3, "gate_good": 0.8, "pause_without_asking": True, "use_model": False,
        "show_other_answers_on_rework": True, "posterior": 0.9, "max_items_a_day": 40, "drift_threshold": 5.0,
    }  # fmt: skip
    policy = replace(Policy(), **changed)
    rules = [rule for rule in policy.to_document()["rules"] if rule["name"] != "ambiguous"]
    return read_policy(policy.to_document() | {"rules": rules})


@pytest.mark.parametrize("policy", [Policy(), odd_policy()], ids=["default", "odd"])
def test_sending_the_page_back_unchanged_is_no_new_version(cast, as_, policy):
    publish_policy(project=cast.project, policy=policy, by=cast.ada)
    number = newest(cast)[0]
    answer = as_("ada").post(PLACE, form_of(page_of(as_)) | {"do": "publish"}, follow=True)
    assert "Nothing differs" in answer.content.decode()
    assert newest(cast) == (number, policy)


def test_a_form_that_shows_less_changes_less(cast, as_):
    publish_policy(project=cast.project, policy=odd_policy(), by=cast.ada)
    as_("ada").post(PLACE, {"version": newest(cast)[0], "readers": "3"})
    assert newest(cast)[1] == replace(odd_policy(), readers=3)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_filled_in_and_published_only_when_asked(cast, as_, name):
    answer = as_("ada").post(PLACE, form_of(page_of(as_)) | {"preset": name})
    page = answer.content.decode()
    assert PRESETS[name].title in page
    assert newest(cast)[0] == 1
    as_("ada").post(PLACE, form_of(page) | {"do": "publish"})
    assert preset_of(newest(cast)[1]) == name
    assert newest(cast)[1].tolerance_mm == Policy().tolerance_mm


def test_rules_are_edited_added_moved_and_left_out_without_json(cast, as_):
    form = form_of(page_of(as_))
    prefixes = {form[key][0]: key.removesuffix("-name") for key in form if re.fullmatch(r"rule-\d+-name", key)}
    slip, tie, new = prefixes["own-slip"], prefixes["tie"], prefixes[""]
    form |= {f"{slip}-remove": ["1"], f"{tie}-place": ["1"], f"{new}-name": ["far-apart"], f"{new}-place": ["7.5"]}
    form |= {f"{new}-1-fact": ["agreement"], f"{new}-1-op": ["below"], f"{new}-1-number": ["0.1"]}
    form |= {f"{new}-action": ["maybe-ambiguous"]}
    as_("ada").post(PLACE, form | {"do": "publish"})
    number, policy = newest(cast)
    names = [rule.name for rule in policy.rules]
    assert number == 2
    assert "own-slip" not in names
    assert names[:2] == ["too-few-readers", "tie"] or names[0] == "tie"
    added = policy.rules[names.index("far-apart")]
    assert (added.conditions[0].fact, added.conditions[0].number, added.action) == ("agreement", 0.1, "maybe-ambiguous")
    history = page_of(as_)
    assert "rule far-apart: added" in history
    assert "rule own-slip: left out" in history


def test_an_unsound_rule_is_refused_by_name_and_what_was_typed_stays(cast, as_):
    form = form_of(page_of(as_))
    new = next(key.removesuffix("-name") for key in form if re.fullmatch(r"rule-\d+-name", key) and not form[key][0])
    form |= {
        f"{new}-name": ["too-late"],
        f"{new}-place": ["99"],
        f"{new}-1-fact": ["agreement"],
        f"{new}-1-op": ["above"],
    }
    form |= {f"{new}-1-number": ["0.5"], f"{new}-action": ["accept"]}
    answer = as_("ada").post(PLACE, form | {"do": "publish"})
    page = unescape(answer.content.decode())
    assert answer.status_code == 400
    assert "Rule “too-late” is never reached: “readers-exhausted” stands before it" in page
    assert 'value="too-late"' in page
    assert newest(cast)[0] == 1
    form[f"{new}-1-number"] = ["many"]
    assert "Rule “too-late” compares with “many”" in unescape(as_("ada").post(PLACE, form).content.decode())


def test_who_looked_at_an_old_version_does_not_overwrite_the_new_one(cast, as_):
    form = form_of(page_of(as_))
    publish_policy(project=cast.project, policy=replace(Policy(), readers=4), by=cast.ada)
    stale = as_("ada").post(PLACE, form | {"do": "publish", "readers": "3"})
    page = unescape(stale.content.decode())
    assert stale.status_code == 409
    assert "version 2 was published while you changed version 1" in page
    assert "readers: 4 → 3" in page
    assert newest(cast)[1].readers == 4
    assert as_("ada").post(PLACE, form_of(page) | {"do": "publish"}).status_code == 302
    assert (newest(cast)[0], newest(cast)[1].readers) == (3, 3)
    assert as_("ada").post(PLACE, {"readers": "5"}).status_code == 400, "a form without a version could be any"


def test_a_policy_is_tried_on_the_past_at_once_or_by_a_job(world, cast, as_, monkeypatch):
    form = form_of(page_of(as_)) | {"do": "try", "readers": "1"}
    page = as_("ada").post(PLACE, form).content.decode()
    assert "1 item would have gone otherwise" in page
    assert f"/manage/cells/items/{world.item.code}/" in page
    monkeypatch.setattr(trying, "AT_ONCE", 0)
    sent = as_("ada").post(PLACE, form)
    assert sent.status_code == 302
    place = sent["Location"].split("#")[0].removeprefix(PLACE)
    assert "Trial on the past" in page_of(as_, place)
    run_pending(queues=["cpu"])
    assert "1 item would have gone otherwise" in (found := page_of(as_, place))
    assert form_of(found)["readers"] == ["1"], "the tried policy stands in the form, to be published"
    assert newest(cast)[0] == 2
    assert Route.objects.filter(item=world.item).count() == 2
    assert as_("ada").get(PLACE + "?trial=9999").status_code == 404
    assert as_("otto").get(PLACE + place).status_code == 404
    assert as_("rita").post(PLACE, form).status_code == 403
