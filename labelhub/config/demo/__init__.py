"""The demo project: real pictures from installed packages, simulated labelers whose planted faults are written down in `plan`."""
