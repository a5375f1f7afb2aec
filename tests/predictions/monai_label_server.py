"""A server that speaks as MONAI Label 0.8.5 was seen to (`tests.benchmarks.try_monai_label`), or as a broken or hostile one.

``GET /info/`` lists its models; ``POST /infer/bright`` takes a NIfTI file as multipart and answers with multipart: the words
(``params``) first, then the label map: 2 where the picture is brighter than 100, 5 where it is brighter than 200; ``listed``
says 1 and 2, and tells its labels as a list. As the real one it serves one request at a time, writes axes at right angles
alone, and answers any failure with status 500 and no reason.
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

LABELS = {"bright": 2, "very bright": 5, "background": 0}
LISTED = ["background", "bright", "very bright"]
FAILED = (500, "text/plain; charset=utf-8", b"Internal Server Error")


def label_file(image: Any, bright: int = 2, very_bright: int = 5) -> bytes:
    """What the server's model says of a picture, as a gzipped NIfTI file."""
    return packed(label_values(image, bright, very_bright), image.affine)


def label_values(image: Any, bright: int = 2, very_bright: int = 5) -> np.ndarray:
    values = np.asarray(image.dataobj)
    return np.where(values > 200, very_bright, np.where(values > 100, bright, 0)).astype(np.uint16)


def packed(values: np.ndarray, affine: np.ndarray) -> bytes:
    """A NIfTI file as ITK writes it: its axes stand at right angles, whatever was asked."""
    image = nibabel.Nifti1Image(values, affine)
    image.set_qform(affine, 1, strip_shears=True)
    image.set_sform(image.get_qform(), 1)
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
        model = {
            "type": "segmentation",
            "labels": LABELS,
            "dimension": 3,
            "description": "",
            "config": {"device": ["cpu"]},
        }
        models = {"bright": model, "listed": model | {"labels": LISTED}}
        told = {"name": "test", "version": "1", "labels": LISTED, "models": models, "datastore": {"total": 0}}
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
        if self.path.partition("?")[0] not in {"/infer/bright", "/infer/listed"}:
            self._send(*FAILED)
            return
        names, values = (LABELS, (2, 5)) if "bright" in self.path else (LISTED, (1, 2))
        words = json.dumps({"label_names": names, "latencies": {"total": 0.1}, "centroids": {}}).encode()
        self._send(200, "multipart/form-data; boundary=a4d9", form(words, label_file(image, *values)))

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
