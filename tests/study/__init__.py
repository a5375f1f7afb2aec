"""The studies of `manage.py study`: their arithmetic, planted effects that must be found, none where there is none."""
