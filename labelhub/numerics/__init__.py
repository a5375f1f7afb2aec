"""Arrays in, frozen results out: agreement, masks, consensus, rater models, sequential and forensic tests.

No Django, no input or output, no globals; an argument is never changed. These hold everywhere and are not repeated:

Input
    ``ratings[unit, rater]`` are floats, NaN where a rater did not rate; categories are numbers (`ratings_from_table` and
    `ratings_from_counts` make them from published tables). Axes are ``confusion[rater, truth, given]``,
    ``posterior[unit, category]``, ``mask[z, y, x]`` or ``mask[y, x]`` (boolean), points ``(x, y)``, boxes
    ``(x0, y0, x1, y1)``; spacing has the order of the mask's axes. Lengths are "mm" with ``spacing_mm``, else "px".
Output
    A number to show is an `Estimate`: ``value``, ``low``, ``high``, ``level``, ``n`` of ``unit``, ``standard_error``,
    ``method``, ``warnings``. Coefficients come with their parts and hold it as ``estimate``. ``reason`` is None exactly where
    there is a value, ``interval_reason`` where there is an interval. Measures of a pair of masks are plain floats with an
    ``edge_case``.
Undefined
    NaN with a reason, never 0, 1 or an exception: no unit with two ratings (one rater, no unit), no variation (D_e = 0),
    chance agreement of 1, two empty masks. Where all units agree there is a value and no analytic interval.
Wrong input
    A ValueError that names the argument, its value and what is allowed: a rating outside ``categories``, an infinite one,
    masks on two grids or not boolean, a spacing not above 0, NaN where a gap means nothing, groups that do not fit.
Intervals
    Analytic ones take units as independent. Pass ``resampling=Resampling(rng, groups, "patients")`` to resample groups (BCa,
    2,000 times, percentiles on demand); the standard error is then that of groups too. Randomness is a numpy Generator.

Where to look: ``agreement``, ``cohen``, ``conger``, ``alpha``, ``rater_bootstrap``, ``bands``, ``p_values``; ``intraclass``,
``concordance``, ``bland_altman``, ``repeatability``, ``rankings``; ``structured``, ``shape_distances``, ``localisation``,
``matching``, ``rater_influence``, ``shape_raters``, ``specific``; ``overlap``, ``surfels``, ``boundary_iou``, ``centreline``,
``surface_offset``, ``added_path``, ``lesions``, ``panoptic``, ``all_pairs``; ``consensus``, ``dawid_skene``, ``hierarchical``,
``one_coin``, ``weighted``, ``glad``, ``mace``, ``gaussian``, ``crowdlab``, ``reliability``; ``staple``, ``fusion``,
``fusion_calibration``, ``object_merge``; ``proportions``, ``rater_models``, ``signal_detection``, ``difficulty``;
``sequential``, ``graded_sprt``, ``gate``, ``control_charts``, ``fatigue``; ``copying``, ``duplicates``, ``spam``,
``peer_prediction``, ``gold_leak``, ``false_discovery``; ``label_quality``, ``label_value``, ``residual_error``.
"""
