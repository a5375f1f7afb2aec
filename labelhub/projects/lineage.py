"""What became of the classes between two versions of an ontology, and what a reading under an old one says under a new one.

A class keeps its key when it is renamed or gets another colour or tool: it is the same class. *Merged*: several become one;
a mark of either is one of the new class, and the new class was asked of a reading where all that it covers were. *Split*
and *added* classes were not asked of earlier readings: whether there was one cannot be told from them. What was *removed*
is asked no more, and its marks are in no number. Stated with a version are only merges and splits; the rest follows from
the keys.

Pure. Not here: storage (``models.OntologyVersion``), which items are touched (``workflow.revising``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labelhub.projects.ontology import Ontology, OntologyProblem


@dataclass(frozen=True, slots=True)
class Lineage:
    """What was said of classes that are no more: ``merged[old]`` is the class it went into, ``split[old]`` those it became."""

    merged: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {"merged": dict(self.merged), "split": {old: list(new) for old, new in self.split.items()}}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different: ``what`` is renamed, merged, split, added or removed."""

    what: str
    old: str
    new: tuple[str, ...] = ()

    @property
    def touches_readings(self) -> bool:
        """Whether readings made before say something else, or less, under the new version."""
        return self.what != "renamed"


@dataclass(frozen=True, slots=True)
class Translation:
    """From one version to another: ``labels[old]`` is the class now; a class that is missing means nothing any more.

    ``covers[new]`` are the old classes that make up the new one; a new class that is missing was not wholly asked.
    """

    labels: Mapping[str, str]
    covers: Mapping[str, frozenset[str]]

    @property
    def is_identity(self) -> bool:
        """Whether everything is as it was."""
        return all(old == new for old, new in self.labels.items())

    def asked(self, asked: Sequence[str]) -> tuple[str, ...]:
        """Return which classes of the new version a reading was asked, from those of its own version."""
        return tuple(new for new, old in self.covers.items() if old <= set(asked))


def read_lineage(document: Mapping[str, Any]) -> Lineage:
    """Return what a version keeps; versions from before it was kept say nothing."""
    merged = {str(old): str(new) for old, new in (document.get("merged") or {}).items()}
    split = {str(old): tuple(map(str, new)) for old, new in (document.get("split") or {}).items()}
    return Lineage(merged, split)


def checked_lineage(before: Ontology, after: Ontology, lineage: Lineage) -> Lineage:
    """Return the lineage where it fits the two versions. Raises ``OntologyProblem`` naming the class that does not."""
    old = {entry.key for entry in before.classes}
    new = {entry.key for entry in after.classes}
    for key in (*lineage.merged, *lineage.split):
        if key not in old:
            raise OntologyProblem(f"Class {key!r} is not in the version before, so nothing can become of it.")
        if key in new:
            raise OntologyProblem(f"Class {key!r} is still there. Remove it from the classes to merge or split it.")
    both = set(lineage.merged) & set(lineage.split)
    if both:
        raise OntologyProblem(f"Class {min(both)!r} is merged and split at once. Say one of the two.")
    for key, into in lineage.merged.items():
        if into not in new:
            raise OntologyProblem(f"Class {key!r} is to be merged into {into!r}, which is not among the classes.")
    for key, parts in lineage.split.items():
        unknown = [part for part in parts if part not in new or part in old]
        if len(parts) < 2 or unknown:
            raise OntologyProblem(f"Class {key!r} is split into two or more classes that are new in this version.")
    return lineage


def changes_between(before: Ontology, after: Ontology, lineage: Lineage) -> tuple[Change, ...]:
    """Return what is different in the classes, in their order: those of before first, then the new ones."""
    found: list[Change] = []
    known = {entry.key: entry for entry in after.classes}
    for entry in before.classes:
        now = known.get(entry.key)
        if entry.key in lineage.merged:
            found.append(Change("merged", entry.key, (lineage.merged[entry.key],)))
        elif entry.key in lineage.split:
            found.append(Change("split", entry.key, lineage.split[entry.key]))
        elif now is None:
            found.append(Change("removed", entry.key))
        elif now.name != entry.name:
            found.append(Change("renamed", entry.key, (entry.key,)))
    old = {entry.key for entry in before.classes}
    return (*found, *(Change("added", entry.key, (entry.key,)) for entry in after.classes if entry.key not in old))


def translation(versions: Sequence[tuple[Ontology, Lineage]]) -> Translation:
    """Return what readings under the first of these versions say under the last; a lineage is that of its own version."""
    before = [entry.key for entry in versions[0][0].classes]
    labels = {key: key for key in before}
    covers = {key: frozenset([key]) for key in before}
    for ontology, lineage in versions[1:]:
        after = [entry.key for entry in ontology.classes]
        step = {key: now for key in before if (now := _step(key, after, lineage)) is not None}
        labels = {old: step[now] for old, now in labels.items() if now in step}
        covers = {key: whole for key in after if (whole := _whole(key, step, covers)) is not None}
        before = after
    return Translation(labels, covers)


def _step(key: str, after: Sequence[str], lineage: Lineage) -> str | None:
    """What a class is in the next version; None where it is nothing that a mark of it could be."""
    if key in lineage.split:
        return None
    now = lineage.merged.get(key, key)
    return now if now in after else None


def _whole(key: str, step: Mapping[str, str], covers: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The first version's classes that make up ``key``; None where it is new, or holds what the first version did not have."""
    parts = [old for old, now in step.items() if now == key]
    if not parts or any(part not in covers for part in parts):
        return None
    return frozenset[str]().union(*(covers[part] for part in parts))
