"""Names for the numbers of label maps, from a ``labels.json`` or ``labels.txt`` beside them.

JSON: ``{"1": "liver"}``, ``{"liver": 1}`` or the same under ``labels``. Text: a number and a name a line, or the
label file of ITK-SNAP. Not here: names that a format carries itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from labelhub.formats.shapes import FormatError, Problem
from labelhub.formats.strict_json import as_mapping, load_json

NAME_FILES: Final = frozenset({"labels.json", "labels.txt", "label_names.json", "label_names.txt", "dataset.json"})
_SNAP_LINE: Final = re.compile(r'\s*(\d+)(?:\s+[\d.]+){6}\s+"(.*)"\s*')
_PLAIN_LINE: Final = re.compile(r"\s*(\d+)\s*[\s,;:=]\s*(.*\S)\s*")


def is_name_file(name: str) -> bool:
    """Whether a file holds names of labels, by its own name."""
    return name.rsplit("/", 1)[-1].lower() in NAME_FILES


def read_label_names(files: Mapping[str, bytes]) -> dict[int, str]:
    """The names in all such files of a source; the first to name a number wins. Raises :class:`FormatError`."""
    names: dict[int, str] = {}
    for place in sorted(filter(is_name_file, files)):
        found = _from_json(files[place], place) if place.lower().endswith(".json") else _from_text(files[place], place)
        names = {**found, **names}
    return {value: name for value, name in names.items() if value > 0}


def _from_json(data: bytes, place: str) -> dict[int, str]:
    root = as_mapping(load_json(data, place))
    pairs = as_mapping(root["labels"]) if isinstance(root.get("labels"), dict) else root
    names: dict[int, str] = {}
    for key, value in pairs.items():
        if key.isdecimal() and len(key) < 7 and isinstance(value, str):
            names[int(key)] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            names[value] = key
    return names


def _from_text(data: bytes, place: str) -> dict[int, str]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise FormatError(Problem(place, "The names are not UTF-8.", "Save the file as UTF-8.", fatal=True)) from None
    names: dict[int, str] = {}
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        match = _SNAP_LINE.fullmatch(line) or _PLAIN_LINE.fullmatch(line)
        if match is not None and len(match[1]) < 7:
            names[int(match[1])] = match[2].strip('"')
    return names
