"""XML from strangers: no DTD, no entities, no outside references, bounded depth; and the few helpers that readers need.

Parsing goes through ``defusedxml``. Not here: what any element means, and writing (see
:mod:`labelhub.formats.xml_text`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Protocol, cast

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from labelhub.formats.limits import MAX_FILE_BYTES, MAX_XML_DEPTH, MAX_XML_ELEMENTS
from labelhub.formats.shapes import FormatError, Problem


class Element(Protocol):
    """The part of an XML element that the readers use."""

    tag: str
    text: str | None
    attrib: dict[str, str]

    def __iter__(self) -> Iterator[Element]: ...
    def iter(self) -> Iterator[Element]:
        """The element and everything below it, in document order."""
        ...


def load_xml(data: bytes, place: str) -> Element:
    """Parse one XML file and return its root. Raises :class:`FormatError` where it is broken, hostile or too large."""
    if len(data) > MAX_FILE_BYTES:
        raise _refusal(place, f"The file is larger than {MAX_FILE_BYTES >> 20} MiB.", "Split it and read the parts.")
    root: Element | None = None
    depth = count = 0
    try:
        for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "end":
                depth -= 1
                continue
            depth += 1
            count += 1
            root = cast(Element, element) if root is None else root
            if depth > MAX_XML_DEPTH or count > MAX_XML_ELEMENTS:
                raise _refusal(
                    place,
                    f"The XML is nested deeper than {MAX_XML_DEPTH} levels "
                    f"or holds more than {MAX_XML_ELEMENTS} elements.",
                    "Export the annotations again, in several files if they are many.",
                )
    except ParseError as error:
        raise _refusal(
            place, f"This is not well-formed XML: {error}.", "Export the file again; it may have been cut off."
        ) from None
    except DefusedXmlException:
        raise _refusal(
            place,
            "The XML declares a document type or entities, which annotation files do not need and attacks do.",
            "Remove the <!DOCTYPE …> part, or export the file again.",
        ) from None
    except (ValueError, LookupError) as error:
        raise _refusal(place, f"The text encoding cannot be read: {error}.", "Save the file as UTF-8.") from None
    if root is None:
        raise _refusal(place, "The file is empty.", "Export the annotations again.")
    return root


def tag_of(element: Element) -> str:
    """The element's name without its namespace; an empty text for comments and instructions."""
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def children(element: Element, name: str) -> list[Element]:
    """The direct children of that name, whatever their namespace."""
    return [child for child in element if tag_of(child) == name]


def text_of(element: Element, *path: str) -> str:
    """The stripped text found by walking child names; an empty text where a step is missing."""
    for name in path:
        found = children(element, name)
        if not found:
            return ""
        element = found[0]
    return (element.text or "").strip()


def _refusal(place: str, message: str, remedy: str) -> FormatError:
    return FormatError(Problem(place, message, remedy, fatal=True))
