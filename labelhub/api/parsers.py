"""Strict JSON in: no NaN, no infinity, bounded size and depth, before anything else looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 32


class StrictJsonParser(BaseParser):
    """Reads JSON with orjson, which knows no NaN, and refuses what is too large or too deep."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the document. Raises ``ParseError`` that says what is wrong and what is allowed."""
        body = stream.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ParseError(
                f"The request is larger than {MAX_BYTES // 1024 // 1024} MiB. Nothing was stored. Send it in parts."
            )
        if _depth(body) > MAX_DEPTH:
            raise ParseError(f"The document is nested deeper than {MAX_DEPTH} levels. Nothing was stored.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"This is not JSON: {error}. Nothing was stored.") from error


def _depth(body: bytes) -> int:
    """An upper bound of the nesting that also counts brackets inside texts' escapes; cheap, and never too low."""
    deepest = depth = 0
    in_text = escaped = False
    for byte in body:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest
