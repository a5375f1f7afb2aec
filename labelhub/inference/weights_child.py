"""``python -I``, this module, FOLDER LIMITS: turns a stranger's ``model.pt`` into safetensors, in a process behind walls.

It speaks as the decoder does (``formats.decoder_child.answering``): ``{"op": "convert", "source": path, "out": path}`` is
answered with the number of tensors. This is the one place where a pickle of somebody else is opened, with
``weights_only=True``: tensors in dictionaries, nothing else. The process has no network, starts no program, writes into its
folder alone, and its memory and time are bounded (``formats.decoder_child.walls``); the weights of a program (TorchScript) are
refused unopened.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from labelhub.formats.decoder_child.answering import Options, answer_requests

# Where files that hold more than weights keep them.
_INSIDE = ("state_dict", "model_state_dict", "model", "network", "net")
_KEEP = "Nothing of it was kept. Export the weights as safetensors."


class Refused(ValueError):
    """The file holds something other than named tensors, or cannot be read; the sentence says which."""


def convert(source: Path, out: Path) -> int:
    """Write the tensors of a file of PyTorch to ``out`` as safetensors and return how many. Raises :class:`Refused`."""
    _refuse_programs(source)
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(
            f"The weights hold more than tensors, or are damaged ({type(error).__name__}). {_KEEP}"
        ) from error
    state = _tensors(loaded)
    save_file(state, out)
    return len(state)


def _serve(request: Mapping[str, Any], _options: Options) -> dict[str, Any]:
    try:
        return {"tensors": convert(Path(request["source"]), Path(request["out"]))}
    except Refused as refusal:
        return {"refused": str(refusal)}
    except MemoryError:
        return {"refused": f"The weights need more memory to read than is allowed. {_KEEP}"}
    except Exception as error:  # noqa: BLE001 - the wall between a stranger's file and the server: any failure is a refusal
        return {"refused": f"The weights could not be read ({type(error).__name__}). {_KEEP}"}


def _refuse_programs(source: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Refused(f"The file is no weights of PyTorch 1.6 or later. {_KEEP}") from error
    if any(name.endswith("constants.pkl") or "/code/" in f"/{name}" for name in names):
        raise Refused(f"The file is a program (TorchScript), not weights. {_KEEP}")


def _tensors(loaded: Any) -> dict[str, Any]:
    """Named tensors, at the top or one level down."""
    for key in ("", *_INSIDE):
        found = loaded.get(key) if key and isinstance(loaded, Mapping) else loaded
        if isinstance(found, Mapping) and found and all(isinstance(entry, torch.Tensor) for entry in found.values()):
            if any(entry.layout != torch.strided or entry.is_quantized for entry in found.values()):
                raise Refused(f"The weights are sparse or quantised, which networks here are not. {_KEEP}")
            return {str(name): entry.detach().contiguous().clone() for name, entry in found.items()}
    raise Refused(f"The file holds no dictionary of tensors. {_KEEP}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    answer_requests(sys.argv[1:], _serve)
