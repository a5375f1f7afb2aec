"""MONAI Label's own server asked by our client: whether a map comes back voxel by voxel, and how what goes wrong is told.

    python -m tests.benchmarks.try_monai_label

The server is the package `monailabel`, in an environment of its own on first use (`race`; with torch and ITK 2.5 GB). It is
installed without most of what it wishes for: DICOMweb, Girder, graph cuts and pictures of training are imported at its start
and not used here, and some exclude one another's newest versions (`peers/monai_label_start.py`). Its application is
`peers/monai_label_app.py`: models that look at brightness alone, so that what they must find is known. Not in the suite,
which asks a server of its own that answers as this one was seen to (`tests/predictions/monai_label_server.py`).

Seen on 2026-11-30 with MONAI Label 0.8.5, MONAI 1.6.1, torch 2.13.0 and ITK 5.4.7, without a card: volumes that lie axial,
mirrored, sagittal, oblique and with a tilted gantry come back with each voxel as wanted, from models that lead their map back
and from one that leaves it in RAS, with labels as an object and as a list; so does a picture, also from a model that drops
its third axis. Through voxels of 1 mm and back 113 of 13,600 voxels are otherwise, at the edges and without a shift. A map on
another grid, a map a label, words alone, a failure and an unknown model are each told in a sentence. Asked while it worked
twenty seconds for another, the server answered after 19.4 s: it was deaf until then, to `/info/` also. A picture that it
failed on stays in its temporary folder.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from labelhub.formats.shapes import Grid

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
BARE = ["monailabel==0.8.5"]
SERVING = [
    "fastapi",
    "uvicorn",
    "python-multipart",
    "pydantic-settings",
    "python-dotenv",
    "requests",
    "requests-toolbelt",
]
REST = [
    "schedule",
    "timeloop",
    "expiring-dict",
    "cachetools",
    "watchdog",
    "passlib",
    "pyjwt",
    "bcrypt",
    "psutil",
    "filelock",
]
PICTURES = [
    "itk>=5.4,<5.5",
    "nibabel",
    "pynrrd",
    "pydicom",
    "pillow",
    "scikit-image",
    "shapely",
    "pytorch-ignite",
    "tqdm",
]
CLASSES = {"bright": "lesion", "very bright": "nucleus"}
SPACING_MM = (0.7, 0.8, 2.5)
LEFT_BACK_HEAD = np.diag([-1.0, -1.0, 1.0])
TURNED = np.array([[0.8, -0.6, 0.0], [0.48, 0.64, -0.6], [0.36, 0.48, 0.8]])


def main() -> None:
    """Serve, ask, print, end."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    import django

    django.setup()
    from tests.benchmarks.race import TORCH, environment
    from tests.inference.test_real_server import free_ports, until_ready

    python = environment("monai-label", [*TORCH, *SERVING, *REST, *PICTURES, "setuptools"], bare=BARE)
    (port,) = free_ports(1)
    peers = Path(__file__).parent / "peers"
    with tempfile.TemporaryDirectory() as folder:
        app, studies, log = Path(folder) / "app", Path(folder) / "studies", Path(folder) / "log"
        app.mkdir()
        studies.mkdir()
        shutil.copy(peers / "monai_label_app.py", app / "main.py")
        where = ["--app", str(app), "--studies", str(studies), "--host", "127.0.0.1", "--port", str(port)]
        with log.open("wb") as written:
            process = subprocess.Popen(
                [str(python), str(peers / "monai_label_start.py"), "start_server", *where],
                stdout=written, stderr=written, env={**os.environ, "TMPDIR": folder},
            )  # fmt: skip
            try:
                until_ready(port, process, log, "/info/")
                ask(f"http://127.0.0.1:{port}")
                print(
                    f"{len(list(Path(folder).glob('*.nii.gz')))} pictures and maps are left in the server's temporary folder"
                )
            finally:
                process.terminate()
                process.wait(30)


def ask(url: str) -> None:
    """Print what the server finds in volumes that lie in many ways and in a picture, how it refuses, how long it is deaf."""
    from django.conf import settings

    from labelhub.formats.shapes import Grid

    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(url,))
    volume = phantom()
    for place, affine in places().items():
        for model in ("bright", "named", "turned"):
            print(f"{place:<12}{model:<10}{answer(url, model, volume, Grid(volume.shape, None, affine))}", flush=True)
    axial = Grid(volume.shape, None, places()["axial"])
    for model in ("spaced", "coarse", "flat", "channels", "words", "fails", "none"):
        print(f"{'axial':<12}{model:<10}{answer(url, model, volume, axial)}", flush=True)
    picture = phantom().max(axis=0, keepdims=True).clip(0).astype(np.uint8)
    for model in ("bright", "turned", "flat"):
        print(
            f"{'picture':<12}{model:<10}{answer(url, model, picture, Grid(picture.shape, (1.0, 0.5, 0.4)))}", flush=True
        )
    other = threading.Thread(target=answer, args=(url, "slow", volume, axial))
    other.start()
    time.sleep(1)
    print(f"{'meanwhile':<12}{'bright':<10}{answer(url, 'bright', volume, axial)}", flush=True)
    other.join()


def phantom() -> NDArray[np.int16]:
    """A volume without any symmetry: an L of three slices, a block, and one voxel in a corner."""
    pixels = np.full((10, 40, 34), -30, dtype=np.int16)
    pixels[2:6, 4:20, 9:14] = 150
    pixels[2, 20:26, 9] = 150
    pixels[7, 30:37, 2:8] = 220
    pixels[9, 0, 33] = 250
    return pixels


def places() -> dict[str, NDArray[np.float64]]:
    """How a volume may lie: affines from voxels to millimetres in RAS+."""
    sagittal = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.36], [0.0, 0.0, 1.0]])
    ways = {
        "axial": LEFT_BACK_HEAD, "mirrored": np.diag([1.0, -1.0, 1.0]), "sagittal": sagittal,
        "oblique": TURNED @ LEFT_BACK_HEAD, "tilted": tilt @ LEFT_BACK_HEAD,
    }  # fmt: skip
    found = {}
    for name, way in ways.items():
        found[name] = np.eye(4)
        found[name][:3, :3] = way * SPACING_MM
        found[name][:3, 3] = (40.5, 61.25, -130.0)
    return found


def answer(url: str, model: str, pixels: NDArray[Any], grid: Grid) -> str:
    """One line: how many voxels are as wanted, or the sentence of the refusal."""
    from labelhub.predictions.monai_label import monai_label_predictor
    from labelhub.predictions.outbound import OutboundRefused
    from labelhub.projects.ontology import read_ontology
    from tests.cast import ONTOLOGY

    begun = time.perf_counter()
    try:
        predictor = monai_label_predictor({"url": url, "model": model, "classes": CLASSES})
        seen = predictor.predict(pixels, grid, read_ontology(ONTOLOGY))
    except OutboundRefused as refusal:
        return str(refusal)
    wanted = np.where(pixels > 200, 2, np.where(pixels > 100, 1, 0))
    given = np.zeros_like(wanted)
    for shape in seen.shapes:
        mask = shape.mask
        place = tuple(slice(low, low + n) for low, n in zip(mask.origin, mask.voxels.shape, strict=True))
        given[place][mask.voxels] = list(CLASSES.values()).index(shape.label) + 1
    n_wrong = int((given != wanted).sum())
    told = "each voxel as wanted" if n_wrong == 0 else f"{n_wrong} voxels otherwise"
    return f"{told}, {int((wanted > 0).sum())} marked, {time.perf_counter() - begun:.1f} s"


if __name__ == "__main__":
    main()
