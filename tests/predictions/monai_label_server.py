"""A server that speaks as MONAI Label's documentation says, and, where told to, as a broken or hostile one would.

``GET /info/`` lists its models; ``POST /infer/bright`` takes a NIfTI file as multipart and answers with multipart: the words
(``params``) first, then the label map: 2 where the picture is brighter than 100, 5 where it is brighter than 200.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import nibabel
import numpy as np

LABELS = {"background": 0, "bright": 2, "very bright": 5}


def label_file(image: Any) -> bytes:
    """What the server's model says of a picture, as a gzipped NIfTI file."""
    values = np.asarray(image.dataobj)
    return packed(np.where(values > 200, 5, np.where(values > 100, 2, 0)).astype(np.uint8), image.affine)


def packed(values: np.ndarray, affine: np.ndarray) -> bytes:
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1)


def form(words: bytes, file: bytes, boundary: str = "a4d9") -> bytes:
    """The answer's body, as `requests_toolbelt` writes it."""
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\nContent-Type: application/json\r\n\r\n'.encode()
        + words
        + f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="tmp0.nii.gz"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode()
        + file
        + f"\r\n--{boundary}--\r\n".encode()
    )


class MonaiLabel(BaseHTTPRequestHandler):
    """One request; what it was is kept in ``asked``, how it is answered is told by ``behave``."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, dict[str, bytes]]] = []  # noqa: RUF012 - one list for all requests is meant
    # From the picture's label file to the answer's status, type and body; None: as it should be.
    behave: Callable[[Any], tuple[int, str, bytes]] | None = None
    drip_s: float = 0.0

    def do_GET(self) -> None:
        MonaiLabel.asked.append((self.path, {}))
        if self.path != "/info/":
            self._send(404, "application/json", b'{"detail":"Not Found"}')
            return
        models = {"bright": {"type": "segmentation", "labels": LABELS, "dimension": 3, "description": "", "config": {}}}
        told = {"name": "test", "version": "0.8.5", "labels": [], "models": models, "datastore": {"total": 0}}
        self._send(200, "application/json", json.dumps(told).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = re.search("boundary=(.+)", self.headers["Content-Type"])[1].encode()
        fields = {}
        for piece in body.split(b"--" + boundary)[1:-1]:
            head, _, content = piece.partition(b"\r\n\r\n")
            fields[re.search(rb'name="(\w+)"', head)[1].decode()] = content.removesuffix(b"\r\n")
        MonaiLabel.asked.append((self.path, fields))
        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(fields["file"]))
        if MonaiLabel.behave is not None:
            self._send(*MonaiLabel.behave(image))
            return
        words = json.dumps({"label_names": LABELS, "latencies": {"total": 0.1}}).encode()
        self._send(200, "multipart/form-data; boundary=a4d9", form(words, label_file(image)))

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        for start in range(0, len(body), 64) if self.drip_s else (0,):
            try:
                self.wfile.write(body[start : start + 64] if self.drip_s else body)
                self.wfile.flush()
            except OSError:
                return
            time.sleep(self.drip_s)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
