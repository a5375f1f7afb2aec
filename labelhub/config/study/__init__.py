"""Experiments that test what drafts, active learning, many labels and routing are said to gain; failures included."""
