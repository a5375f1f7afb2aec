# mypy: ignore-errors
"""HD, HD95, mean of both mean distances and NSD of two masks with panoptica: its metrics on the whole grid, or its evaluator.

The evaluator cuts both masks to their box first and works at once on a matched pair; a metric called by itself looks at
the grid it is given.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from answering import answer
from panoptica import InputType, Metric, Panoptica_Evaluator, disable_citation_reminder

warnings.filterwarnings("ignore")
disable_citation_reminder()
first, second = (np.load(name).astype(np.uint8) for name in sys.argv[1:3])
spacing = tuple(np.load(sys.argv[3]).tolist())
tolerance = float(np.load(sys.argv[4]))
is_cut = bool(np.load(sys.argv[5]))
evaluator = Panoptica_Evaluator(
    expected_input=InputType.MATCHED_INSTANCE, instance_metrics=[Metric.HD, Metric.HD95, Metric.ASSD, Metric.NSD]
)


def evaluated():
    found = evaluator.evaluate(first, second, voxelspacing=spacing, verbose=False)["ungrouped"]
    return {"hd": float(found.sq_hd), "hd95": float(found.sq_hd95), "masd": float(found.sq_assd)}


def called():
    options = {"reference_arr": first, "prediction_arr": second, "voxelspacing": spacing}
    return {
        "hd": float(Metric.HD(**options)),
        "hd95": float(Metric.HD95(**options)),
        "masd": float(Metric.ASSD(**options)),
        "nsd": float(Metric.NSD(**options, threshold=tolerance)),
    }


answer(evaluated if is_cut else called)
