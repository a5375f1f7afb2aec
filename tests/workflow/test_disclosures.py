"""Every refusal that reaches an annotator and follows from something hidden is a declared disclosure, on the help page.

Planted once and seen to fail: a refusal without its disclosure; a disclosure of a refusal that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labelhub.workflow import distribution, errors
from labelhub.workflow.disclosures import DISCLOSURES
from labelhub.workflow.errors import StepRefused
from tests.cast import Cast
from tests.workflow.walking import add_item, labeler, new_annotator, next_for, read, set_policy, store

# Refusals that follow from nothing hidden, or that only reviewers and admins meet: why there is no disclosure.
OPEN = {
    "step-refused": "the general form; its words are of what the sender sent",
    "illegal-move": "reviewers and admins",
    "item-changed": "reviewers and admins",
    "too-much-parked": "the labeler's own parked work",
    "stale-judgement": "reviewers",
    "guideline-unread": "instructions are everybody's",
    "enough-for-today": "the policy's number and the labeler's own day",
    "skip-forbidden": "the policy, the same for everybody",
    "cannot-return": "reviewers",
    "newer-version": "reviewers",
    "decided-already": "reviewers",
    "cannot-give": "admins",
    "no-more-disputes": "the policy's number and the author's own disputes",
    "assignment-closed": "the labeler's own work",
    "no-edge-cases": "admins",
    "drafts-off": "the policy, the same for everybody",
}


def refusals() -> Iterator[type[StepRefused]]:
    assert distribution.CannotGive.__module__, "modules that define refusals are loaded"
    waiting = [StepRefused]
    while waiting:
        found = waiting.pop()
        waiting += found.__subclasses__()
        yield found


def test_every_refusal_is_declared_or_follows_from_nothing_hidden():
    declared = [code for entry in DISCLOSURES for code in entry.refusals]
    assert len(declared) == len(set(declared))
    assert not set(declared) & set(OPEN)
    codes = {kind.code for kind in refusals()}
    assert codes <= {*declared, *OPEN}, "declare it, or say above why it needs no disclosure"
    assert set(declared) <= codes
    assert errors.PausedNow.code in declared


def test_keys_are_unique_and_every_entry_says_why():
    assert len({entry.key for entry in DISCLOSURES}) == len(DISCLOSURES)
    assert all(entry.what and entry.why for entry in DISCLOSURES)


@pytest.mark.django_db
def test_the_help_page_names_every_disclosure(cast: Cast, client):
    client.force_login(cast.ann)
    page = client.get("/help/").content.decode()
    for entry in DISCLOSURES:
        assert entry.what.partition("'")[0][:40] in page, entry.key


@pytest.mark.django_db
def test_the_queue_says_how_many_images_of_the_exam_are_left_and_nothing_of_how_it_goes(cast: Cast, client):
    from labelhub.scoring.gold import make_gold

    set_policy(cast, exam_items=3, exam_pass_share=0.6)
    for number in range(3):
        item = add_item(cast.project, subject=f"exam {number}")
        make_gold(
            item=item, submission=store(cast, item, cast.rita, (10, 10, 20), is_gold=True), by="test", kind="exam"
        )
    cleo = new_annotator(cast, "Cleo")
    client.force_login(cleo)
    pages = []
    for left in (3, 2, 1):
        page = client.get(f"/label/?project={cast.project.slug}").content.decode()
        assert f"Entry exam: {left} image" in page
        pages.append(page)
        read(cast, cleo, (10, 10, 20) if left > 1 else (40, 40, 15))
    assert "right" not in pages[1][pages[1].index("Entry exam") :].partition("</p>")[0]
    page = client.get(f"/label/?project={cast.project.slug}").content.decode()
    assert "Entry exam" not in page
    assert labeler(cast, cleo)
    assert next_for(cast, cleo) is None


@pytest.mark.django_db
def test_whoever_gets_no_work_is_told_why_on_the_queue_before_they_ask(cast: Cast, client):
    """Not by a start button that leads back to the queue."""
    from labelhub.scoring.gold import make_gold

    set_policy(cast, exam_items=1, exam_pass_share=1.0)
    item = add_item(cast.project, subject="exam")
    make_gold(item=item, submission=store(cast, item, cast.rita, (10, 10, 20), is_gold=True), by="test", kind="exam")
    client.force_login(cast.ann)
    read(cast, cast.ann, (40, 40, 15))
    failed = client.get(f"/label/?project={cast.project.slug}").content.decode()
    assert "You did not pass the entry exam of this project" in failed
    assert "start-button" not in failed
    client.force_login(cast.ben)
    set_policy(cast, exam_items=2)
    read(cast, cast.ben, (10, 10, 20))
    assert "There are no more to give you" in client.get(f"/label/?project={cast.project.slug}").content.decode()
    set_policy(cast, max_items_a_day=1)
    assert "Come back tomorrow" in client.get(f"/label/?project={cast.project.slug}").content.decode()
