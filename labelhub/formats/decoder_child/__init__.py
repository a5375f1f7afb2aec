"""The program that reads strangers' files, in a process of its own with limits and without a network."""
