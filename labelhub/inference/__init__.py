"""The only package that imports torch and monai, loaded by dotted path in worker processes."""

import os

# Read when torch is loaded. Threads that spin while they wait take the core from whoever else works on this machine, the
# server first: with two busy neighbours on two cores, a volume took 4 s in place of 18.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
