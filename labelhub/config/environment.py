"""Everything LabelHub takes from the environment, read once. Nothing else in the project reads ``os.environ``.

There is no default password and no shared secret: the secret key and the audit key are made on first use, one file each,
readable by the owner only, outside the database.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit


class EnvironmentProblem(RuntimeError):
    """A variable holds something that cannot be used; the message names it and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings that a site may change, with safe defaults."""

    var: Path
    database_url: str
    redis_url: str
    broker_url: str
    hosts: tuple[str, ...]
    debug: bool
    secret_key: str
    audit_key: bytes
    in_place_roots: tuple[Path, ...]
    behind_https: bool
    decoder_memory_bytes: int
    trusted_origins: tuple[str, ...]
    # Servers of models that may be called, and so may be sent pictures: none unless the owner lists them.
    model_servers: tuple[str, ...]

    @classmethod
    def read(cls, variables: Mapping[str, str], root: Path) -> Environment:
        """Read ``variables``; make the folder for data and the keys where they are missing.

        Raises :class:`EnvironmentProblem` where DEBUG is asked for on an address that others can reach.
        """
        var = Path(variables.get("LABELHUB_VAR") or root / "var").resolve()
        hosts = tuple(filter(None, variables.get("LABELHUB_HOSTS", "127.0.0.1,localhost,[::1]").split(",")))
        debug = variables.get("LABELHUB_DEBUG", "") == "1"
        if debug and not all(map(is_loopback, hosts)):
            raise EnvironmentProblem(
                f"LABELHUB_DEBUG=1 shows source code and settings to visitors, and LABELHUB_HOSTS={','.join(hosts)} is "
                "reachable by others. Nothing was started. Unset LABELHUB_DEBUG, or serve 127.0.0.1 only."
            )
        var.mkdir(parents=True, exist_ok=True, mode=0o700)
        roots = filter(None, variables.get("LABELHUB_IN_PLACE_ROOTS", "").split(os.pathsep))
        return cls(
            var=var,
            database_url=variables.get("DATABASE_URL", ""),
            redis_url=variables.get("REDIS_URL", ""),
            broker_url=variables.get("BROKER_URL", ""),
            hosts=hosts,
            debug=debug,
            secret_key=variables.get("LABELHUB_SECRET_KEY") or _key_file(var / "secret.key"),
            audit_key=(variables.get("LABELHUB_AUDIT_KEY") or _key_file(var / "audit.key")).encode(),
            in_place_roots=tuple(Path(path).resolve() for path in roots),
            behind_https=variables.get("LABELHUB_HTTPS", "") == "1",
            decoder_memory_bytes=int(variables.get("LABELHUB_DECODER_MEMORY_MIB", "2048")) * 1024 * 1024,
            trusted_origins=tuple(filter(None, variables.get("LABELHUB_ORIGINS", "").split(","))),
            model_servers=tuple(filter(None, variables.get("LABELHUB_MODEL_SERVERS", "").split(","))),
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches ``host``."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def database_settings(url: str, var: Path) -> dict[str, object]:
    """Django's ``DATABASES["default"]`` for a ``postgres://`` address, or the embedded SQLite file where ``url`` is empty.

    SQLite runs in WAL mode with ``synchronous=FULL`` (an acknowledged commit survives a power loss) and takes the write lock
    at the start of a transaction, so that two writers wait for each other and never fail half-way.
    """
    if not url:
        return _sqlite(var / "labelhub.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"}:
        raise EnvironmentProblem(
            f"DATABASE_URL starts with {parts.scheme!r}; postgres:// and sqlite:// are understood."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        # The default of 4 is less than the threads that one server process answers with: the fifth would wait for a
        # connection, and be refused after half a minute.
        "OPTIONS": {"pool": {"min_size": 2, "max_size": 20}},
    }


def _sqlite(path: Path) -> dict[str, object]:
    pragmas = (
        "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA temp_store=MEMORY;"
        "PRAGMA mmap_size=268435456;PRAGMA cache_size=-65536;"
    )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": pragmas},
        "TEST": {"NAME": str(path.with_name("test.sqlite3"))},
    }


def _key_file(path: Path) -> str:
    """The key in ``path``, made on first use. Two first starts at once agree: the file that was there first wins."""
    if not path.exists():
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()
