"""The decoder process: hostile files harm themselves only (row S9, short version), and its walls stand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import nibabel
import numpy as np
import pytest
import skimage
from PIL import Image
from pydicom.data import get_testdata_file

from labelhub.catalog import sandbox_process
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.sandbox_process import DecoderLimits
from labelhub.formats.pixel_blob import read_pixels
from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.files import SourceFile
from labelhub.formats.pixels.geometry import same_grid
from tests.pixels.makers import make_truth, png_bomb, write_nifti, write_series

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these walls are the Linux kernel's")


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder


def sample_files() -> dict[str, bytes]:
    """One small good file of each kind."""
    pixels = np.random.default_rng(1).integers(0, 255, (24, 20, 3)).astype(np.uint8)
    samples = {}
    for suffix, options in (("png", {}), ("jpeg", {}), ("bmp", {}), ("tiff", {"compression": "tiff_lzw"})):
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, format=suffix, **options)
        samples[f"sample.{suffix}"] = buffer.getvalue()
    for name in ("MR_small.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm"):
        samples[name] = Path(str(get_testdata_file(name, download=False))).read_bytes()
    volume = nibabel.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), np.diag([1.0, 2, 3, 1]))
    samples["sample.nii"] = volume.to_bytes()
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 4 5 6\nspacings: 1 1 2\nencoding: raw\n\n"
    samples["sample.nrrd"] = header + bytes(range(120))
    return samples


def corrupted(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    if rng.random() < 0.3:
        del changed[rng.integers(1, len(changed)) :]
    for _ in range(rng.integers(1, 9)):
        # Half of the damage hits the first part, where headers are.
        end = min(len(changed), 400) if rng.random() < 0.5 else len(changed)
        changed[rng.integers(end)] = rng.integers(256)
    return bytes(changed)


def left_over(*folders: Path) -> list[str]:
    return [str(path) for folder in folders for path in folder.rglob("*") if not path.name.isalnum()]


# Planted once: a request's folder that is not removed at its end; the line below the loop then finds its files.
def test_corrupted_files_are_read_or_refused_and_leave_nothing_behind(tmp_path, scratch, into):
    seed = 20260902
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    samples = sample_files()
    answers = 0
    with Decoder(DecoderLimits(max_pixel_bytes=64 << 20, wall_s=30), scratch=scratch) as decoder:
        for name, content in samples.items():
            good = tmp_path / name
            good.write_bytes(content)
            assert decoder.decode([SourceFile(good, name)], into=into).media, name
            for number in range(40):
                path = tmp_path / f"{number}-{name}"
                path.write_bytes(corrupted(content, rng))
                outcome = decoder.decode([SourceFile(path, path.name)], into=into)
                assert len(outcome.media) + len(outcome.refused) >= 1, (seed, path.name)
                for refused in outcome.refused:
                    assert refused.refusal.remedy
                answers += 1
        assert [path for path in scratch.rglob("*") if path.is_file()] == []
    assert answers == 40 * len(samples)
    assert list(scratch.iterdir()) == []
    assert left_over(into) == []


def test_corrupted_archives_are_unpacked_or_refused_and_leave_nothing_behind(tmp_path, scratch, into):
    rng = np.random.default_rng(77)
    buffer, tar_buffer = BytesIO(), BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        tarfile.open(fileobj=tar_buffer, mode="w:gz") as tar,
    ):
        for name, content in sample_files().items():
            archive.writestr(name, content)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))
    with Decoder(scratch=scratch) as decoder:
        for number in range(60):
            path = tmp_path / f"{number}.zip"
            path.write_bytes(corrupted((buffer, tar_buffer)[number % 2].getvalue(), rng))
            with suppress(PixelError):
                decoder.unpack(SourceFile(path, path.name), into=into)
    assert list(scratch.iterdir()) == []
    assert left_over(into) == []


def test_archive_comes_out_through_the_child_with_each_content_once(tmp_path, scratch, into):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in (("one/a.dcm", b"a"), ("two/a.dcm", b"a"), ("b.dcm", b"b"), ("../c.dcm", b"c")):
            archive.writestr(name, content)
    with Decoder(scratch=scratch) as decoder:
        found = decoder.unpack(SourceFile(tmp_path / "a.zip", "a.zip"), into=into)
    assert [member.name for member in found.members] == ["one/a.dcm", "two/a.dcm", "b.dcm"]
    assert [member.path.read_bytes() for member in found.members] == [b"a", b"a", b"b"]
    assert len(list(into.iterdir())) == 2
    assert len(found.refused) == 1


@pytest.mark.parametrize("members", [[["../x", "0" * 64]], [["x", "../../etc/passwd"]], [["x", "0" * 64]], [[1]], 7])
def test_unpacking_child_that_lies_is_refused(tmp_path, scratch, into, monkeypatch, members):
    answer = json.dumps({"members": members, "refused": []})
    planted_child(monkeypatch, f"    print({answer!r}, flush=True)")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with Decoder(scratch=scratch) as decoder, pytest.raises(PixelError, match="does not hold"):
        decoder.unpack(SourceFile(tmp_path / "a.zip", "a.zip"), into=into)
    assert list(into.iterdir()) == []


def test_bombs_are_refused_within_the_memory_limit(tmp_path, scratch, into):
    terabytes = bytearray(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).to_bytes())
    terabytes[40:56] = np.array([3, 32767, 32767, 32767, 1, 1, 1, 1], "<i2").tobytes()
    (tmp_path / "bomb.png").write_bytes(png_bomb(50_000))
    (tmp_path / "grey.png").write_bytes(png_bomb(30_000))
    (tmp_path / "bomb.nii").write_bytes(terabytes)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.dcm", bytes(300 << 20))
    with Decoder(scratch=scratch) as decoder:
        names = ("bomb.png", "grey.png", "bomb.nii")
        outcome = decoder.decode([SourceFile(tmp_path / name, name) for name in names], into=into)
        with pytest.raises(PixelError, match="times its own size"):
            decoder.unpack(SourceFile(tmp_path / "bomb.zip", "bomb.zip"), into=into)
        assert peak_memory_bytes(decoder) < 700 << 20
    assert sorted(refused.source for refused in outcome.refused) == [0, 1, 2]
    assert outcome.media == ()
    assert list(scratch.iterdir()) == []
    assert list(into.iterdir()) == []


def peak_memory_bytes(decoder: Decoder) -> int:
    """The most memory that the child ever had resident; 0 where the system does not tell."""
    status = Path(f"/proc/{decoder._running()._process.pid}/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return max((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), default=0)


def test_memory_beyond_the_limit_refuses_that_file_and_the_batch_goes_on(tmp_path, scratch, into):
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(tmp_path / "large.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small.png")
    limits = DecoderLimits(max_pixel_bytes=100 << 20, extra_memory_bytes=20 << 20)
    with Decoder(limits, scratch=scratch) as decoder:
        outcome = decoder.decode([SourceFile(tmp_path / name, name) for name in ("large.png", "small.png")], into=into)
    assert [medium.sources for medium in outcome.media] == [(1,)]
    (refused,) = outcome.refused
    assert "memory" in refused.refusal.message
    assert refused.refusal.place == "large.png"


def test_batch_of_a_series_a_volume_and_a_photograph_is_kept_under_hashes(tmp_path, scratch, into):
    truth = make_truth((0, 1, 2), (-1, -1, 1), rng=np.random.default_rng(2))
    paths = [*write_series(truth, tmp_path), write_nifti(truth, tmp_path / "v.nii.gz")]
    paths.append(Path(skimage.__file__).parent / "data" / "coins.png")
    with Decoder(scratch=scratch) as decoder:
        outcome = decoder.decode([SourceFile(path, path.name) for path in paths], into=into)
    assert outcome.refused == ()
    assert sorted(medium.kind for medium in outcome.media) == ["photograph", "volume", "volume"]
    assert {medium.path.name for medium in outcome.media} == {path.name for path in into.iterdir()}
    series, volume = (next(m for m in outcome.media if len(m.sources) == n and m.kind == "volume") for n in (4, 1))
    np.testing.assert_array_equal(read_pixels(series.path).astype(int) + 1024, read_pixels(volume.path))
    assert same_grid(series.grid, volume.grid)
    assert series.identity.patient_id == "HOSPITAL-4711"


def planted_child(monkeypatch, body: str) -> None:
    """Replace the child's program by one that does harm after its greeting."""
    greeting = "import sys, os, time, json\nprint(json.dumps({'missing_walls': []}), flush=True)\n"
    monkeypatch.setattr(sandbox_process, "_START", greeting + "for line in sys.stdin:\n" + body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("    os.abort()", "broke"),
        ("    time.sleep(60)", "longer than"),
        ("    print('not json', flush=True)", "understood"),
        ("    print('[]', flush=True)", "understood"),
        ("    print('{}', flush=True)", "does not hold"),
        ("    print(json.dumps({'groups': [['png', [0]]], 'refused': [], 'media': [{'file': '/etc/passwd'}]}), flush=True)",
         "does not hold"),
        ("    print(json.dumps({'groups': [['png', [5]]], 'refused': []}), flush=True)", "does not hold"),
        ("    os.kill(os.getpid(), 9)", "memory"),
    ],
)  # fmt: skip
def test_whatever_becomes_of_the_child_is_a_refusal(tmp_path, scratch, into, monkeypatch, body, words):
    planted_child(monkeypatch, body)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    with Decoder(DecoderLimits(wall_s=0.5), scratch=scratch) as decoder:
        outcome = decoder.decode([SourceFile(tmp_path / "a.png", "a.png")], into=into)
    (refused,) = outcome.refused
    assert words in refused.refusal.message
    assert refused.refusal.place == "a.png"
    assert list(scratch.iterdir()) == []
    assert list(into.iterdir()) == []


def test_file_that_breaks_the_survey_is_found_and_the_others_are_read(tmp_path, scratch, into, monkeypatch):
    trap = (
        "import labelhub.formats.pixels.decode as d; real = d._kind_of\n"
        "def trap(file):\n    import os\n    return os.abort() if file.name == 'bad.png' else real(file)\n"
        "d._kind_of = trap\n"
    )
    first, last = sandbox_process._START.split("; runpy.run")
    monkeypatch.setattr(sandbox_process, "_START", f"{first}\n{trap}runpy.run{last}")
    names = ("one.png", "bad.png", "two.png")
    for name in names:
        Image.fromarray(np.zeros((4, len(name)), np.uint8)).save(tmp_path / name)
    with Decoder(scratch=scratch) as decoder:
        outcome = decoder.decode([SourceFile(tmp_path / name, name) for name in names], into=into)
    assert sorted(medium.sources for medium in outcome.media) == [(0,), (2,)]
    assert [refused.source for refused in outcome.refused] == [1]


def test_worn_child_is_replaced_and_folders_of_dead_servers_are_removed(tmp_path, scratch, into):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    orphan = scratch / f"labelhub-decoder-{ended.pid}-x"
    orphan.mkdir()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    with Decoder(DecoderLimits(requests_a_process=2), scratch=scratch) as decoder:
        assert not orphan.exists()
        processes = set()
        for _ in range(3):
            assert decoder.decode([SourceFile(tmp_path / "a.png", "a.png")], into=into).media
            processes.add(decoder._running()._process.pid)
    assert len(processes) == 3


WALLS = """
import sys, os, json
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from labelhub.formats.decoder_child.walls import ChildLimits, raise_walls
missing = raise_walls(ChildLimits(200 << 20, 60, 1 << 20, 32), Path(sys.argv[2]))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def tried(action):
    try:
        return repr(action())[:40]
    except BaseException as error:
        return type(error).__name__
outside = os.fsencode(sys.argv[3])
print(json.dumps({
    "missing": missing,
    "write inside": tried(lambda: Path(sys.argv[2], "a").write_text("x")),
    "write outside": tried(lambda: Path(sys.argv[3], "a").write_text("x")),
    "remove outside": tried(lambda: os.remove(Path(sys.argv[3], "keep"))),
    "native write outside": libc.open(outside + b"/b", os.O_CREAT | os.O_WRONLY, 0o600),
    "native remove outside": libc.unlink(outside + b"/keep"),
    "native exec": libc.execv(b"/bin/true", None),
    "socket": tried(lambda: __import__("socket").socket()),
    "program": tried(lambda: __import__("subprocess").run(["true"])),
    "fork": tried(os.fork),
    "memory": tried(lambda: len(bytearray(300 << 20))),
    "interfaces": [n.split(":")[0].strip() for n in open("/proc/net/dev").read().splitlines()[2:]],
    "core": __import__("resource").getrlimit(4),
}))
"""


@linux_only
def test_walls_hold_against_python_and_against_native_code(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "keep").write_text("kept")
    root = str(Path(sandbox_process.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-I", "-c", WALLS, root, str(inside), str(outside)], capture_output=True, check=True, text=True
    )
    found = json.loads(run.stdout)
    assert found["write inside"] == "1"
    for attempt in ("write outside", "remove outside", "socket", "program", "fork"):
        assert found[attempt] == "PermissionError", (attempt, found)
    assert found["memory"] == "MemoryError"
    assert (outside / "keep").exists()
    assert not (outside / "a").exists()
    if "landlock" not in found["missing"]:
        assert [found[f"native {deed}"] for deed in ("write outside", "remove outside", "exec")] == [-1, -1, -1]
        assert not (outside / "b").exists()
    if "network namespace" not in found["missing"]:
        assert found["interfaces"] in (["lo"], [])
    assert found["core"] == [0, 0]


@linux_only
def test_processor_time_beyond_the_limit_ends_the_child():
    root = str(Path(sandbox_process.__file__).parents[2])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from labelhub.formats.decoder_child.walls import grant_cpu\n"
        "grant_cpu(0)\nwhile True: pass\n"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", program, root], check=False)
    assert ended.returncode == -signal.SIGXCPU


def test_child_sees_nothing_of_the_servers_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "canary")
    assert "canary" not in repr(sandbox_process._environment(tmp_path))
    assert "PYTHONPATH" not in sandbox_process._environment(tmp_path)
    assert os.environ["SECRET_KEY"] == "canary"
