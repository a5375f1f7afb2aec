"""How two processes on one machine speak: a JSON header and raw bytes, each with its length in front. Bounded on both sides.

Not here: who listens (``inference.assist_server``), who asks (``assist``).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

import orjson

MAX_HEADER_BYTES = 4 << 20
MAX_BODY_BYTES = 64 << 20
_LENGTHS = struct.Struct("<II")


class FrameProblem(RuntimeError):
    """What came is no frame, or a larger one than may be."""


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """Return the next header and its bytes. Raises :class:`FrameProblem`, also where the other side hung up."""
    try:
        n_header, n_body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if n_header > MAX_HEADER_BYTES or n_body > MAX_BODY_BYTES:
            raise FrameProblem("the frame is too large")
        header = orjson.loads(await reader.readexactly(n_header))
        body = await reader.readexactly(n_body)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise FrameProblem("the other side hung up") from error
    except orjson.JSONDecodeError as error:
        raise FrameProblem("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameProblem("the header is no object")
    return header, body


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a header and its bytes as they travel. Raises :class:`FrameProblem` for what the other side would refuse."""
    head = orjson.dumps(header)
    if len(head) > MAX_HEADER_BYTES or len(body) > MAX_BODY_BYTES:
        raise FrameProblem("the frame is too large")
    return _LENGTHS.pack(len(head), len(body)) + head + body
