"""One decoder process with its folder: started with nothing of the server's, spoken to in lines of JSON, killed when late.

What is asked and what becomes of the answers is ``sandbox``'s business.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]
# -I keeps the child's import path free of the current folder and of the environment; this puts the package back.
_START = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)
DECODER = "labelhub.formats.decoder_child"
_FOLDER = "labelhub-decoder-"
_MAX_ANSWER_BYTES = 64 << 20
_START_DEADLINE_S = 60.0
_PIPE_BYTES = 1 << 16
# How often whoever waits for a child is asked whether to go on.
_ASK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What one request may use. Memory is beyond the decoded pixels, which are capped on their own before decoding."""

    max_pixel_bytes: int = 1 << 30
    extra_memory_bytes: int = 512 << 20
    cpu_s: int = 300
    wall_s: float = 600.0
    file_bytes: int = 8 << 30
    open_files: int = 64
    requests_a_process: int = 500


class ChildEnded(Exception):
    """The child did not answer; ``sentence`` says why in words for an administrator."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Child:
    """One child process with its folder. ``program`` is the module it runs: the decoder, or another that speaks like it.

    ``between`` is called several times a second while the child is waited for; what it raises passes, and the child is to be
    stopped then.
    """

    def __init__(
        self, limits: DecoderLimits, scratch: Path, *, program: str = DECODER, between: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        self._between = between
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=scratch)).resolve()
        self.requests = 0
        self.is_worn = False
        options = {
            "max_pixel_bytes": limits.max_pixel_bytes,
            "memory_bytes": limits.max_pixel_bytes + limits.extra_memory_bytes,
            "cpu_s": limits.cpu_s,
            "file_bytes": limits.file_bytes,
            "open_files": limits.open_files,
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own program
            [sys.executable, "-I", "-c", _START, str(_ROOT), program, str(self.folder), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=_environment(self.folder),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        try:
            self.missing_walls = tuple(
                self._read_answer(time.monotonic() + _START_DEADLINE_S, _START_DEADLINE_S)["missing_walls"]
            )
        except ChildEnded:
            self.stop()
            raise RuntimeError("the decoder process does not start; run it by hand to see why") from None
        except BaseException:
            self.stop()
            raise
        if self.missing_walls:
            _LOG.warning("the decoder runs without these protections of the system: %s", ", ".join(self.missing_walls))

    def ask(self, request: dict[str, Any], wall_s: float) -> dict[str, Any]:
        """Send one request and wait for its answer. Raises :class:`ChildEnded`."""
        self.requests += 1
        deadline = time.monotonic() + wall_s
        self._send(json.dumps(request).encode("ascii") + b"\n", deadline, wall_s)
        return self._read_answer(deadline, wall_s)

    def has_open_folders(self) -> bool:
        """Whether a request's results still lie here."""
        return any(self.folder.iterdir())

    def stop(self) -> None:
        """Kill the process and everything it may have started, and remove the folder."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (AttributeError, ProcessLookupError, PermissionError):
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        shutil.rmtree(self.folder, ignore_errors=True)

    def _send(self, line: bytes, deadline: float, wall_s: float) -> None:
        """Write without blocking, so that a child that stopped reading cannot hold the server."""
        assert self._process.stdin is not None
        handle = self._process.stdin.fileno()
        left = memoryview(line)
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_WRITE)
            while left:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ChildEnded(_too_long(wall_s))
                try:
                    left = left[os.write(handle, left[:_PIPE_BYTES]) :]
                except BlockingIOError:
                    continue
                except OSError:
                    raise ChildEnded(self._why_ended()) from None

    def _read_answer(self, deadline: float, wall_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        received = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not received.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise ChildEnded(_too_long(wall_s))
                if not selector.select(min(left, _ASK_EVERY_S)):
                    self._between()
                    continue
                piece = os.read(self._process.stdout.fileno(), _PIPE_BYTES)
                if not piece:
                    raise ChildEnded(self._why_ended())
                received += piece
                if len(received) > _MAX_ANSWER_BYTES:
                    raise ChildEnded("The decoder's answer was too long and was not read.")
        try:
            answer = json.loads(received)
        except ValueError:
            raise ChildEnded("The decoder's answer could not be understood.") from None
        if not isinstance(answer, dict):
            raise ChildEnded("The decoder's answer could not be understood.")
        return answer

    def _why_ended(self) -> str:
        code = self._process.wait()
        if code == -getattr(signal, "SIGXCPU", 24):
            return "Reading the file took more processor time than is allowed and was stopped."
        if code in {-getattr(signal, "SIGKILL", 9), -getattr(signal, "SIGXFSZ", 25)}:
            return "Reading the file took more memory or disk than is allowed and was stopped."
        return "The file broke the decoder that was reading it; only the decoder was harmed."


def _too_long(wall_s: float) -> str:
    return f"Reading the file took longer than {wall_s:g} seconds and was stopped."


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the server's environment, which may hold secrets; numeric libraries stay on one thread."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **single, "LANG": "C.UTF-8", "TMPDIR": str(folder), "HOME": str(folder)}


def remove_orphans(scratch: Path) -> None:
    """Remove folders of servers that are gone. Their process number is in the name."""
    for folder in scratch.glob(f"{_FOLDER}*-*"):
        owner = folder.name.removeprefix(_FOLDER).split("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
