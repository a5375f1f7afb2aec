"""The only package that imports torch and monai, loaded by dotted path in worker processes."""
