"""Pure policy, plus the recorded Route and Gate."""
