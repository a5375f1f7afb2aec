"""The demo project: real pictures from installed packages, simulated labelers, and their planted faults (`plan`)."""
