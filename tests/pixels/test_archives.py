"""Archives: files come out under their hash, names lead nowhere (row S11), and caps hold whatever an archive claims."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from labelhub.formats.pixels.archives import ArchiveLimits, clean_name, unpack
from labelhub.formats.pixels.errors import PixelError

HOSTILE = [
    "../escape.png", "a/../../escape.png", "/etc/passwd", "C:\\windows\\system.ini", "..\\..\\escape", "\\\\server\\share\\x",
    "a/../b.png", "nul", "folder/CON.png", "aux.dcm", "com1", "a\x00b.png", "line\nbreak.png", "\x1b[31m.png", "file:stream",
    "..",
    "...", ". .", "~/../x",
    "x" * 2000, "", "/", "a\u0085b",
]  # fmt: skip


def zip_of(path: Path, members: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", ["zip", "tar", "tar-gzip"])
def test_files_come_out_under_the_hash_of_their_bytes(tmp_path, out, kind):
    members = {"a/one.dcm": b"1" * 1000, "b/two.dcm": b"2", "b/again.dcm": b"2", "__MACOSX/b/._two.dcm": b"junk"}
    path = tmp_path / "archive"
    if kind == "zip":
        zip_of(path, members)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar-gzip" else "w") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    found = unpack(path, "archive", out)
    assert [member.name for member in found.members] == ["a/one.dcm", "b/two.dcm", "b/again.dcm"]
    assert files_below(out) == {hashlib.sha256(content).hexdigest() for content in (b"1" * 1000, b"2")}
    assert found.refused == ()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_refused_and_creates_nothing_outside(tmp_path, out, name):
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = entry.orig_filename = name or "/"
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", b"good")
        if name:
            archive.writestr(entry, b"evil")
    found = unpack(path, "hostile.zip", out)
    assert clean_name(name) is None
    assert [member.name for member in found.members] == ["good.png"]
    assert files_below(tmp_path) == {"hostile.zip", "out/" + hashlib.sha256(b"good").hexdigest()}
    assert all("\n" not in refused.place and "\x1b" not in refused.place for refused in found.refused)


def test_generated_hostile_names_create_nothing_outside(tmp_path, out):
    rng = np.random.default_rng(11)
    pieces = ["..", ".", "/", "\\", "a", "C:", "con", "\x00", "~", "", " ", "%2e%2e", "\u202e", "é", "scan.dcm"]
    with tarfile.open(tmp_path / "h.tar", "w") as archive:
        for _ in range(1000):
            entry = tarfile.TarInfo("/".join(rng.choice(pieces, rng.integers(1, 5))))
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"evil"))
    found = unpack(tmp_path / "h.tar", "h.tar", out)
    assert files_below(tmp_path) <= {"h.tar", "out/" + hashlib.sha256(b"evil").hexdigest()}
    assert not any(".." in member.name.split("/") or member.name.startswith("/") for member in found.members)


def test_links_and_devices_of_a_tar_are_refused(tmp_path, out):
    with tarfile.open(tmp_path / "l.tar", "w") as archive:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
            entry = tarfile.TarInfo(f"link{number}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    found = unpack(tmp_path / "l.tar", "l.tar", out)
    assert len(found.refused) == 4
    assert files_below(out) == set()


def test_symlink_and_encrypted_member_of_a_zip_are_refused(tmp_path, out):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret.png", b"x")
    content = bytearray((tmp_path / "l.zip").read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 1
    content[content.index(b"secret.png") - 24] |= 1
    (tmp_path / "l.zip").write_bytes(content)
    found = unpack(tmp_path / "l.zip", "l.zip", out)
    assert ["link" in found.refused[0].message, "encrypted" in found.refused[1].message] == [True, True]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (ArchiveLimits(total_bytes=10_000), "MiB"),
        (ArchiveLimits(ratio=10, ratio_from_bytes=1000), "times its own size"),
        (ArchiveLimits(members=2), "files"),
    ],
)
def test_archive_above_a_cap_gives_nothing_at_all(tmp_path, out, limits, words):
    path = zip_of(tmp_path / "bomb.zip", {f"{n}.dcm": bytes(50_000) + bytes([n]) for n in range(5)})
    with pytest.raises(PixelError, match=words):
        unpack(path, "bomb.zip", out, limits=limits)
    assert files_below(out) == set()


def test_archives_inside_are_unpacked_to_a_depth_and_count_against_the_same_caps(tmp_path, out):
    inner = zip_of(tmp_path / "i.zip", {"x.dcm": b"x"}).read_bytes()
    middle = zip_of(tmp_path / "m.zip", {"inner.zip": inner, "y.dcm": b"y"}).read_bytes()
    path = zip_of(tmp_path / "o.zip", {"middle.zip": middle})
    found = unpack(path, "o.zip", out)
    assert [member.name for member in found.members] == ["middle.zip/y.dcm"]
    assert "deeper" in found.refused[0].message
    assert [m.name for m in unpack(path, "o.zip", out, limits=ArchiveLimits(depth=3)).members] == [
        "middle.zip/inner.zip/x.dcm",
        "middle.zip/y.dcm",
    ]


def test_damaged_archive_gives_nothing_at_all(tmp_path, out):
    rng = np.random.default_rng(3)
    content = zip_of(tmp_path / "z.zip", {f"{n}.dcm": rng.bytes(500) for n in range(4)}).read_bytes()
    (tmp_path / "z.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(PixelError, match="damaged"):
        unpack(tmp_path / "z.zip", "z.zip", out)
    assert files_below(out) == set()
