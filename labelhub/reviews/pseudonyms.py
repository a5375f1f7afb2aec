"""Blind review: who is told "Reader A" and "Reader B" in place of readers' names, and what that does to texts.

Where the policy asks for it, a reviewer sees letters until the item is decided, wherever it is named: on pages, in JSON, in
threads and notifications. The letters are drawn for each reviewer and item with the project's secret, so that two reviewers
of one item see the readers in different orders; a letter stays while further readings come in. Admins always see names. Rows
are as they are. What a reviewer wrote about "Reader A" is told to another with that reader's letter or name.

Not here: which readings there are, and pages (``web.blind_review``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field

from labelhub.accounts.models import User
from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Project, Role
from labelhub.projects.selectors import current_policy
from labelhub.projects.telling import seated
from labelhub.reviews.reviewer_tests import hides_from

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
A_READER = "A reader"
# Shorter names would take words apart.
LEAST_LETTERS = 2
# Once one of these is reached the item is decided, and names are back.
DECIDED = (Item.State.SETTLED, Item.State.AMBIGUOUS, Item.State.EXCLUDED)
_LETTERED = re.compile(r"\bReader (?:[A-Z]|\d+)\b")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who read an item, in the order in which they first did."""

    labeler_id: int
    user_id: int | None
    name: str
    username: str


@dataclass(frozen=True, slots=True)
class Veil:
    """How one reviewer is told of the readers of one item: by name, or by letter where the veil ``is_drawn``."""

    letters: Mapping[int, str] = field(default_factory=dict)
    readers: tuple[Reader, ...] = ()
    item: Item | None = None
    n_planned: int = 0
    # Who sees letters in this project, and so writes them.
    blind: Container[int] = frozenset()
    is_drawn: bool = False

    def labeler(self, labeler: Labeler) -> str:
        """Return what a labeler is called."""
        return self.letters.get(labeler.pk, A_READER) if self.is_drawn else labeler.name

    def person(self, user: User) -> str:
        """Return what somebody who writes is called: by their letter where they read the item themselves."""
        if self.is_drawn:
            for reader in self.readers:
                if reader.user_id == user.pk:
                    return self.letters[reader.labeler_id]
        return str(user)

    def text(self, text: str, by: int | None = None) -> str:
        """Return what somebody (``by``) wrote: readers' names as letters, and a blind writer's letters as those of this one."""
        if self.item is None:
            return text
        if by is not None and by in self.blind:
            text = self._in_own_letters(text, by)
        if not self.is_drawn:
            return text
        told = {reader.name: self.letters[reader.labeler_id] for reader in self.readers}
        told |= {f"@{reader.username}": self.letters[reader.labeler_id] for reader in self.readers if reader.username}
        words = sorted((word for word in told if len(word) >= LEAST_LETTERS), key=len, reverse=True)
        if not words:
            return text
        pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
        return re.sub(pattern, lambda found: told[found.group()], text)

    def _in_own_letters(self, text: str, by: int) -> str:
        assert self.item is not None
        theirs = {letter: key for key, letter in letters_for(by, self.item, self.readers, self.n_planned).items()}
        names = {reader.labeler_id: reader.name for reader in self.readers}
        own = {letter: self.letters.get(key) or names[key] for letter, key in theirs.items()}
        return _LETTERED.sub(lambda found: own.get(found.group(), found.group()), text)


NO_VEIL = Veil()


def veil_of(user: User, item: Item) -> Veil:
    """Return how ``user`` is told of the readers of one item."""
    return veils(user, item.project, [item])[item.pk]


def veils(
    user: User,
    project: Project,
    items: Iterable[Item],
    *,
    role: str | None = None,
    tested: Collection[int] | None = None,
) -> Mapping[int, Veil]:
    """Return how ``user`` is told of the readers of each of these items of a project.

    Up to three queries where review is blind; one where the caller knows the highest ``role`` of ``user`` in the project and
    the items on which they are ``tested`` now.
    """
    found = {item.pk: item for item in items}
    _, policy = current_policy(project)
    if not policy.review_blind or not found:
        return dict.fromkeys(found, NO_VEIL)
    readers, blind = _readers(found), _Blind(project)
    hidden = hides_from(user, [project]) if tested is None else tested
    sees_letters = user.pk in blind if role is None else role == Role.REVIEWER
    told = {}
    for key, item in found.items():
        is_open, own = item.state not in DECIDED or key in hidden, readers.get(key, ())
        is_drawn = sees_letters and is_open
        letters = letters_for(user.pk, item, own, policy.readers) if is_drawn else {}
        told[key] = Veil(letters, own, item, policy.readers, blind, is_drawn)
    return told


def letters_for(user: int, item: Item, readers: Iterable[Reader], n_planned: int) -> Mapping[int, str]:
    """Return the letter of each reader for ``user``: those planned in a secret order, who comes later after them."""
    n_first = max(2, n_planned)
    order = sorted(range(n_first), key=lambda place: _draw(user, item, place))
    return {
        reader.labeler_id: f"Reader {_letter(order[place] if place < n_first else place)}"
        for place, reader in enumerate(readers)
    }


class _Blind(Container[int]):
    """Who reviews in a project and is no admin of it: asked for once, where somebody is asked about."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: frozenset[int] | None = None

    def __contains__(self, user: object) -> bool:
        if self._known is None:
            admins = seated(self._project, (Role.ADMIN,)).values("pk")
            rows = seated(self._project, (Role.REVIEWER,)).exclude(pk__in=admins)
            self._known = frozenset(rows.values_list("pk", flat=True))
        return user in self._known


def _readers(items: Mapping[int, Item]) -> Mapping[int, tuple[Reader, ...]]:
    rows = Submission.objects.filter(assignment__item__in=items).order_by("pk")
    fields = ("assignment__item", "assignment__labeler", "assignment__labeler__user", "assignment__labeler__name")
    found: dict[int, dict[int, Reader]] = {key: {} for key in items}
    for item, key, user, name, username in rows.values_list(*fields, "assignment__labeler__user__username"):
        found[item].setdefault(key, Reader(key, user, name, username or ""))
    return {key: tuple(readers.values()) for key, readers in found.items()}


def _letter(place: int) -> str:
    return LETTERS[place] if place < len(LETTERS) else str(place + 1)


def _draw(user: int, item: Item, place: int) -> bytes:
    text = f"{item.project.pseudonym_salt}:blind review:{user}:{item.pk}:{place}"
    return hashlib.sha256(text.encode()).digest()
