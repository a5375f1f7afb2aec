"""JSON from strangers: UTF-8, finite numbers, bounded depth and size, and a message that names the place.

RFC 8259 knows neither NaN nor Infinity; both are refused here because a number that is not one would spread through
every score. Not here: what any field means.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson

from labelhub.formats.limits import MAX_FILE_BYTES, MAX_JSON_DEPTH
from labelhub.formats.shapes import FormatError, Problem

# What a JSON text may hold. Readers narrow it with isinstance before they use it.
Json: TypeAlias = Any

_RE_EXPORT = "Export it again, or repair the file at that place."


def load_json(data: bytes, place: str) -> Json:
    """Parse one JSON file. Raises :class:`FormatError` for anything that is not strict, finite, shallow JSON."""
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(
            Problem(
                place,
                f"The file is larger than {MAX_FILE_BYTES >> 20} MiB.",
                "Split it and read the parts.",
                fatal=True,
            )
        )
    try:
        value = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise _refusal(place, f"This is not valid JSON: {error}.", _RE_EXPORT) from None
    if _depth_exceeds(value, MAX_JSON_DEPTH):
        raise FormatError(
            Problem(place, f"The JSON is nested deeper than {MAX_JSON_DEPTH} levels.", _RE_EXPORT, fatal=True)
        )
    return value


def _depth_exceeds(value: Json, limit: int) -> bool:
    level: list[Json] = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def as_mapping(value: Json) -> dict[str, Json]:
    """The value where it is an object, else an empty one: a missing and a mistyped field are then one case."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def whole_number(value: Json) -> int | None:
    """The value where it is a whole number (true and false are not), else ``None``."""
    return value if type(value) is int else None


def _refusal(place: str, message: str, remedy: str) -> FormatError:
    return FormatError(Problem(place, message, remedy, fatal=True))
