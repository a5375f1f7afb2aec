# mypy: ignore-errors
"""STAPLEImageFilter of SimpleITK on masks saved as one array [rater, z, y, x]."""

from __future__ import annotations

import sys

import numpy as np
import SimpleITK
from answering import answer

images = [SimpleITK.GetImageFromArray(one.astype(np.uint8)) for one in np.load(sys.argv[1])]


def work():
    found = SimpleITK.STAPLEImageFilter()
    found.SetForegroundValue(1.0)
    image = found.Execute(images)

    def values(files):
        name = files[0] + ".out.npy"
        np.save(name, SimpleITK.GetArrayFromImage(image))
        return {"file": name, "sensitivity": found.GetSensitivity(), "specificity": found.GetSpecificity()}

    return values


answer(work)
