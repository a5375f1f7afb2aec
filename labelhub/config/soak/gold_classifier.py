"""S2 (c): nothing that an annotator's browser sees of an image tells whether it is hidden gold.

Annotators read; what their browsers saw of each image is given to two classifiers, which must do no better than on labels that
were exchanged at random. Once with modelled time, once with measured time and the beats that answers wait for.

What it leaves out, because it is known: gold is more frequent until a labeler's gate decided (here its share is one), training
and the entry exam are declared, and what is left when all other work is done is gold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelhub.config.soak.frozen import frozen
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.sights import Sight, look, measured_time, modelled_time, one_reader_each, table_of
from labelhub.config.soak.telling import Told, told_by

# A share of exchanged labelings that do as well as the true one, below which gold counts as told.
LEAST_P = 0.01
EXCHANGES = 400


def try_gold_classifier(
    *, n: int, seed: int, is_measured: bool = True, exchanges: int = EXCHANGES, progress: Progress = silent
) -> Trial:
    """Look at ``n`` images with modelled time, and at as many with measured time unless told not to."""
    trial = Trial("gold is not told from other images", seed)
    for time_is in ("modelled", "measured") if is_measured else ("modelled",):
        told = tell(n=n, seed=seed, time_is=time_is, exchanges=exchanges, progress=progress)
        trial.n += told.n
        trial.check(told.n_of_kind >= n // 10, f"only {told.n_of_kind} of {told.n} were gold, so nothing was tried")
        trial.check(
            told.p > LEAST_P,
            f"with {time_is} time gold is told: AUC {told.linear} and {told.stumps}, p {told.p:.3f}; "
            f"by {told.most_telling}",
        )
        trial.facts |= {
            f"gold ({time_is} time)": f"{told.n_of_kind} of {told.n}",
            f"AUC linear ({time_is})": str(told.linear),
            f"AUC stumps ({time_is})": str(told.stumps),
            f"p ({time_is})": round(told.p, 3),
        }
    return trial


def tell(*, n: int, seed: int, time_is: str, exchanges: int, progress: Progress = silent) -> Told:
    """Look at ``n`` images and have the classifiers tell gold."""
    is_modelled = time_is == "modelled"
    # Both worlds stand in one database: from one seed their people would have the same public names.
    seed_of_time = seed if is_modelled else seed + 1
    rng = np.random.default_rng(seed_of_time)
    timing = modelled_time if is_modelled else measured_time
    with frozen(seed_of_time) as clock, timing() as watch:
        seen = look(n=n, rng=rng, watch=watch, frozen=clock, progress=progress)
    return judge(one_reader_each(seen, rng), rng=rng, exchanges=exchanges)


def judge(seen: Sequence[Sight], *, rng: np.random.Generator, exchanges: int) -> Told:
    """Have the classifiers tell gold by what was seen; labels are exchanged within what each annotator saw."""
    table, names = table_of(seen)
    is_gold = np.array([sight.is_gold for sight in seen])
    groups = np.array([sight.labeler for sight in seen])
    return told_by(table, is_gold, groups, names, rng=rng, exchanges=exchanges)
