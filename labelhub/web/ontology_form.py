"""The builder's form and the ontology it stands for, both ways. Not here: what an ontology may hold (``projects.ontology``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from django.http import QueryDict

from labelhub.projects.lineage import Lineage
from labelhub.projects.ontology import LabelClass, Ontology, OntologyProblem, Tool, read_ontology
from labelhub.web.ontology_text import key_for, lines_of_questions, questions_of_lines
from labelhub.web.page_keys import PAGE_KEYS

# What the form says of a class that is no more.
MERGE, SPLIT = "merge:", "split"
TOOLS: tuple[str, ...] = get_args(Tool)
# Distinguishable with colour-vision deficiency and on near-black (after Okabe and Ito 2008, lightened for dark ground).
COLOURS = ("#e69f00", "#56b4e9", "#2fc29a", "#f0e442", "#4f8fe0", "#e8743b", "#d98ac0", "#b0b0b0")

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "Objects in photographs": {
        "classes": [("Car", "polygon"), ("Person", "box"), ("Road", "polygon")],
        "questions": "Image quality: poor < fair < good",
    },
    "Nuclei in histology": {
        "classes": [("Nucleus", "polygon"), ("Mitosis", "box"), ("Tissue fold", "brush")],
        "questions": "Stain quality: poor < fair < good",
    },
    "Knee MRI": {
        "classes": [("Femur", "brush"), ("Tibia", "brush"), ("Cartilage", "brush")],
        "questions": "Motion artefact *: none < slight < strong",
    },
    "Brain tumour MRI": {
        "classes": [("Tumour core", "brush"), ("Oedema", "brush")],
        "questions": "Tumour present * (yes/no)\nTumour borders * [if found]: sharp | blurred",
    },
    "Classification only": {"classes": [], "questions": "Class *: normal | abnormal | cannot tell"},
}


def rows_of(ontology: Ontology) -> list[dict[str, Any]]:
    """Return the builder's rows of an ontology's classes."""
    return [_row(entry) for entry in ontology.classes]


def questions_text(ontology: Ontology) -> str:
    """Return the builder's lines of the questions on the whole item."""
    return lines_of_questions(ontology.questions)


def presets() -> dict[str, dict[str, Any]]:
    """Return the ready-made ontologies as the builder's script reads them."""
    return {
        name: {"rows": preset_rows(preset["classes"]), "questions": preset["questions"]}
        for name, preset in PRESETS.items()
    }


def preset_rows(classes: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return rows for new classes, each with a colour and a number key of its own."""
    return [
        {
            "key": "", "name": name, "colour": COLOURS[index % len(COLOURS)], "tool": tool,
            "shortcut": str(index + 1) if index < 9 else "", "attributes": "",
        }
        for index, (name, tool) in enumerate(classes)
    ]  # fmt: skip


def ontology_of_form(post: QueryDict, current: Ontology) -> Ontology:
    """Return the ontology that the form states. Raises ``OntologyProblem`` naming the entry that is wrong."""
    columns = {name: post.getlist(name) for name in ("key", "name", "colour", "tool", "shortcut", "attributes")}
    classes: list[dict[str, Any]] = []
    for cells in zip(*columns.values(), strict=False):
        entry: dict[str, Any] = dict(zip(columns, cells, strict=True))
        if not entry["name"].strip():
            continue
        taken = {known["key"] for known in classes}
        known = current.label_class(entry["key"]) if entry["key"] else None
        entry["name"] = entry["name"].strip()
        entry["key"] = known.key if known is not None else key_for(entry["name"], taken | _keys(current))
        entry["attributes"] = questions_of_lines(entry["attributes"], known.attributes if known is not None else ())
        _refuse_taken_key(entry, classes)
        classes.append(entry)
    questions = questions_of_lines(post.get("questions", ""), current.questions)
    return read_ontology({"classes": classes, "questions": questions})


def lineage_of_form(post: QueryDict, current: Ontology, asked: Ontology) -> Lineage:
    """Return what the form says became of the classes that are no more; nothing said is removed."""
    merged: dict[str, str] = {}
    split: dict[str, tuple[str, ...]] = {}
    for key in removed_keys(current, asked):
        fate = post.get(f"fate-{key}", "")
        if fate.startswith(MERGE):
            merged[key] = fate.removeprefix(MERGE)
        elif fate == SPLIT:
            split[key] = tuple(post.getlist(f"part-{key}"))
    return Lineage(merged, split)


def removed_keys(current: Ontology, asked: Ontology) -> list[str]:
    """Return the keys of the classes that are no more, in their order."""
    now = _keys(asked)
    return [entry.key for entry in current.classes if entry.key not in now]


def fates_of(post: QueryDict, current: Ontology, asked: Ontology) -> list[dict[str, Any]]:
    """Return for each class that is no more what may become of it, and what the form says already."""
    new = [entry for entry in asked.classes if entry.key not in _keys(current)]
    rows = []
    for key in removed_keys(current, asked):
        entry = current.label_class(key)
        chosen = post.getlist(f"part-{key}") or [part.key for part in new]
        rows.append({
            "key": key, "name": entry.name if entry is not None else key, "chosen": post.get(f"fate-{key}", ""),
            "merges": [(f"{MERGE}{one.key}", one.name) for one in asked.classes],
            "parts": [(part.key, part.name, part.key in chosen) for part in new] if len(new) > 1 else [], "split": SPLIT,
        })  # fmt: skip
    return rows


def _refuse_taken_key(entry: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """The editor makes no difference between ``a`` and ``A``, and has keys of its own; what is stored stays readable."""
    entry["shortcut"] = key = entry["shortcut"].strip()
    if not key:
        return
    if key.lower() in PAGE_KEYS:
        raise OntologyProblem(
            f"The key {key!r} of “{entry['name']}” belongs to the labeling page ({PAGE_KEYS[key.lower()]}). "
            "Choose another one; the digits 1 to 9 are free."
        )
    same = next((other["name"] for other in others if other["shortcut"].lower() == key.lower()), None)
    if same is not None:
        raise OntologyProblem(f"“{same}” has the key {key!r} of “{entry['name']}” already. Choose another one.")


def _keys(ontology: Ontology) -> set[str]:
    return {entry.key for entry in ontology.classes}


def _row(entry: LabelClass) -> dict[str, Any]:
    return {
        "key": entry.key, "name": entry.name, "colour": entry.colour, "tool": entry.tool, "shortcut": entry.shortcut,
        "attributes": lines_of_questions(entry.attributes),
    }  # fmt: skip
