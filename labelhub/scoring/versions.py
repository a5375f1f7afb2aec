"""Readings under several versions of a project's ontology in one number: what they say under the present one, and the mark.

A reading is translated before anything is compared: a renamed class is the same, marks of merged classes are of the new
one, and classes that are new, or came of a split, were not asked of it. Which versions of ontology and instructions stand
in a number is said with it (:func:`under_of`, :func:`mixed`). Not here: what became of which class (``projects.lineage``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from labelhub.formats.shapes import Reading
from labelhub.projects.lineage import Translation
from labelhub.projects.models import Project
from labelhub.projects.ontology import Ontology
from labelhub.projects.selectors import ontologies_of
from labelhub.scoring.compare import Terms


def translated(reading: Reading, translations: Mapping[int, Translation]) -> Reading:
    """Return what the reading says under the newest ontology; itself where its version's classes are the same."""
    found = translations.get(reading.ontology or 0)
    if found is None:
        return reading
    asked = None if reading.asked_labels is None else found.asked(reading.asked_labels)
    if found.is_identity and asked == reading.asked_labels:
        return reading
    # A mark whose class means nothing any more says nothing.
    known = [(shape, found.labels[shape.label]) for shape in reading.shapes if shape.label in found.labels]
    shapes = tuple(shape if shape.label == now else replace(shape, label=now) for shape, now in known)
    return replace(reading, shapes=shapes, asked_labels=asked)


def under(terms: Terms, project: Project, newest: int) -> Terms:
    """Return the terms of the ontology ``newest`` with the versions for which they hold: those that compare the same."""
    if newest == 1:
        return replace(terms, ontology=1, since=1)
    versions = ontologies_of(project)
    content = versions[newest]
    since = newest
    while since - 1 in versions and _compared(versions[since - 1]) == _compared(content):
        since -= 1
    return replace(terms, ontology=newest, since=since)


def under_of(ontology: int | None, guideline: int | None) -> str:
    """Return in words what a reading was made under; empty where nothing is known."""
    parts = [f"ontology {ontology}"] if ontology is not None else []
    parts += [f"instructions {guideline}"] if guideline is not None else []
    return ", ".join(parts)


def mixed(readings: Iterable[str]) -> tuple[str, ...]:
    """Return the versions that stand together in one number; empty where it is one."""
    found = sorted({entry for entry in readings if entry})
    return tuple(found) if len(found) > 1 else ()


def _compared(ontology: Ontology) -> object:
    """What of an ontology changes a comparison: names and colours do not."""
    classes = frozenset((entry.key, entry.tool == "brush") for entry in ontology.classes)
    return classes, frozenset(
        (spec.key, spec.measure, spec.choices, spec.on_shapes) for spec in ontology.question_specs()
    )
