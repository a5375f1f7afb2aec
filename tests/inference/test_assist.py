"""The process that answers clicks: real sockets, real pixels, and what it says when it cannot.

Planted and seen to fail: the socket readable by others; an older click worked on to its end; the region's origin left out of
the answer; a second process on one folder; skimage imported with the server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from labelhub.catalog.services import ItemIdentity, add_volume
from labelhub.formats.shapes import Grid
from labelhub.inference import assist_server
from labelhub.inference.assist_server import hold
from labelhub.predictions import assist, interactive
from labelhub.predictions.assist import NoAssistant, NotProposed, Question, ask, is_running, socket_path
from labelhub.predictions.frames import MAX_BODY_BYTES, FrameProblem, frame
from labelhub.predictions.geodesic import Proposed
from labelhub.predictions.marks import Hints, HintsRefused
from tests.inference.assistants import running

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def medium(cast):
    """A bright cube from (2, 10, 14) on, in a volume of thick slices."""
    pixels = np.full((8, 40, 48), 100, np.int16)
    pixels[2:6, 10:26, 14:30] = 200
    grid = Grid((8, 40, 48), (3.0, 1.0, 1.0))
    item = add_volume(
        project=cast.project, pixels=pixels, grid=grid, source_id="cube", identity=ItemIdentity(), actor="test"
    )
    return item.media.get()


@pytest.fixture
def path(tmp_path):
    return socket_path(tmp_path)


def question(medium, hints=None, **rest):
    given = {"origin": (1, 5, 5), "size": (7, 30, 35), "hints": hints or Hints(((2, 12, 15),))} | rest
    return Question(medium=medium.pk, **given)


def asked(path, *questions, **rest):
    async def all_of_them():
        return await asyncio.gather(*(ask(one, path=path, **rest) for one in questions), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_a_press_on_the_cube_is_answered_with_the_cube_at_its_place(medium, path):
    with running(path):
        assert asyncio.run(is_running(path))
        assert path.stat().st_mode & 0o777 == 0o600
        (answer,) = asked(path, question(medium))
    assert (answer.origin, answer.mask.shape, answer.is_trained) == ((2, 10, 14), (4, 16, 16), False)
    assert answer.mask.mean() > 0.95
    assert answer.method == interactive.CLASSICAL
    assert not path.exists()


def test_hints_that_mean_nothing_come_back_as_such(medium, path):
    with running(path):
        refusal, unknown = asked(
            path, question(medium, Hints(negative=((0, 1, 1),))), Question(10**9, (0, 0, 0), (1, 1, 1), Hints())
        )
    assert isinstance(refusal, HintsRefused)
    assert "Point at what you mean" in str(refusal)
    assert (unknown.code, "never brought in" in str(unknown)) == ("no-pixels", True)


def test_without_a_process_it_is_said_what_to_do(medium, path, tmp_path):
    (refusal,) = asked(path, question(medium))
    assert isinstance(refusal, NoAssistant)
    assert "Draw by hand" in str(refusal)
    assert "manage.py assist" in str(refusal)
    path.write_text("no socket")
    assert isinstance(asked(path, question(medium))[0], NoAssistant)


class Slow:
    """Works until it is told to stop."""

    is_trained = True
    began = threading.Semaphore(0)

    def propose(self, pixels, hints, *, spacing_mm, level, check):
        Slow.began.release()
        for _ in range(1000):
            check()
            time.sleep(0.01)
        return Proposed(np.ones(pixels.shape, np.bool_), np.ones(pixels.shape, np.float32), "slow")


@pytest.fixture
def slow(monkeypatch):
    monkeypatch.setitem(interactive._factories, "slow", lambda _parameters: Slow())


def test_a_newer_click_ends_the_older_one_and_others_are_not_held_up(medium, path, slow):
    async def scene():
        first = asyncio.create_task(ask(question(medium, who="d1", method="slow"), path=path))
        await asyncio.to_thread(Slow.began.acquire)
        began = time.monotonic()
        other = await ask(question(medium, who="d2"), path=path)
        second = await ask(question(medium, who="d1"), path=path)
        with pytest.raises(NotProposed) as refusal:
            await first
        return refusal.value.code, other.mask is not None, second.mask is not None, time.monotonic() - began

    with running(path):
        code, other, second, took = asyncio.run(scene())
    assert (code, other, second) == ("asked-again", True, True)
    assert took < 5


def test_what_takes_too_long_is_ended_and_says_so(medium, path, slow):
    with running(path, limit_s=0.2):
        (refusal,) = asked(path, question(medium, method="slow"))
        assert refusal.code == "assistant-slow"
        assert isinstance(asked(path, question(medium, who="next"))[0], assist.Answer)


def test_too_many_at_once_are_told_so(medium, path, slow, monkeypatch):
    monkeypatch.setattr(assist_server, "MOST_WAITING", 1)
    with running(path, at_once=1, limit_s=1.0):
        found = asked(path, *(question(medium, who=str(number), method="slow") for number in range(4)))
    assert sorted(one.code for one in found).count("assistant-busy") == 2


def test_a_mistake_of_ours_and_too_little_memory_are_sentences(medium, path, monkeypatch):
    class Broken:
        is_trained = False

        def propose(self, pixels, hints, *, spacing_mm, level, check):
            raise MemoryError if level else ZeroDivisionError

    monkeypatch.setitem(interactive._factories, "broken", lambda _parameters: Broken())
    with running(path):
        found = asked(path, *(question(medium, method="broken", level=level, who=str(level)) for level in (0, 1)))
    assert [one.code for one in found] == ["assistant-failed", "assistant-memory"]
    assert all("Nothing was proposed" in str(one) for one in found)


def test_a_network_without_its_framework_is_said_to_be_missing(medium, path, settings):
    settings.QUEUE_MODULES = {"gpu": "labelhub_no_such_framework"}
    with running(path):
        (refusal,) = asked(path, question(medium, method="net"))
    assert isinstance(refusal, NoAssistant)
    assert "install_models" in str(refusal)


def test_garbage_on_the_socket_harms_nobody(medium, path):
    async def throw(raw: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(raw)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    with running(path):
        for raw in (b"", b"\xff" * 64, b"\x02\x00\x00\x00\x00\x00\x00\x00[]", frame({"kind": "propose"})[:-3]):
            assert asyncio.run(throw(raw)) == b""
        assert b"assistant-failed" in asyncio.run(throw(frame({"kind": "propose"})))
        assert isinstance(asked(path, question(medium))[0], assist.Answer)
    with pytest.raises(FrameProblem):
        frame({}, bytes(MAX_BODY_BYTES + 1))


def test_one_process_a_folder_and_a_long_name_finds_another_place(path, tmp_path):
    lock = hold(path)
    assert lock is not None
    assert hold(path) is None
    lock.close()
    again = hold(path)
    assert again is not None
    again.close()
    far = socket_path(tmp_path / ("x" * 120))
    assert len(str(far)) < 100
    assert far != socket_path(tmp_path / ("y" * 120))


def test_nothing_of_it_loads_torch():
    code = (
        "import django,os,sys;os.environ['DJANGO_SETTINGS_MODULE']='labelhub.config.settings';django.setup();"
        "import labelhub.inference.assist_server,labelhub.config.management.commands.assist;"
        "print(sorted({'torch','monai','skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
