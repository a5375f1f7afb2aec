"""The rows that the events of an item's story name, looked up by their ids in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from labelhub.analytics.item_story import ItemStory, ReaderStory
from labelhub.assignments.models import Assignment
from labelhub.assignments.selectors import of_item
from labelhub.consensus.models import Settlement
from labelhub.reviews.desk_time import desk_times_on
from labelhub.reviews.error_models import Appraisal, ObjectVerdict
from labelhub.reviews.models import Decision, PanelVote, Question, UnreadableClaim
from labelhub.reviews.questions import claims_about, questions_about
from labelhub.reviews.selectors import decisions_of
from labelhub.routing.models import Route


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A release that holds the item: its id, number, manifest hash, and which of the item's labels it holds."""

    pk: int
    number: int
    sha256: str
    settlement: int


@dataclass(frozen=True)
class StoryFacts:
    """What an item's events speak of, by id; ``at_desk`` are seconds of reviewers there, by their ids."""

    story: ItemStory
    assignments: Mapping[str, Assignment]
    decisions: Mapping[int, Decision]
    votes: Mapping[int, PanelVote]
    named: Mapping[int, ObjectVerdict]
    appraisals: Mapping[int, Appraisal]
    questions: Mapping[int, Question]
    claims: Mapping[int, UnreadableClaim]
    releases: Mapping[int, HeldBy]
    at_desk: Mapping[int, float]

    @cached_property
    def readers(self) -> Mapping[int, ReaderStory]:
        """The readings by submission."""
        return {reader.submission.pk: reader for reader in self.story.readers}

    @cached_property
    def routes(self) -> Mapping[int, Route]:
        """The routes by id."""
        return {route.pk: route for route in self.story.routes}

    @cached_property
    def settlements(self) -> Mapping[int, Settlement]:
        """The settlements by id."""
        return {settlement.pk: settlement for settlement in self.story.settlements}

    @property
    def newest_settlement(self) -> int:
        """The number of the label that stands; 0 where there is none."""
        return max((settlement.number for settlement in self.story.settlements), default=0)

    def question(self, key: str) -> str:
        """Return how a question on the item was asked, by its key; the newest wording."""
        for reader in reversed(self.story.readers):
            for entry in reader.submission.ontology.content.get("questions", ()):
                if entry["key"] == key:
                    return str(entry.get("text") or key)
        return key

    def people(self) -> set[int]:
        """Return who decided something about the item, as ids of people."""
        return {
            *(row.decided_by_id for row in self.story.settlements if row.decided_by_id is not None),
            *(row.reviewer_id for row in self.decisions.values()),
            *(row.reviewer_id for row in self.votes.values()),
        }


def facts_of(story: ItemStory, releases: Sequence[HeldBy] = ()) -> StoryFacts:
    """Return what the item's events speak of; ``releases`` are those that hold it."""
    item = story.item
    votes = PanelVote.objects.filter(item=item).select_related("reviewer", "submission__assignment")
    return StoryFacts(
        story=story,
        assignments={str(row.pk): row for row in of_item(item)},
        decisions={row.pk: row for row in decisions_of(item)},
        votes={row.pk: row for row in votes},
        named={row.pk: row for row in ObjectVerdict.objects.filter(item=item)},
        appraisals={row.pk: row for row in Appraisal.objects.filter(item=item)},
        questions={row.pk: row for row in questions_about(item)},
        claims={row.pk: row for row in claims_about(item)},
        releases={row.pk: row for row in releases},
        at_desk=desk_times_on(item),
    )
