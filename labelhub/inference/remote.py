"""A network on another server that speaks the Open Inference Protocol (KServe v2, as NVIDIA Triton does), behind ours.

Windows are cut and put together here; each is sent as one tensor and comes back as one. So preparation, mirrored views, doubt
and shapes are those of a network at home. Off unless the site's owner lists the server (``predictions.outbound``), since
pictures leave the machine. Not here: how a server is reached.

Reference: Open Inference Protocol, REST, with the binary tensor extension where ``binary`` is set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch

from labelhub.formats.shapes import FormatError
from labelhub.formats.strict_json import load_json
from labelhub.inference.predictor import NetworkPredictor
from labelhub.predictions.architectures import Design, read_design
from labelhub.predictions.outbound import OutboundRefused, post, require_allowed
from labelhub.predictions.preparation import Preparation, read_preparation

NAME: Final = "kserve-v2"
_LENGTH: Final = "Inference-Header-Content-Length"
# Kinds of floating point that a server may answer with; what it works in is its own business.
_FLOATS: Final = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
_KNOWN: Final = frozenset(
    {"url", "model", "input", "output", "classes", "dimensions", "channels", "step", "binary", "preparation"}
)


def remote_predictor(parameters: Mapping[str, Any]) -> NetworkPredictor:
    """Return a predictor that asks the model ``model`` of the server at ``url``. Raises where the server is not allowed.

    ``classes`` says what each map that comes back means; ``step``, a power of two, is what a window's sides must be multiples
    of; ``input`` and ``output`` name the tensors (``INPUT__0`` and ``OUTPUT__0`` unless told). The maps are logits, as a
    network's.
    """
    unknown = sorted(set(parameters) - _KNOWN)
    if unknown or not parameters.get("model") or not parameters.get("classes"):
        raise OutboundRefused(
            f"The model on a server needs url, model and classes{'; unknown: ' + ', '.join(unknown) if unknown else ''}. "
            "Nothing was sent.",
            status=422,
        )
    require_allowed(str(parameters.get("url", "")))
    classes = tuple(str(key) for key in parameters["classes"])
    dimensions, halvings = int(parameters.get("dimensions", 2)), int(parameters.get("step", 1)).bit_length() - 1
    # A stand-in of the same ends: the predictor asks it for nothing but channels, maps and the step.
    design = read_design(
        "UNet",
        {
            "spatial_dims": dimensions, "in_channels": int(parameters.get("channels", 1)), "out_channels": len(classes),
            "channels": [1] * (max(halvings, 1) + 1), "strides": [2] * halvings or [1],
        },
    )  # fmt: skip
    network = RemoteNetwork(parameters, dimensions=dimensions, maps=len(classes))
    return RemotePredictor(design, network, classes, read_preparation(parameters.get("preparation", {})))


class RemotePredictor(NetworkPredictor):
    """The predictor of a network on a server: it is stopped also while the server computes."""

    def __init__(
        self, design: Design, network: RemoteNetwork, classes: Sequence[str], preparation: Preparation
    ) -> None:
        super().__init__(design, (network,), classes, preparation)
        self._network = network
        # What runs elsewhere has nothing to be compiled here.
        self.can_compile = False

    def watch(self, between: Callable[[], None]) -> None:
        """Call ``between`` after each window from now on, and twice a second while one is waited for."""
        super().watch(between)
        self._network.between = between


class RemoteNetwork(torch.nn.Module):  # type: ignore[misc]
    """Looks like a network and asks a server."""

    def __init__(self, parameters: Mapping[str, Any], *, dimensions: int, maps: int) -> None:
        super().__init__()
        self.dimensions, self.maps = dimensions, maps
        self.url = f"{str(parameters['url']).rstrip('/')}/v2/models/{parameters['model']}/infer"
        self.names = str(parameters.get("input", "INPUT__0")), str(parameters.get("output", "OUTPUT__0"))
        self.is_binary = parameters.get("binary") is True
        self.between: Callable[[], None] | None = None

    def forward(self, batch: Any) -> Any:
        """Send windows ``[n, c, ...]`` and return maps ``[n, k, ...]``."""
        given = np.ascontiguousarray(batch.cpu().numpy(), dtype="<f4")
        body, headers = self._question(given)
        answered, content = post(self.url, body, headers, between=self.between)
        wanted = (given.shape[0], self.maps, *given.shape[2:])
        return torch.from_numpy(_tensor(content, answered, self.names[1], wanted)).to(batch.device)

    def _question(self, given: Any) -> tuple[bytes, dict[str, str]]:
        tensor: dict[str, Any] = {"name": self.names[0], "shape": list(given.shape), "datatype": "FP32"}
        output: dict[str, Any] = {"name": self.names[1]}
        if not self.is_binary:
            tensor["data"] = given.ravel().tolist()
            text = json.dumps({"inputs": [tensor], "outputs": [output]}).encode()
            return text, {"Content-Type": "application/json"}
        tensor["parameters"] = {"binary_data_size": given.nbytes}
        output["parameters"] = {"binary_data": True}
        text = json.dumps({"inputs": [tensor], "outputs": [output]}).encode()
        return text + given.tobytes(), {"Content-Type": "application/octet-stream", _LENGTH: str(len(text))}


def _tensor(content: bytes, headers: Mapping[str, str], name: str, wanted: tuple[int, ...]) -> Any:
    """The named tensor of an answer. Raises :class:`OutboundRefused` where it is not what was asked for."""
    length = headers.get(_LENGTH.lower(), "")
    end = int(length) if length.isdigit() else len(content)
    try:
        document = load_json(content[:end], "the server's answer")
        output = next(entry for entry in document["outputs"] if entry["name"] == name)
        kind = _FLOATS[output["datatype"]]
        if tuple(output["shape"]) != wanted:
            raise ValueError("another shape")
        if "data" in output:
            values = np.array(output["data"], dtype=np.float32).reshape(wanted)
        else:
            size = int(output["parameters"]["binary_data_size"])
            values = np.frombuffer(content[end : end + size], dtype=kind).reshape(wanted).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("numbers that are not finite")
    except (FormatError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise OutboundRefused(
            f"The model's server did not answer with {name} of the shape {wanted} in floating point. Nothing was predicted."
        ) from error
    return values
