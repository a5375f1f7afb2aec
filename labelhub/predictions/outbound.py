"""The one way out to a model's server: none by default, else only to addresses that the site's owner listed.

``LABELHUB_MODEL_SERVERS=http://10.0.0.5:8000,https://triton.example:443`` allows exactly these. What is asked for is compared
with the list before anything is resolved; then the name is resolved once, the address is judged, and the connection goes to
that very address, so that a name cannot mean one machine when it is checked and another when it is used. No redirect is
followed and no proxy is used. Not here: what is said to the server (``inference.remote``).
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from labelhub.projects.errors import DomainError

MOST_ANSWER_BYTES: Final = 2 << 30
CONNECT_TIMEOUT_S: Final = 10.0
_PIECE: Final = 1 << 20
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?)*|\[[0-9a-f:.]+\]")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?")
_SCHEMES: Final = {"http": 80, "https": 443}


class OutboundRefused(DomainError):
    """A server is not on the list, or did not answer as it should; nothing was sent, or nothing of the answer was used."""

    code = "outbound-refused"
    status = 403


@dataclass(frozen=True, slots=True)
class Server:
    """A server by its scheme, host (lower case, IPv6 in brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def bare_host(self) -> str:
        """The host as it is resolved."""
        return self.host.strip("[]")


def read_address(url: str) -> tuple[Server, str]:
    """Return the server and path of an address. Raises :class:`OutboundRefused` for one that could be read in two ways."""
    plain = url if isinstance(url, str) and url.isascii() and url.isprintable() and "\\" not in url else ""
    try:
        parts = urlsplit(plain)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.netloc.rsplit(":", 1)[0] if port is not None else parts.netloc
    is_plain = (
        parts.scheme in _SCHEMES
        and _HOST.fullmatch(host) is not None
        and _PATH.fullmatch(parts.path) is not None
        and ".." not in parts.path.split("/")
        and not (parts.query or parts.fragment or url != parts.geturl() or plain.endswith((":", "?", "#")))
    )
    if not is_plain:
        raise OutboundRefused(
            "The server's address is not of the form http://host:port/path. Nothing was sent. Write it without user, query "
            "or special signs."
        )
    return Server(parts.scheme, host, port or _SCHEMES[parts.scheme]), parts.path.rstrip("/")


def require_allowed(url: str) -> tuple[Server, str]:
    """Return the server and path where the site's owner allows them. Raises :class:`OutboundRefused`; resolves nothing."""
    server, path = read_address(url)
    allowed = {read_address(entry)[0] for entry in settings.ENVIRONMENT.model_servers}
    if server not in allowed:
        raise OutboundRefused(
            "This server is not on the list of servers that may be called. Nothing was sent. The site's owner sets "
            "LABELHUB_MODEL_SERVERS, which is empty unless somebody set it."
        )
    return server, path


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = 120.0
) -> tuple[Mapping[str, str], bytes]:
    """Send a request to an allowed server and return the answer's headers (lower case) and content.

    Raises :class:`OutboundRefused` where the server is not allowed, cannot be reached, redirects, or answers other than 200.
    """
    server, path = require_allowed(url)
    connection = _Pinned(server, timeout_s)
    try:
        connection.request("POST", path or "/", body=body, headers=dict(headers))
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise OutboundRefused(
                f"The model's server answered with status {answer.status}. Redirects are not followed. Nothing was predicted."
            )
        content = bytearray()
        while piece := answer.read(_PIECE):
            content += piece
            if len(content) > MOST_ANSWER_BYTES:
                raise OutboundRefused("The model's server answered with more than is read. Nothing was predicted.")
        return {name.lower(): value for name, value in answer.getheaders()}, bytes(content)
    except (OSError, http.client.HTTPException) as error:
        raise OutboundRefused(
            f"The model's server could not be asked ({type(error).__name__}). Nothing was predicted. Is it running?"
        ) from error
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was judged, whatever the name means a moment later."""

    def __init__(self, server: Server, timeout_s: float) -> None:
        super().__init__(server.bare_host, server.port, timeout=timeout_s)
        self.server, self.timeout_s = server, timeout_s

    def connect(self) -> None:
        """Resolve once, judge, connect, and look whom the line really leads to."""
        address = _judged_address(self.server)
        line = socket.create_connection((address, self.server.port), timeout=CONNECT_TIMEOUT_S)
        if ipaddress.ip_address(line.getpeername()[0].split("%")[0]) != ipaddress.ip_address(address):
            line.close()
            raise OSError("the line leads elsewhere")
        line.settimeout(self.timeout_s)
        if self.server.scheme == "https":
            line = ssl.create_default_context().wrap_socket(line, server_hostname=self.server.bare_host)
        self.sock = line


def _judged_address(server: Server) -> str:
    """The address of an allowed server. A name may not mean this machine, its neighbours' service addresses, or everybody."""
    found = socket.getaddrinfo(server.bare_host, server.port, type=socket.SOCK_STREAM)
    address = ipaddress.ip_address(str(found[0][4][0]).split("%")[0])
    is_literal = _is_address(server.bare_host) or server.host == "localhost"
    is_odd = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    if is_odd and not is_literal:
        raise OutboundRefused(
            "The name of the model's server leads to an address of this machine or a reserved one. Nothing was sent. List "
            "the address itself where that is meant."
        )
    return str(address)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
