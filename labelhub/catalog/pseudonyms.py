"""Keys for patients, studies and parent images that cannot be led back to the identifier they stand for.

A keyed hash (HMAC-SHA-256, RFC 2104) of the identifier under the project's salt and the site's secret: the same patient
gets the same key in every ingest of a project, another key in another project, and who holds the database alone cannot
try out identifiers. Not here: which identifier is taken (``catalog.identity``), and de-identification of files.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

from django.conf import settings

from labelhub.projects.models import Project

# 80 bits: for a million subjects the chance that any two share a key is below 1e-12 (birthday bound).
KEY_BYTES = 10
# Without I, L, O and U: read aloud and typed without mistakes (Crockford's base 32).
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8


def pseudonym(*, project: Project, kind: str, identifier: str) -> str:
    """Return the key that stands for ``identifier`` in ``project``: 16 lower-case letters and digits.

    Spaces around it, its case and its Unicode form do not count: the same patient number typed twice is one patient.
    """
    plain = unicodedata.normalize("NFKC", identifier).strip().casefold()
    secret = hmac.new(
        _site_secret(), f"labelhub.catalog.pseudonym:{project.pseudonym_salt}".encode(), hashlib.sha256
    ).digest()
    digest = hmac.new(secret, f"{kind}\x00{plain}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:KEY_BYTES]).decode().lower()


def random_code() -> str:
    """Return a name for an item that says nothing about it: ``7K2M-Q9XD``."""
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    return f"{letters[:4]}-{letters[4:]}"


def _site_secret() -> bytes:
    """The key that also guards the audit chain: never renewed, unlike the session secret, so that keys stay stable."""
    key: bytes = settings.ENVIRONMENT.audit_key
    return key
