"""Asking the warm process for a proposal: over a socket in the data folder, within a time limit, without any framework.

Clicks do not queue: who asks again for the same document ends what was asked before. Nothing is stored. Not here: the process
itself (``inference.assist_server``), who may ask (``api.propose``), what hints mean (``marks``).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelhub.predictions.frames import FrameProblem, frame, read_frame
from labelhub.predictions.interactive import CLASSICAL
from labelhub.predictions.marks import Hints, HintsRefused, Place
from labelhub.projects.errors import DomainError

# How long somebody waits at most; the process itself gives up a little earlier and says why.
PATIENCE_S = 12.0
LIMIT_S = 10.0
CONNECT_S = 1.0
# Of addresses of sockets in the file system; Linux takes 107 bytes, others fewer.
LONGEST_PATH = 100


class NoAssistant(DomainError):
    """No process answers clicks on this machine, or it has nothing to answer with."""

    code = "no-assistant"
    status = 503

    def __init__(self, sentence: str = "") -> None:
        super().__init__(
            sentence
            or "No assistant is running on the server. Nothing was proposed. Draw by hand; an admin can start it with "
            "manage.py assist."
        )


class NotProposed(DomainError):
    """The assistant was asked and gave no proposal: too slow, too busy, or asked again meanwhile."""

    code = "not-proposed"
    status = 409


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a region of a medium, what was pointed at in the region's own voxels, and who shall answer.

    ``who`` names the place that asks: a newer question of the same place ends this one.
    """

    medium: int
    origin: Place
    size: Place
    hints: Hints
    level: int = 0
    who: str = ""
    method: str = CLASSICAL
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A proposal as a piece of a mask: where it begins in the medium, and its voxels, cut to what is set; None for nothing."""

    origin: Place
    mask: NDArray[np.bool_] | None
    method: str
    is_trained: bool
    took_s: float


async def ask(question: Question, *, path: Path, patience_s: float = PATIENCE_S) -> Answer:
    """Return the assistant's proposal.

    Raises :class:`NoAssistant` where nobody listens or what listens lacks something, ``marks.HintsRefused`` for hints that mean
    nothing, and :class:`NotProposed` for any other reason, in a sentence.
    """
    header = {"kind": "propose", **asdict(question)}
    head, body = await _exchange(header, path, patience_s)
    if not head.get("ok"):
        raise _refusal(str(head.get("code", "")), str(head.get("sentence", "")))
    size = _place(head["size"])
    mask = None
    if size[0]:
        voxels = size[0] * size[1] * size[2]
        mask = np.unpackbits(np.frombuffer(body, np.uint8), count=voxels).astype(np.bool_).reshape(size)
    return Answer(_place(head["origin"]), mask, str(head["method"]), bool(head["is_trained"]), float(head["took_s"]))


async def is_running(path: Path) -> bool:
    """Whether an assistant answers at this moment."""
    try:
        head, _ = await _exchange({"kind": "ping"}, path, CONNECT_S)
    except DomainError:
        return False
    return bool(head.get("ok"))


def socket_path(var: Path) -> Path:
    """Return where the assistant of a data folder listens: in it, or, where that name is too long, in a folder of one's own."""
    path = var / "assist.sock"
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    name = hashlib.sha256(os.fsencode(var)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"labelhub-{os.getuid()}-{name}" / "assist.sock"


def is_ours(path: Path) -> bool:
    """Whether what lies at ``path`` is a socket of this account: nobody else's is asked."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid()


async def _exchange(header: Mapping[str, Any], path: Path, patience_s: float) -> tuple[dict[str, Any], bytes]:
    if not is_ours(path):
        raise NoAssistant
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_unix_connection(str(path))
    except (OSError, TimeoutError) as error:
        raise NoAssistant from error
    try:
        async with asyncio.timeout(patience_s):
            writer.write(frame(header))
            await writer.drain()
            return await read_frame(reader)
    except TimeoutError as error:
        raise NotProposed(
            "The assistant took too long. Nothing was proposed. Zoom in, so that it looks at less, or draw by hand.",
            code="assistant-slow",
        ) from error
    except (FrameProblem, OSError) as error:
        raise NoAssistant(
            "The assistant ended while it worked. Nothing was proposed. Try again, or draw by hand."
        ) from error
    finally:
        writer.close()


def _refusal(code: str, sentence: str) -> DomainError:
    if code == HintsRefused.code:
        return HintsRefused(sentence)
    if code == NoAssistant.code:
        return NoAssistant(sentence)
    return NotProposed(sentence or "The assistant gave no proposal. Draw by hand.", code=code or None)


def _place(values: Any) -> Place:
    z, y, x = (int(value) for value in values)
    return z, y, x
