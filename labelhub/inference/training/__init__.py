"""From a release of settled labels to a model version: cases, folds, fitting, what was reached. Loaded by workers alone."""
