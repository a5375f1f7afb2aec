"""The one way out to a model's server: none by default, else only to addresses that the site's owner listed.

``LABELHUB_MODEL_SERVERS=http://10.0.0.5:8000,https://triton.example:443`` allows exactly these. What is asked for is compared
with the list before anything is resolved; then the name is resolved once, the address is judged, and the connection goes to
that very address, so that a name cannot mean one machine when it is checked and another when it is used. No redirect is
followed and no proxy is used; what comes back is bounded in bytes and in time, however slowly it drips. Not here: what is said
to the server (``inference.remote``, ``predictions.monai_label``).
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from labelhub.projects.errors import DomainError

MOST_ANSWER_BYTES: Final = 2 << 30
CONNECT_TIMEOUT_S: Final = 10.0
_PIECE: Final = 1 << 20
# How often whoever waits for an answer is asked whether to wait on.
_ASK_EVERY_S: Final = 0.5
# How much of what a server says of its own failure is passed on.
_MOST_WORDS: Final = 300
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


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an exchange may take, how long nothing may come, and how large an answer may be."""

    whole_s: float = 600.0
    silence_s: float = 120.0
    most_bytes: int = MOST_ANSWER_BYTES


USUAL: Final = Bounds()


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, query: Mapping[str, str] | None = None, bounds: Bounds = USUAL,
    between: Callable[[], None] | None = None,
) -> tuple[Mapping[str, str], bytes]:  # fmt: skip
    """Send a request to an allowed server and return the answer's headers (lower case) and content.

    ``between`` is called twice a second while the answer is waited for; what it raises ends the exchange. Raises
    :class:`OutboundRefused` where the server is not allowed, cannot be reached, redirects, answers other than 200, or with
    more than the bounds allow.
    """
    return _asked("POST", url, body, headers, query or {}, bounds, between)


def get(url: str, *, bounds: Bounds = USUAL) -> tuple[Mapping[str, str], bytes]:
    """Ask an allowed server for what lies at an address. Returns and raises as :func:`post`."""
    return _asked("GET", url, b"", {}, {}, bounds, None)


def _asked(
    method: str, url: str, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], bounds: Bounds,
    between: Callable[[], None] | None,
) -> tuple[Mapping[str, str], bytes]:  # fmt: skip
    server, path = require_allowed(url)
    # A path that ends in a slash is another one to servers that do not redirect.
    target = f"{path}/" if urlsplit(url).path.endswith("/") or not path else path
    exchange = _Exchange(_Pinned(server, bounds.silence_s), bounds.most_bytes)
    exchange.begin(method, f"{target}?{urlencode(query)}" if query else target, body, dict(headers))
    until = time.monotonic() + bounds.whole_s
    try:
        while not exchange.over.wait(min(_ASK_EVERY_S, max(until - time.monotonic(), 0.0))):
            if time.monotonic() >= until:
                raise _too_slow(bounds.whole_s)
            if between is not None:
                between()
    finally:
        exchange.end()
    return exchange.answer()


def _too_slow(waited_s: float) -> OutboundRefused:
    """Of the whole answer or of a silence within it: one and the same where both are given the same time."""
    return OutboundRefused(
        f"The model's server took longer than {waited_s:g} s. Nothing was predicted. Is it overloaded?"
    )


class _Exchange:
    """A request and its answer in a thread of their own, so that whoever waits can still stop, and slow drips end in time."""

    def __init__(self, connection: _Pinned, most_bytes: int) -> None:
        self.connection, self.most_bytes = connection, most_bytes
        self.over = threading.Event()
        self._found: tuple[Mapping[str, str], bytes] | None = None
        self._error: Exception | None = None

    def begin(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> None:
        """Send the request; ``over`` is set when the answer is read, or when there will be none."""
        threading.Thread(
            target=self._run, args=(method, target, body, headers), daemon=True, name="asking a model's server"
        ).start()

    def end(self) -> None:
        """Close the line, whether an answer came or not."""
        self.connection.cut()

    def answer(self) -> tuple[Mapping[str, str], bytes]:
        """Return headers and content. Raises :class:`OutboundRefused`."""
        if self._found is not None:
            return self._found
        if isinstance(self._error, OutboundRefused):
            raise self._error
        if isinstance(self._error, TimeoutError) and self.connection.is_connected:
            raise _too_slow(self.connection.timeout_s)
        raise OutboundRefused(
            f"The model's server could not be asked ({type(self._error).__name__}). Nothing was predicted. Is it running?"
        ) from self._error

    def _run(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.connection.request(method, target, body=body or None, headers=headers)
            answer = self.connection.getresponse()
            if answer.status != http.client.OK:
                raise OutboundRefused(
                    f"The model's server answered with status {answer.status}{_its_words(answer)}."
                    f"{_advice(answer.status)} Nothing was predicted."
                )
            content = _read(answer, self.most_bytes)
            self._found = {name.lower(): value for name, value in answer.getheaders()}, content
        except Exception as error:  # noqa: BLE001 - told by the one who waits, whatever it is
            self._error = error
        finally:
            self.connection.close()
            self.over.set()


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    content = bytearray()
    while piece := answer.read1(_PIECE):
        content += piece
        if len(content) > most:
            raise OutboundRefused(
                f"The model's server answered with more than the {most >> 20} MiB that are read. Nothing was predicted."
            )
    # ``read1`` takes an end before the announced one for the end.
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return bytes(content)


def _its_words(answer: http.client.HTTPResponse) -> str:
    """What the server says of its failure, as one short line of plain signs: it helps whoever runs it."""
    with suppress(OSError, http.client.HTTPException, ValueError):
        words = answer.read(_MOST_WORDS).decode("ascii", errors="replace")
        plain = " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
        return f" and says: {plain}" if plain else ""
    return ""


def _advice(status: int) -> str:
    if status // 100 == 3:
        return " Redirects are not followed."
    return " Its own log says why." if status // 100 == 5 else ""


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was judged, whatever the name means a moment later."""

    def __init__(self, server: Server, timeout_s: float) -> None:
        super().__init__(server.bare_host, server.port, timeout=timeout_s)
        self.server, self.timeout_s = server, timeout_s
        self._line: socket.socket | None = None
        self._is_cut = False

    def connect(self) -> None:
        """Resolve once, judge, connect, and look whom the line really leads to."""
        address = _judged_address(self.server)
        line = socket.create_connection((address, self.server.port), timeout=CONNECT_TIMEOUT_S)
        if ipaddress.ip_address(line.getpeername()[0].split("%")[0]) != ipaddress.ip_address(address):
            line.close()
            raise OSError("the line leads elsewhere")
        line.settimeout(self.timeout_s)
        if self.server.scheme == "https":
            line = ssl.create_default_context().wrap_socket(
                line, server_hostname=self.server.bare_host, do_handshake_on_connect=False
            )
        self.sock = self._line = line
        if self._is_cut:
            raise OSError("nobody waits for it any more")
        if isinstance(line, ssl.SSLSocket):
            line.do_handshake()

    @property
    def is_connected(self) -> bool:
        """Whether the server was reached."""
        return self._line is not None

    def cut(self) -> None:
        """End the line from another thread: what reads from it there wakes up."""
        self._is_cut = True
        if self._line is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)


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
