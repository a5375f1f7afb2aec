# mypy: ignore-errors
"""MultiLabelSTAPLEImageFilter of SimpleITK on label maps saved as one array [rater, z, y, x]."""

from __future__ import annotations

import sys

import numpy as np
import SimpleITK
from answering import answer

images = [SimpleITK.GetImageFromArray(one.astype(np.uint8)) for one in np.load(sys.argv[1])]


def work():
    found = SimpleITK.MultiLabelSTAPLEImageFilter()
    image = found.Execute(images)

    def values(files):
        name = files[0] + ".out.npy"
        np.save(name, SimpleITK.GetArrayFromImage(image))
        return {"file": name}

    return values


answer(work)
