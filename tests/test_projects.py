"""Projects, their versions and people, and who may see what."""

from __future__ import annotations

import pytest

from labelhub.audit import services as audit
from labelhub.audit.models import Event
from labelhub.projects import permissions, selectors, services
from labelhub.projects.models import PolicyVersion, Project
from labelhub.projects.ontology import OntologyProblem, read_ontology
from labelhub.projects.permissions import Action, NotAllowed, NotFound
from labelhub.projects.policy import Policy, PolicyProblem, read_policy


def test_the_outsider_finds_no_project(cast):
    assert list(permissions.projects_of(cast.otto)) == [cast.other_project]
    with pytest.raises(NotFound):
        selectors.project_for(cast.otto, cast.project.slug)
    with pytest.raises(NotFound):
        permissions.require(cast.otto, Action.VIEW, cast.project)


def test_an_annotator_sees_the_project_but_may_not_manage_it(cast):
    permissions.require(cast.ann, Action.VIEW, cast.project)
    with pytest.raises(NotAllowed):
        permissions.require(cast.ann, Action.MANAGE, cast.project)
    permissions.require(cast.ada, Action.MANAGE, cast.project)


def test_policy_versions_are_hidden_from_annotators(cast):
    rows = PolicyVersion.objects.filter(project=cast.project)
    assert not permissions.visible_to(cast.ann, rows).exists()
    assert permissions.visible_to(cast.rita, rows).exists()
    assert not permissions.visible_to(cast.otto, rows).exists()


def test_a_site_admin_sees_every_project(cast):
    cast.otto.site_role = "admin"
    assert permissions.projects_of(cast.otto).count() == 2
    assert permissions.visible_to(cast.otto, Project.objects.all()).count() == 2


def test_a_removed_member_loses_access_and_sessions(cast):
    services.remove_member(project=cast.project, user=cast.ann, actor="test")
    cast.ann.refresh_from_db()
    assert cast.ann.session_epoch == 1
    assert not permissions.can(cast.ann, Action.VIEW, cast.project)


def test_the_last_admin_cannot_be_removed(cast):
    with pytest.raises(services.MembershipProblem, match="last admin"):
        services.remove_member(project=cast.project, user=cast.ada, actor="test")
    assert permissions.can(cast.ada, Action.MANAGE, cast.project)


def test_versions_count_up_and_the_newest_is_current(cast):
    services.publish_policy(project=cast.project, policy=Policy(readers=3), by=cast.ada)
    version, policy = selectors.current_policy(cast.project)
    assert (version.number, policy.readers) == (2, 3)


def test_the_audit_chain_holds_and_each_tampering_is_found(cast):
    chain = audit.chain_of(cast.project.pk)
    assert audit.verify(chain).broken_at is None
    events = Event.objects.filter(chain=chain).order_by("seq")
    Event.objects.filter(pk=events[2].pk).update(actor="user:999")
    assert audit.verify(chain).broken_at == 3
    Event.objects.filter(pk=events[2].pk).update(actor=f"user:{cast.ada.pk}")
    assert audit.verify(chain).broken_at is None
    events.last().delete()
    assert audit.verify(chain).broken_at is not None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"classes": [{"key": "a", "colour": "red"}]}, "#rrggbb"),
        ({"classes": [{"key": "", "colour": "#ff0000"}]}, "1 to 80"),
        ({"classes": [{"key": "a", "colour": "#ff0000"}, {"key": "a", "colour": "#ff0000"}]}, "once"),
        ({"questions": [{"key": "q", "kind": "choice", "choices": ["one"]}]}, "two choices"),
        ({"questions": [{"key": "q", "kind": "guess"}]}, "allowed"),
        ({"classes": {"key": "a"}}, "list"),
    ],
)
def test_a_wrong_ontology_is_refused_with_the_entry_and_what_is_allowed(document, words):
    with pytest.raises(OntologyProblem, match=words):
        read_ontology(document)


def test_an_ontology_survives_its_document(cast):
    assert read_ontology(cast.ontology.to_document()) == cast.ontology


@pytest.mark.parametrize(
    "document", [{"readers": 0}, {"gold_share": 2}, {"readers": 8}, {"nonsense": 1}, {"use_model": 1}]
)
def test_a_wrong_policy_is_refused(document):
    with pytest.raises(PolicyProblem):
        read_policy(document)
