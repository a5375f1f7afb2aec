"""A panel as bytes and back, without loss: frozen dataclasses to compressed JSON by their type hints.

Undefined numbers (NaN) are written as null. What a page does not need (comparisons of single objects) is left out. Not
here: when a stored panel is still good (``services``).
"""

from __future__ import annotations

import dataclasses
import math
import types
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import zstandard

from labelhub.scoring.panel_rows import Panel

# A panel of 100,000 items stays far below; more would mean a damaged row.
MAX_BYTES = 1 << 30


def to_bytes(panel: Panel) -> bytes:
    """The panel as compressed JSON."""
    kept = dataclasses.replace(panel, object_scores=())
    return zstandard.ZstdCompressor(level=3).compress(orjson.dumps(kept, option=orjson.OPT_SERIALIZE_NUMPY))


def from_bytes(content: bytes) -> Panel:
    """The panel that :func:`to_bytes` wrote. Raises ``ValueError`` where the bytes are another version's or damaged."""
    try:
        document = orjson.loads(zstandard.ZstdDecompressor().decompress(content, max_output_size=MAX_BYTES))
        panel = _restored(Panel, document)
    except (zstandard.ZstdError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError("These bytes are no panel of this version.") from error
    assert isinstance(panel, Panel)
    return panel


def _restored(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin is tuple:
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_restored(inner[0], part) for part in value)
        return tuple(_restored(part_kind, part) for part_kind, part in zip(inner, value, strict=True))
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        chosen = next(part for part in get_args(kind) if part is not type(None))
        return _restored(chosen, value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(
            **{field.name: _restored(hints[field.name], value[field.name]) for field in dataclasses.fields(kind)}
        )
    if kind is float:
        return math.nan if value is None else float(value)
    return value
