"""Models on servers: off unless listed, asked as their protocol says, and no connection to anywhere else.

Five hundred hostile addresses are asked with every connection counted.
Planted and seen to fail: a host compared by its end; the status of an answer not looked at; a name that leads to this machine;
a server that is waited for without asking whether to go on.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from labelhub.formats.shapes import Grid
from labelhub.inference.remote import remote_predictor
from labelhub.predictions import outbound
from labelhub.predictions.outbound import OutboundRefused, post, read_address
from labelhub.projects.ontology import read_ontology
from tests.cast import ONTOLOGY

ontology = read_ontology(ONTOLOGY)


class Answering(BaseHTTPRequestHandler):
    """A server of the Open Inference Protocol whose second map is positive where the picture is bright."""

    protocol_version = "HTTP/1.1"
    asked: list[str] = []  # noqa: RUF012 - one list for all requests is meant
    may_go_on = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Answering.asked.append(self.path)
        if self.path.startswith("/slow"):
            Answering.may_go_on.wait(30)
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        length = int(self.headers.get("Inference-Header-Content-Length", len(body)))
        question = json.loads(body[:length])
        given = question["inputs"][0]
        values = np.frombuffer(body[length:], "<f4") if length < len(body) else np.array(given["data"], np.float32)
        level = values.reshape(given["shape"]) - 0.5
        maps = np.concatenate([-level, level], axis=1).astype("<f4")
        output = {"name": question["outputs"][0]["name"], "datatype": "FP32", "shape": list(maps.shape)}
        if self.path.startswith("/odd"):
            output["shape"] = [1]
        tail = b""
        if length < len(body):
            tail, output["parameters"] = maps.tobytes(), {"binary_data_size": maps.nbytes}
        else:
            output["data"] = maps.ravel().tolist()
        text = json.dumps({"model_name": "m", "outputs": [output]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text) + len(tail)))
        if tail:
            self.send_header("Inference-Header-Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text + tail)

    def log_message(self, *_arguments) -> None:
        """Say nothing."""


@pytest.fixture
def server(settings):
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{serving.server_address[1]}"
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(url,))
    Answering.asked.clear()
    yield url
    serving.shutdown()
    serving.server_close()
    thread.join()


def parameters(url: str, **more):
    how = {"normalisation": "range", "low": 0, "high": 200, "patch": [16, 16]}
    return {"url": url, "model": "m", "classes": ["", "nucleus"], "dimensions": 2, "step": 4, "preparation": how} | more


@pytest.mark.parametrize("binary", [False, True])
def test_a_server_finds_what_a_network_at_home_would(server, binary):
    pixels = np.zeros((1, 40, 30), dtype=np.uint8)
    pixels[0, 5:15, 8:20] = 200
    seen = remote_predictor(parameters(server, binary=binary)).predict(pixels, Grid((1, 40, 30)), ontology)
    assert [shape.mask.origin for shape in seen.shapes] == [(0, 5, 8)]
    assert int(seen.shapes[0].mask.voxels.sum()) == 120
    assert set(Answering.asked) == {"/v2/models/m/infer"}
    assert len(Answering.asked) > 1, "windows"


def test_answers_that_do_not_hold_and_redirects_are_refused(server):
    picture = np.zeros((1, 16, 16), dtype=np.uint8)
    for path, word in (("/odd", "did not answer with OUTPUT__0"), ("/moved", "302")):
        with pytest.raises(OutboundRefused, match=word):
            remote_predictor(parameters(server + path)).predict(picture, Grid((1, 16, 16)), ontology)
    with pytest.raises(OutboundRefused, match="unknown: token"):
        remote_predictor(parameters(server, token="x"))


def test_whoever_waits_for_a_slow_server_can_stop(server):
    Answering.may_go_on.clear()
    predictor = remote_predictor(parameters(f"{server}/slow"))

    def stopped():
        if Answering.asked:
            raise KeyError

    predictor.watch(stopped)
    begun = time.monotonic()
    try:
        with pytest.raises(KeyError):
            predictor.predict(np.zeros((1, 16, 16), dtype=np.uint8), Grid((1, 16, 16)), ontology)
        assert time.monotonic() - begun < 2
    finally:
        Answering.may_go_on.set()


def test_nothing_is_called_unless_the_owner_lists_it(server, settings):
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=())
    with pytest.raises(OutboundRefused, match="not on the list"):
        remote_predictor(parameters(server))
    assert not Answering.asked


ALLOWED = "models.example:8000"


def hostile():
    """Addresses that are, look like, or could be read as something other than the one on the list."""
    hosts = [
        "evil.example", "models.example.evil.example", "evilmodels.example", "models.example@evil.example",
        "models.example:8000@evil.example", "user:word@models.example", "evil.example#models.example",
        "evil.example?models.example", "models.example\\@evil.example", "models.example%2eevil.example",
        "MODELS.EXAMPLE", "models。example", "ｍodels.example", "models.example.", "models..example", "127.0.0.1",
        "localhost", "2130706433", "0x7f000001", "017700000001", "127.1", "0", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[fe80::1%25eth0]", "169.254.169.254", "10.0.0.1", "metadata.google.internal",
        "models.example\t", " models.example", "models.example\r\nHost: evil.example", "models.example\x00.evil.example",
        "-models.example", "models_example", "",
    ]  # fmt: skip
    shapes = [
        "http://{}", "http://{}:8000", "http://{}:80", "https://{}:8000", "http://{}:8000/../x", "http://{}:8000/a?b=c",
        "http://{}:8000/#x", "http:/{}", "http:///{}:8000", "//{}:8000", "ftp://{}:8000", "file://{}/etc/passwd",
        "gopher://{}:8000/_x", "http://{}:8000:80", "http://{}:08000x", "HTTP://{}:99999",
    ]  # fmt: skip
    fine = {f"http://{ALLOWED}"}
    return [url for host, shape in itertools.product(hosts, shapes) if (url := shape.format(host)) not in fine]


def test_no_connection_is_made_to_any_of_five_hundred_hostile_addresses(settings, monkeypatch):
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(f"http://{ALLOWED}",))
    made: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: made.append(address))

    def resolved(*given, **more):
        made.append(given)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    urls = hostile()
    assert len(urls) >= 500
    for url in urls:
        with pytest.raises(OutboundRefused):
            post(url, b"", {})
    for odd in (None, 7, b"http://models.example:8000"):
        with pytest.raises(OutboundRefused):
            post(odd, b"", {})
    assert made == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "0.0.0.0", "224.0.0.1"])
def test_a_listed_name_that_leads_to_this_machine_or_a_reserved_one_is_refused(settings, monkeypatch, address):
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(f"http://{ALLOWED}",))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: [(0, 0, 0, "", (address, 8000))])
    made: list[object] = []
    monkeypatch.setattr(outbound.socket, "create_connection", lambda *given, **more: made.append(given))
    with pytest.raises(OutboundRefused, match="leads to"):
        post(f"http://{ALLOWED}/v2", b"", {})
    assert made == []


def test_an_address_is_read_in_one_way():
    assert read_address("http://models.example:8000/v2/x/")[1] == "/v2/x"
    assert read_address("https://[fd00::1]:8443")[0].bare_host == "fd00::1"
    assert read_address("https://models.example")[0].port == 443
