"""The walls around the decoder's process, put up from inside before the first file is opened.

Memory, processor time, file size, open files and core dumps are limited (setrlimit). The network is left behind (a new
network namespace, else Landlock for TCP); writing outside one folder and starting programs are denied by the kernel
(Landlock, Linux 5.13+). An audit hook refuses the same things in Python, on every system; it stops honest code, the
kernel stops the rest. A wall that this system does not have is named in the answer of :func:`raise_walls` and left out.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
# Rights of linux/landlock.h: execute (0); write, remove and make (1, 4-12); move between folders (13), truncate (14).
_EXECUTE = 1 << 0
_CHANGES = (1 << 1) | sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_TCP = 0b11

_DENIED = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.", "ftplib.")
_PATH_EVENTS = frozenset(
    ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.chmod", "os.chown", "os.truncate")
)


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What the child may use. Memory counts from what it needs before its first file."""

    memory_bytes: int
    cpu_s: int
    file_bytes: int
    open_files: int


def raise_walls(limits: ChildLimits, folder: Path) -> tuple[str, ...]:
    """Put up every wall that this system has; the answer names those that it has not."""
    missing = []
    if not _leave_network():
        missing.append("network namespace")
    if not _landlock(folder):
        missing.append("landlock")
    missing += _limit_resources(limits)
    sys.addaudithook(_guard(folder))
    return tuple(missing)


def grant_cpu(cpu_s: int) -> None:
    """Allow that much processor time from now on; beyond it the kernel ends the process."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit_resources(limits: ChildLimits) -> list[str]:
    if sys.platform == "win32":
        return ["resource limits"]
    import resource

    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_AS": _address_space() + limits.memory_bytes,
    }
    missing = []
    if not _address_space():
        missing.append("RLIMIT_AS")
        del wanted["RLIMIT_AS"]
    for name, value in wanted.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):
            missing.append(name)
    return missing


def _address_space() -> int:
    """Bytes of address space in use now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _leave_network() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0 or libc.unshare(_CLONE_NEWNET) == 0)


def _landlock(folder: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    changes = _CHANGES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    ruleset = struct.pack("<Q", changes | _EXECUTE) + (struct.pack("<Q", _TCP) if version >= 4 else b"")
    rules = libc.syscall(_LANDLOCK_CREATE, ruleset, ctypes.c_size_t(len(ruleset)), 0)
    if rules < 0:
        return False
    place = os.open(folder, os.O_RDONLY)
    try:
        beneath = struct.pack("<Qi", changes, place)
        added = libc.syscall(_LANDLOCK_ADD, ctypes.c_int(rules), 1, beneath, 0) == 0
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(added and libc.syscall(_LANDLOCK_RESTRICT, ctypes.c_int(rules), 0) == 0)
    finally:
        os.close(place)
        os.close(rules)


def _guard(folder: Path) -> Any:
    inside = str(folder.resolve()) + os.sep
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def is_inside(path: object) -> bool:
        if isinstance(path, int):
            return True
        return (
            os.path.abspath(os.fsdecode(path)).startswith(inside)
            if isinstance(path, (str, bytes, os.PathLike))
            else False
        )

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & writing and not is_inside(path):
                raise PermissionError("the decoder writes into its own folder only")
        elif event in _PATH_EVENTS:
            if not all(is_inside(path) for path in arguments[: 2 if event in {"os.rename", "os.link"} else 1]):
                raise PermissionError("the decoder changes its own folder only")
        elif event.startswith(_DENIED):
            raise PermissionError("the decoder has no network and starts no programs")

    return hook
