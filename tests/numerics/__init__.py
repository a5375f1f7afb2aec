"""Tests of labelhub.numerics."""
