"""How people are called in the story of an item: by name on a page, under a number in a file that leaves.

For a file, names are also taken out of what people wrote. Not here: the story (``timeline``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from labelhub.accounts.selectors import names_of
from labelhub.audit.models import Event
from labelhub.catalog.models import Item, Original
from labelhub.projects.models import Labeler, Membership
from labelhub.reviews.pseudonyms import A_READER, Veil

# What else could be a name: shorter ones would take words apart.
LEAST_LETTERS = 2


class Names:
    """The shown names of people and labelers."""

    def __init__(self, people: Mapping[int, str], labelers: Mapping[int, str]) -> None:
        self._people, self._labelers = people, labelers

    def person(self, key: int | None) -> str:
        """Return what a person is called; the system where nobody decided."""
        return "The system" if key is None else self._people.get(key, f"person {key}")

    def labeler(self, key: int) -> str:
        """Return what a labeler is called."""
        return self._labelers.get(key, f"labeler {key}")

    def actor(self, actor: str) -> str:
        """Return who did something, from how the audit chain calls them."""
        kind, _, key = actor.partition(":")
        if key.isdigit() and kind in ("user", "labeler"):
            return self.person(int(key)) if kind == "user" else self.labeler(int(key))
        return f"model {key}" if kind == "model" else "The system" if kind == "system" else actor.capitalize()

    def said(self, text: str, by: int | None = None) -> str:
        """Return what somebody (a person's id, where it matters) wrote."""
        return text


class Veiled(Names):
    """The names as they are told where review is blind: readers under letters until the item is decided, also inside texts."""

    def __init__(self, names: Names, veil: Veil) -> None:
        super().__init__(names._people, names._labelers)
        self._veil = veil
        self._readers = {reader.user_id: reader.labeler_id for reader in veil.readers if reader.user_id is not None}

    def person(self, key: int | None) -> str:
        """Return what a person is called; a reader by their letter."""
        is_reader = self._veil.is_drawn and key in self._readers
        return self._veil.letters[self._readers[key]] if is_reader and key is not None else super().person(key)

    def labeler(self, key: int) -> str:
        """Return a labeler's letter."""
        return self._veil.letters.get(key, A_READER) if self._veil.is_drawn else super().labeler(key)

    def said(self, text: str, by: int | None = None) -> str:
        """Return the text with readers' names as letters, and a blind reviewer's letters as the reader's own."""
        return self._veil.text(text, by)


class Codes(Names):
    """Numbers in place of names, also inside texts: for what leaves the installation."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__({}, {})
        found = {secret.strip() for secret in secrets}
        words = sorted((word for word in found if len(word) >= LEAST_LETTERS), key=len, reverse=True)
        self._secret = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), re.IGNORECASE)
        self._has_words = bool(words)

    def said(self, text: str, by: int | None = None) -> str:
        """Return the text with every name that is known here blacked out."""
        return self._secret.sub("█████", text) if self._has_words else text


def shown_names(events: Iterable[Event], people: Iterable[int | None], item: Item) -> Names:
    """Return the names of everybody who acted on the item, and of its project's labelers; two queries."""
    keys = {int(key) for event in events if (key := _user_key(event.actor))}
    keys |= {key for key in people if key is not None}
    labelers = Labeler.objects.filter(project=item.project_id).values_list("pk", "name")
    return Names(names_of(keys), dict(labelers))


def codes_for(item: Item) -> Codes:
    """Return numbers for everybody, and the names that no text of the item's story may say: people, files, source ids."""
    members = Membership.objects.filter(project=item.project_id).select_related("user")
    secrets = [name for member in members for name in (member.user.display_name, member.user.username)]
    secrets += Labeler.objects.filter(project=item.project_id).values_list("name", flat=True)
    secrets += Labeler.objects.filter(project=item.project_id).values_list("source_key", flat=True)
    for name in Original.objects.filter(medium__item=item).values_list("name", flat=True):
        last = name.replace("\\", "/").rpartition("/")[2]
        secrets += [name, last, last.partition(".")[0]]
    return Codes([*secrets, item.source_id])


def _user_key(actor: str) -> str:
    kind, _, key = actor.partition(":")
    return key if kind == "user" and key.isdigit() else ""
