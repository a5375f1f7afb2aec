"""The classes and questions that an annotation file speaks of, as rows for the builder. The file itself is not kept.

The tool of a class is what most of its shapes were drawn with. Not here: reading files (``formats``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from labelhub.formats.coco import is_coco, read_coco
from labelhub.formats.cvat import is_cvat, read_cvat
from labelhub.formats.label_studio import is_label_studio, read_label_studio
from labelhub.formats.lidc import is_lidc, read_lidc
from labelhub.formats.ratings_csv import read_ratings_csv
from labelhub.formats.shapes import AnnotationSet, FormatError, QuestionSpec, Shape
from labelhub.formats.strict_json import load_json
from labelhub.formats.strict_xml import load_xml
from labelhub.web.ontology_form import preset_rows

MOST_CLASSES = 60
TOOL_OF_REGION = {"box": "box", "polygon": "polygon", "ellipse": "ellipse", "polyline": "polyline", "points": "point"}
Reader = Callable[[Mapping[str, bytes]], AnnotationSet]
UNKNOWN = "“{name}” is no COCO, CVAT, Label Studio, LIDC or ratings file. Nothing was changed; add the classes by hand."


class GuessRefused(ValueError):
    """The file tells nothing about classes; the message says why and what to do."""


def guess(name: str, content: bytes) -> dict[str, Any]:
    """Return builder rows and question lines for what the file speaks of. Raises :class:`GuessRefused`."""
    try:
        found = _reader_of(name, content)({name: content})
    except FormatError as error:
        raise GuessRefused(f"{error} Nothing was changed.") from error
    fatal = next((problem for problem in found.problems if problem.fatal), None)
    if fatal is not None:
        raise GuessRefused(f"{fatal.place}: {fatal.message} {fatal.remedy}")
    rows = preset_rows([(label, _tool(found, label)) for label in found.labels[:MOST_CLASSES]])
    lines = [line for question in found.questions if not question.on_shapes and (line := _line(question))]
    if not rows and not lines:
        raise GuessRefused(f"“{name}” names no class and no question. Nothing was changed; add them by hand.")
    return {"rows": rows, "questions": "\n".join(lines)}


def _reader_of(name: str, content: bytes) -> Reader:
    # Who drew is not asked here: shapes only tell which tool draws a class.
    anyone = {name: "anyone"}
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"{", b"["):
        root = load_json(content, name)
        if is_coco(root):
            return partial(read_coco, raters=anyone)
        if is_label_studio(root):
            return partial(read_label_studio, raters=anyone)
    elif start == b"<":
        document = load_xml(content, name)
        if is_cvat(document):
            return partial(read_cvat, raters=anyone)
        if is_lidc(document):
            return read_lidc
    elif name.lower().endswith(".csv"):
        return partial(read_ratings_csv, raters=anyone)
    raise GuessRefused(UNKNOWN.format(name=name[:60]))


def _tool(found: AnnotationSet, label: str) -> str:
    shapes = [shape for reading in found.readings for shape in reading.shapes if shape.label == label]
    tools = Counter(_tool_of(shape) for shape in shapes)
    return tools.most_common(1)[0][0] if tools else "polygon"


def _tool_of(shape: Shape) -> str:
    if shape.mask is not None:
        return "brush"
    return TOOL_OF_REGION[shape.regions[0].kind] if shape.regions else "point"


def _line(question: QuestionSpec) -> str:
    choices = [str(choice) for choice in question.choices]
    if len(choices) < 2:
        return f"{question.key} (number)" if question.measure in {"interval", "ratio"} else ""
    return f"{question.key}: " + (" < " if question.measure == "ordinal" else " | ").join(choices)
